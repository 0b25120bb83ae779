"""Locks, signals and queues of threads: who waits gets them in one order, whatever the machine does meanwhile."""

import _thread
import asyncio
import pickle
import queue
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.chaos import Chaos
from rollproof.engine.interleavings import other_interleavings

from ..exploring import breaks, explored, line_of, only
from .stage import Stage

NAMES = ("one", "two", "three")
_RUNS = 6


def _together(work: Callable[[str], Any]) -> None:
    threads = [threading.Thread(target=work, args=(name,), name=name) for name in NAMES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _compute() -> int:
    return sum(range(20_000))


def _under_a_lock(make: Callable[[], Any]) -> list[str]:
    lock, order = make(), list[str]()

    def work(name: str) -> None:
        for _ in range(3):
            with lock:
                time.sleep(0.01)
                order.append(name)
            _compute()

    _together(work)
    return order


def _after_one_notice() -> list[str]:
    condition, order, open_ = threading.Condition(), list[str](), list[bool]()

    def work(name: str) -> None:
        with condition:
            condition.wait_for(lambda: bool(open_))
        _compute()
        order.append(name)
        with condition:
            order.append(f"{name} again")

    def tell() -> None:
        time.sleep(1)
        with condition:
            open_.append(True)
            condition.notify_all()
        order.append("told")

    teller = threading.Thread(target=tell)
    teller.start()
    _together(work)
    teller.join()
    return order


def _after_one_event() -> list[str]:
    event, order = threading.Event(), list[str]()
    timer = threading.Timer(1, event.set)
    timer.start()

    def work(name: str) -> None:
        event.wait(None if name == "one" else 60)
        _compute()
        order.append(name)

    _together(work)
    return order


def _from_one_queue(make: Callable[[], Any]) -> list[str]:
    items, order = make(), list[str]()

    def work(name: str) -> None:
        while (item := items.get()) is not None:
            _compute()
            order.append(f"{name} {item}")
        items.put(None)

    threads = [threading.Thread(target=work, args=(name,)) for name in NAMES]
    for thread in threads:
        thread.start()
    for item in range(9):
        items.put(item)
    items.put(None)
    for thread in threads:
        thread.join()
    return order


def _to_one_loop() -> list[str]:
    order = list[str]()

    def work(name: str, loop: asyncio.AbstractEventLoop, came: asyncio.Event) -> None:
        for n in range(3):
            loop.call_soon_threadsafe(order.append, f"loop {name} {n}")
            _compute()
            order.append(f"{name} {n}")
        loop.call_soon_threadsafe(came.set)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        events = [asyncio.Event() for _ in NAMES]
        pairs = zip(NAMES, events, strict=True)
        await asyncio.gather(*(asyncio.to_thread(work, name, loop, event) for name, event in pairs))
        for event in events:
            await event.wait()

    asyncio.run(main())
    return order


ORDERS: dict[str, Callable[[], list[str]]] = {
    "lock": lambda: _under_a_lock(threading.Lock),
    "rlock": lambda: _under_a_lock(threading.RLock),
    "semaphore": lambda: _under_a_lock(lambda: threading.Semaphore(2)),
    "condition": _after_one_notice,
    "event": _after_one_event,
    "queue": lambda: _from_one_queue(queue.Queue),
    "simple queue": lambda: _from_one_queue(queue.SimpleQueue),
    "loop": _to_one_loop,
}


@pytest.mark.parametrize("kind", ORDERS)
def test_there_is_one_order(kind: str, stage: Stage) -> None:
    """Three threads want the same thing at the same time: who gets it when is the same in each process."""
    orders = [stage.returned(ORDERS[kind]) for _ in range(_RUNS)]
    assert orders[0]
    assert all(order == orders[0] for order in orders[1:]), orders


def test_writers_of_one_database_wait_in_virtual_time(stage: Stage) -> None:
    """Three connections write in transactions: who waits for SQLite's lock comes in one order, and no time passes."""
    path = stage.own / "words.db"

    def run() -> list[str]:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE words (n INTEGER PRIMARY KEY, word TEXT)")

        def work(name: str) -> None:
            with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
                for _ in range(3):
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute("INSERT INTO words (word) VALUES (?)", (name,))
                    time.sleep(0.2)
                    connection.execute("COMMIT")

        _together(work)
        with closing(sqlite3.connect(path)) as connection:
            words = [word for (word,) in connection.execute("SELECT word FROM words ORDER BY n")]
        path.unlink()
        return words

    orders = [stage.returned(run) for _ in range(_RUNS)]
    assert len(orders[0]) == 9
    assert all(order == orders[0] for order in orders[1:]), orders


def test_a_lock_of_a_database_that_nobody_gives_back_times_out(stage: Stage) -> None:
    """Thirty virtual seconds pass, and SQLite's own error comes; ``PRAGMA busy_timeout`` sets and tells them."""
    path = stage.own / "words.db"

    def run() -> list[Any]:
        told: list[Any] = []
        with closing(sqlite3.connect(path, isolation_level=None)) as one, closing(sqlite3.connect(path)) as two:
            one.execute("CREATE TABLE words (n INTEGER PRIMARY KEY, word TEXT)")
            one.execute("BEGIN IMMEDIATE")
            for seconds in (30, 7):
                two.execute(f"PRAGMA busy_timeout = {seconds * 1000}")
                told += two.execute("PRAGMA busy_timeout").fetchone()
                began = time.monotonic()
                try:
                    two.execute("INSERT INTO words (word) VALUES ('a')")
                except sqlite3.OperationalError as problem:
                    told += [str(problem), seconds - 1 < time.monotonic() - began < seconds + 1]
            one.execute("ROLLBACK")
        return told

    assert stage.returned(run) == [30_000, "database is locked", True, 7_000, "database is locked", True]


def test_what_a_handler_raises_in_a_wait_for_a_database_comes_out(stage: Stage) -> None:
    """A write and a read that wait for a lock raise it, and the next error is SQLite's own again."""
    path = stage.own / "words.db"

    def handle(number: int, frame: object) -> None:
        raise InterruptedError(f"after {time.monotonic() - began:.0f} s")

    def interrupt() -> None:
        time.sleep(3)
        signal.raise_signal(signal.SIGUSR1)

    def run() -> list[str]:
        nonlocal began
        told = list[str]()
        signal.signal(signal.SIGUSR1, handle)
        with closing(sqlite3.connect(path, isolation_level=None)) as one:
            one.execute("CREATE TABLE words (word TEXT)")
        with closing(sqlite3.connect(path, isolation_level=None)) as one, closing(sqlite3.connect(path)) as two:
            one.execute("BEGIN EXCLUSIVE")
            for statement in ("INSERT INTO words VALUES ('a')", "SELECT * FROM words"):
                for begin in (threading.Thread(target=interrupt).start, time.monotonic):
                    began = time.monotonic()
                    begin()
                    try:
                        two.execute(statement)
                    except (InterruptedError, sqlite3.OperationalError) as problem:
                        told.append(str(problem))
            one.execute("ROLLBACK")
        return told

    began = 0.0
    assert stage.returned(run) == ["after 3 s", "database is locked"] * 2


def test_a_timed_wait_for_a_lock_costs_virtual_time(stage: Stage) -> None:
    """An hour passes at once; where the lock comes before, the wait ends then."""

    def run() -> list[Any]:
        lock, reentrant, items = threading.Lock(), threading.RLock(), queue.SimpleQueue[int]()
        lock.acquire()
        began = time.monotonic()
        told: list[Any] = [lock.acquire(timeout=3600), time.monotonic() - began > 3599]
        holder = threading.Thread(target=lambda: (reentrant.acquire(), time.sleep(30), reentrant.release()))
        holder.start()
        told += [reentrant.acquire(timeout=10), reentrant.acquire(timeout=60), lock.acquire(False)]
        try:
            items.get(timeout=3600)
        except queue.Empty:
            told.append("empty")
        holder.join()
        return told

    assert stage.returned(run) == [False, True, False, True, False, "empty"]


def test_they_are_python_s_own_to_who_asks(stage: Stage) -> None:
    """Errors, reprs and refusals are those of ``threading``."""

    def run() -> list[str]:
        told = []
        for lock in (threading.Lock(), threading.RLock()):
            for act in (lock.release, lambda lock=lock: lock.acquire(False, 3), lambda lock=lock: pickle.dumps(lock)):
                try:
                    act()
                except Exception as problem:
                    told.append(type(problem).__name__)
            with lock:
                told.append(repr(lock).partition(" object")[0])
        return told

    assert stage.returned(run) == [
        *("RuntimeError", "ValueError", "TypeError", "<locked _thread.lock"),
        *("RuntimeError", "ValueError", "TypeError", "<locked _thread.RLock"),
    ]


def test_a_handler_has_effects_while_its_thread_waits_for_a_lock(stage: Stage) -> None:
    """A signal comes in the middle of the wait: its handler writes, and the wait goes on."""

    def run() -> list[str]:
        lock = threading.Lock()
        signal.signal(signal.SIGUSR1, lambda *came: (stage.shared / "came").write_text("yes") and None)

        def hold() -> None:
            with lock:
                (stage.shared / "begun").write_text("a")
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                (stage.shared / "went on").write_text("b")

        thread = threading.Thread(target=hold)
        thread.start()
        with lock:
            return sorted(path.name for path in stage.shared.iterdir())

    assert stage.returned(run) == ["begun", "came", "went on"]


def test_a_lock_that_is_not_ours_is_named(tmp_path: Path) -> None:
    """Who gets it is the machine's affair: the statement says where it is, and not that it is exhaustive."""

    def work(shared: Path, lock: Any) -> None:
        def write(name: str) -> None:
            with lock:  # plain
                (shared / name).mkdir(exist_ok=True)

        threads = [threading.Thread(target=write, args=(name,), name=name) for name in NAMES[:2]]
        with lock:
            for thread in threads:
                thread.start()
            (shared / "main").mkdir(exist_ok=True)
        for thread in threads:
            thread.join()

    def agent(make: Callable[[], Any]) -> Any:
        def explore(chaos: Chaos, folder: Path) -> None:
            (folder / "shared").mkdir()
            chaos.watch(folder / "shared")
            chaos.explore(run=lambda: work(folder / "shared", make()), allow=lambda world: True)

        return SimpleNamespace(explore=explore)

    plain = explored(agent(_thread.allocate_lock), tmp_path / "a", **only("process.kill"))
    assert plain.unordered == (f"a lock at test_locks.py:{line_of(__file__, 'with lock:  # plain')}",)
    assert "left to the machine: a lock at" in plain.statement
    ours = explored(agent(lambda: threading.Lock()), tmp_path / "b", **only("process.kill"))
    assert ours.unordered == ()


def test_a_process_that_waits_for_its_threads_at_its_end_is_at_no_lock(tmp_path: Path) -> None:
    """Python's own lock of a thread that ends is nobody's but the process's: nothing is left to the machine there."""

    def explore(chaos: Chaos, folder: Path) -> None:
        (folder / "shared").mkdir()
        chaos.watch(folder / "shared")

        def write(name: str) -> None:
            (folder / "shared" / name).mkdir(exist_ok=True)

        def run() -> None:
            for name in NAMES[:2]:
                threading.Thread(target=write, args=(name,), name=name).start()

        chaos.explore(run=run, allow=lambda world: True)

    found = explored(SimpleNamespace(explore=explore), tmp_path / "a", **only("process.kill"))
    assert found.unordered == ()
    assert "left to the machine" not in found.statement


def _polled(shared: Path, ask: Callable[[Path], int], writes: Callable[[Path, str], None]) -> None:
    ask(shared)
    threads = [threading.Thread(target=writes, args=(shared, name), name=name) for name in NAMES[:2]]
    for thread in threads:
        thread.start()
    while ask(shared) < 2:
        time.sleep(0.1)
    for thread in threads:
        thread.join()


def _in_a_transaction(shared: Path, name: str) -> None:
    with closing(sqlite3.connect(shared / "words.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT OR IGNORE INTO words VALUES (?)", (name,))
        connection.execute("COMMIT")


def _words(shared: Path) -> int:
    with closing(sqlite3.connect(shared / "words.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY)")
        return int(connection.execute("SELECT count(*) FROM words").fetchone()[0])


_turnstile = threading.Lock()


def _under_a_timed_lock(shared: Path, name: str) -> None:
    assert _turnstile.acquire(timeout=5), "nobody has it for so long"
    try:
        (shared / name).mkdir(exist_ok=True)
        (shared / name / "done").mkdir(exist_ok=True)
    finally:
        _turnstile.release()


def _done(shared: Path) -> int:
    return len(list(shared.glob("*/done")))


@pytest.mark.parametrize(("ask", "writes"), [(_words, _in_a_transaction), (_done, _under_a_timed_lock)])
def test_an_order_that_cannot_come_is_held_in_vain(ask: Any, writes: Any, tmp_path: Path) -> None:
    """One thread is held in the middle of what the other one waits for, and a third polls: that is no fault of its."""

    def explore(chaos: Chaos, folder: Path) -> None:
        (folder / "shared").mkdir()
        chaos.watch(folder / "shared")
        chaos.explore(run=lambda: _polled(folder / "shared", ask, writes))

    result = explored(SimpleNamespace(explore=explore), tmp_path / "a", **only("process.kill"))
    assert breaks(result) == set()
    assert result.skipped["held_in_vain"] > 0
    assert result.errors == result.flaky == ()


def test_who_computes_is_in_flight_whatever_its_line_reads(stage: Stage) -> None:
    """A dict is asked without end while another thread has an effect: that goes on in real time, which is said."""

    def run() -> None:
        known = dict[str, bool]()

        def ask() -> None:
            while not known.get("a is there"):
                pass
            (stage.own / "b").mkdir()

        thread = threading.Thread(target=ask)
        thread.start()
        (stage.own / "a").mkdir()
        known["a is there"] = True
        thread.join()

    process = stage.run_process(run)
    assert [str(injection) for injection in other_interleavings(process)[0]] == ["order.swap@file.mkdir:own/a#1:before"]
    assert any(what.startswith("an order beside a thread that computes for more than") for what in process.unordered)


def test_who_waits_for_a_signal_is_not_in_flight(stage: Stage) -> None:
    """Neither at an event, nor at a queue of either kind: another thread must act first."""

    def run() -> None:
        event, items, simple = threading.Event(), queue.Queue[int](), queue.SimpleQueue[int]()
        waits = {"a": event.wait, "b": items.get, "c": simple.get}

        def work(name: str) -> None:
            waits[name]()
            (stage.own / name).mkdir()

        threads = [threading.Thread(target=work, args=(name,)) for name in waits]
        for thread in threads:
            thread.start()
        for tell, thread in zip((event.set, lambda: items.put(1), lambda: simple.put(1)), threads, strict=True):
            (stage.own / f"before {thread.name}").mkdir()
            tell()
            thread.join()

    assert other_interleavings(stage.run_process(run)) == ((), set())
