"""Threads and tasks: serialised at points, all of them seen, none waiting for ever."""

import _thread
import asyncio
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

    life = stage.live(run)
    assert life.unintercepted == []
    assert Counter(point.task for point in life.points) == {"one": 10, "two": 10}
    assert len({str(point) for point in life.points}) == 20


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

    life = stage.live(run, "process.kill@file.open:shared/one2%one#1:after", trace=False)
    assert life.outcome.kind == "killed"
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


def _compute() -> None:
    end = time.thread_time() + 0.02
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


def _woken(own: Path) -> None:
    """Two threads wait for one event: then the names of what they do decide."""
    event = threading.Event()

    def work(act: Any, path: Path) -> None:
        event.wait()
        act(path)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(work, Path.mkdir, own / "b")
        pool.submit(work, _slowly, own / "a")
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


@pytest.mark.parametrize(
    ("way", "order"), [(_started, "ba"), (_handed_over, "ba"), (_woken, "ab"), (_waited_for_in_time, "ab")]
)
def test_who_is_faster_does_not_matter(way: Any, order: str, stage: Stage) -> None:
    """Threads that are begun one after the other come in that order, on a busy machine, too."""
    assert short(stage.points(lambda: way(stage.own))) == [f"mkdir own/{name}" for name in order]


def test_who_is_interrupted_while_waiting_for_a_turn_keeps_nobody_waiting(stage: Stage) -> None:
    """A Ctrl-C comes to the main thread while it lets another one come to rest."""

    def work() -> None:
        _compute()
        _thread.interrupt_main()
        _slowly(stage.own / "b")

    def run() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        thread = threading.Thread(target=work)
        with suppress(KeyboardInterrupt):
            thread.start()
        (stage.own / "a").mkdir()
        thread.join()

    assert sorted(short(stage.points(run))) == ["mkdir own/a", "mkdir own/b"]
