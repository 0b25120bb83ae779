"""Threads and tasks: serialised at points, all of them seen, none waiting for ever."""

import _thread
import asyncio
import gc
import queue
import signal
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from rollproof.boundary.scheduling import idleness
from rollproof.chaos import Chaos
from rollproof.values.exploration import Exploration

from ..exploring import options
from .stage import Stage, short


def _write(folder: Path, letter: str) -> None:
    for number in range(5):
        (folder / f"{letter}{number}").write_text("xy")


def test_every_write_of_every_thread_is_seen(stage: Stage) -> None:
    """Two threads write: each point is there, under its thread's name, and nothing slips between them."""

    def run() -> None:
        threads = [threading.Thread(target=_write, args=(stage.shared, name), name=name) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    process = stage.run_process(run)
    assert process.unintercepted == []
    assert Counter(point.task for point in process.points) == {"one": 10, "two": 10}
    assert len({str(point) for point in process.points}) == 20


@pytest.mark.parametrize("workers", [1, 4])
def test_a_pool_is_seen(workers: int, stage: Stage) -> None:
    """Names that Python gives to workers are no part of a point."""

    def run() -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda letter: _write(stage.shared, letter), "abc"))

    points = short(stage.points(run))
    files = [f"shared/{letter}{number}" for letter in "abc" for number in range(5)]
    assert sorted(points) == sorted(f"{verb} {file}" for file in files for verb in ("open", "write"))


def test_tasks_of_a_loop_are_seen(stage: Stage) -> None:
    """Files from `asyncio.to_thread` and from the loop itself."""

    async def work(letter: str) -> None:
        await asyncio.sleep(0.01)
        await asyncio.to_thread(_write, stage.shared, letter)
        _write(stage.own, letter)

    async def run() -> None:
        await asyncio.gather(work("a"), work("b"))

    assert len(stage.points(run)) == 40


def test_a_thread_that_holds_a_lock_of_a_database_does_not_block_the_others(stage: Stage) -> None:
    """One sleeps inside its transaction while another waits for SQLite's lock: both come through."""
    path = stage.shared / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")

    def work(begun: threading.Event) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            begun.set()
            connection.execute("INSERT INTO t VALUES (1)")
            time.sleep(1)
            connection.execute("COMMIT")

    def run() -> int:
        events = [threading.Event(), threading.Event()]
        threads = [threading.Thread(target=work, args=(event,)) for event in events]
        threads[0].start()
        events[0].wait()
        threads[1].start()
        for thread in threads:
            thread.join()
        with closing(sqlite3.connect(path)) as connection:
            return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])

    assert stage.returned(run) == 2


def test_a_crash_in_one_thread_ends_all(stage: Stage) -> None:
    """SIGKILL knows no threads."""

    def run() -> None:
        threads = [threading.Thread(target=_write, args=(stage.shared, name), name=name) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    process = stage.run_process(run, "process.kill@file.open:shared/one2%one#1:after", trace=False)
    assert process.outcome.kind == "killed"
    assert (stage.shared / "one2").exists()
    assert not (stage.shared / "one3").exists()


def _statement(folder: Path, run: Any) -> str:
    found: list[Exploration] = []
    shared = folder / "explored"
    shared.mkdir()
    kill = (options().known["process.kill"],)
    chaos = Chaos(options(faults=kill), "test_it", found.append)
    chaos.watch(shared)
    chaos.api("https://api.mail.test")
    chaos.explore(run=lambda: run(shared), recover=lambda: None, allow=lambda world: True)
    return found[0].statement


def test_effects_one_after_the_other_are(tmp_path: Path) -> None:
    """A task that waits for another one, or for a thread, is alone."""

    async def write(path: Path) -> None:
        await asyncio.to_thread(path.write_text, "x")

    async def run(shared: Path) -> None:
        await asyncio.create_task(write(shared / "a"))
        await asyncio.gather(write(shared / "b"))

    statement = _statement(tmp_path, run)
    assert "side by side" not in statement
    assert "exhaustive" in statement


def _compute(seconds: float = 0.02) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def _slowly(path: Path) -> None:
    _compute()
    path.mkdir()


def _started(own: Path) -> None:
    """The second one is as fast as can be."""
    threads = [
        threading.Thread(target=_slowly, args=(own / "b",)),
        threading.Thread(target=Path.mkdir, args=(own / "a",)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _handed_over(own: Path) -> None:
    """Two workers are idle, and either may take what is handed over first."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: _compute(), range(2)))
        pool.submit(_slowly, own / "b")
        pool.submit(Path.mkdir, own / "a")


def _queued(own: Path) -> None:
    """The same with a queue of the agent's own."""
    work: queue.Queue[Any] = queue.Queue()

    def worker() -> None:
        act, path = work.get()
        act(path)

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    work.put((_slowly, own / "b"))
    work.put((Path.mkdir, own / "a"))
    for thread in threads:
        thread.join()


def _woken(own: Path) -> None:
    """Five threads wait for one event: then the names of what they do decide, however long they compute together."""
    event = threading.Event()

    def work(number: int) -> None:
        event.wait()
        _compute(0.06 - number / 100)
        (own / "abcde"[number]).mkdir()

    with ThreadPoolExecutor(5) as pool:
        pool.map(work, range(5))
        event.set()


def _waited_for_in_time(own: Path) -> None:
    """One waits at most so long for another one that goes on."""
    event = threading.Event()

    def work() -> None:
        event.set()
        (own / "b").mkdir()

    thread = threading.Thread(target=work)
    waiting = threading.Thread(target=lambda: event.wait(60) and _slowly(own / "a"))
    waiting.start()
    thread.start()
    waiting.join()
    thread.join()


def _after_sleeps(own: Path) -> None:
    """The time of an effect ends the sleep of a loop whose tasks have threads at work."""

    async def work(name: str) -> None:
        await asyncio.sleep(0.1)
        for number in range(3):
            await asyncio.to_thread((own / f"{name}{number}").mkdir)

    async def run() -> None:
        await asyncio.gather(*map(work, "abcd"))

    asyncio.run(run())


def test_the_time_of_an_effect_wakes_others_before_the_next_one(stage: Stage) -> None:
    """Whoever's moment comes meanwhile: the order is the same each time."""
    orders = set()
    for process in range(6):
        (stage.own / str(process)).mkdir()
        points = stage.points(lambda folder=stage.own / str(process): _after_sleeps(folder))
        orders.add(tuple(point.replace(f"own/{process}/", "") for point in short(points)))
    assert len(orders) == 1


def test_a_handler_may_wait_while_its_thread_does(stage: Stage) -> None:
    """Both waits are in virtual time, and end."""

    def run() -> None:
        signal.signal(signal.SIGINT, lambda number, frame: time.sleep(1))
        threading.Thread(target=lambda: (time.sleep(1), _compute(), _thread.interrupt_main())).start()
        threading.Event().wait(60)

    assert stage.run_process(run).outcome.kind == "returned"


@pytest.mark.parametrize(
    ("way", "order"),
    [(_started, "ba"), (_handed_over, "ba"), (_queued, "ba"), (_woken, "abcde"), (_waited_for_in_time, "ab")],
)
def test_who_is_faster_does_not_matter(way: Any, order: str, stage: Stage) -> None:
    """Threads that are begun one after the other come in that order, on a busy machine, too."""
    assert short(stage.points(lambda: way(stage.own))) == [f"mkdir own/{name}" for name in order]


def test_of_equal_effects_that_of_the_thread_which_was_started_first_comes_first(stage: Stage) -> None:
    """Also where another thread has ended before the later one began."""

    def run() -> str:
        begin = [threading.Event() for _ in range(3)]

        def work(number: int) -> None:
            begin[number].wait()
            _compute(0.03 / (number + 1))
            with (stage.own / "log").open("a") as log:
                log.write(str(number))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        threads[0].start()
        threads[1].start()
        begin[0].set()
        threads[0].join()
        threads[0] = threads[1]
        gc.collect()
        threads[2].start()
        begin[1].set()
        begin[2].set()
        for thread in threads:
            thread.join()
        return (stage.own / "log").read_text()

    assert stage.returned(run) == "012"


def test_a_sleep_goes_on_while_another_thread_has_effects(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they take: they are no computing for ever."""
    monkeypatch.setattr(idleness, "COMPUTING_S", 0.5)

    def run() -> None:
        def sleep() -> None:
            time.sleep(1000)
            (stage.own / "last").mkdir()

        thread = threading.Thread(target=sleep)
        thread.start()
        for number in range(400):
            (stage.own / str(number)).mkdir()
        thread.join()

    assert short(stage.points(run))[-1] == "mkdir own/last"


def test_who_asks_again_and_again_whether_another_thread_is_done(stage: Stage) -> None:
    """A sleep of no time lets the other one go on, and is no wait of its own."""

    def run() -> None:
        done = threading.Event()

        def work() -> None:
            for number in range(10):
                (stage.own / str(number)).mkdir()
            done.set()

        threading.Thread(target=work).start()
        while not done.is_set():
            time.sleep(0)

    assert len(stage.points(run)) == 10


def test_who_is_interrupted_while_waiting_for_a_turn_keeps_nobody_waiting(stage: Stage) -> None:
    """A Ctrl-C comes to the main thread while it lets another one come to rest."""

    def run() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        thread = threading.Thread(target=_interrupting, args=(stage.own / "b",))
        with suppress(KeyboardInterrupt):
            thread.start()
        (stage.own / "a").mkdir()
        thread.join()

    assert sorted(short(stage.points(run))) == ["mkdir own/a", "mkdir own/b"]


def test_a_handler_has_effects_while_its_thread_waits_for_a_turn(stage: Stage) -> None:
    """It takes the turn that its thread waits for, and the thread has it afterwards."""

    def run() -> None:
        signal.signal(signal.SIGINT, lambda number, frame: (stage.own / "c").mkdir())
        thread = threading.Thread(target=_interrupting, args=(stage.own / "b",))
        thread.start()
        (stage.own / "a").mkdir()
        thread.join()

    assert sorted(short(stage.points(run))) == ["mkdir own/a", "mkdir own/b", "mkdir own/c"]


def _interrupting(path: Path) -> None:
    _compute()
    _thread.interrupt_main()
    _slowly(path)


def test_finalizers_have_effects_whenever_they_come(stage: Stage) -> None:
    """Those of objects that refer to each other come while a thread does anything at all, waiting for its turn too."""

    class Node:
        def __init__(self, path: Path) -> None:
            self.path, self.itself = path, self

        def __del__(self) -> None:
            self.path.mkdir()

    def run() -> None:
        gc.set_threshold(7)

        def work(letter: str) -> None:
            for number in range(60):
                Node(stage.own / f"{letter}{number}")
                (stage.shared / f"{letter}{number}").mkdir()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, "ab"))
        gc.collect()

    names = [f"{folder}/{letter}{number}" for folder in ("own", "shared") for letter in "ab" for number in range(60)]
    assert sorted(short(stage.points(run))) == sorted(f"mkdir {name}" for name in names)
