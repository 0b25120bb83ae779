"""Time: one virtual clock, whoever asks and whoever waits."""

import asyncio
import concurrent.futures
import datetime
import functools
import os
import queue
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from time import monotonic as early_monotonic
from time import sleep as early_sleep
from typing import Any

import pytest
from rollproof.boundary.resolved import Limits

from .stage import Stage

HOUR = 3600.0


def _default(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    sleep(seconds)


class _Waiter:
    sleep = staticmethod(time.sleep)
    bare = time.sleep


async def _awaited(seconds: float) -> None:
    await asyncio.sleep(seconds)


_EARLY_LOOP = asyncio.new_event_loop()


async def _awaited_after_a_thread(seconds: float) -> None:
    await asyncio.to_thread(str)
    await asyncio.sleep(seconds)


async def _timed_out(seconds: float) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


def _empty_queue(seconds: float) -> None:
    with pytest.raises(queue.Empty):
        queue.Queue[int]().get(timeout=seconds)


def _pending_future(seconds: float) -> None:
    with pytest.raises(concurrent.futures.TimeoutError):
        concurrent.futures.Future[int]().result(timeout=seconds)


def _semaphore(seconds: float) -> None:
    assert not threading.Semaphore(0).acquire(timeout=seconds)


def _condition(seconds: float) -> None:
    condition = threading.Condition()
    with condition:
        assert not condition.wait_for(lambda: False, seconds)


def _join(seconds: float) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, daemon=True)
    thread.start()
    thread.join(seconds)
    stop.set()


def _polling(clock: Callable[[], float], pause: float, seconds: float) -> None:
    deadline = clock() + seconds
    while clock() < deadline:
        if pause:
            time.sleep(pause)


def _timer(seconds: float) -> None:
    fired = threading.Event()
    threading.Timer(seconds, fired.set).start()
    fired.wait()


WAITS: dict[str, Callable[[float], Any]] = {
    "sleep": time.sleep,
    "called by attribute": lambda s: time.sleep(s),
    "early sleep": lambda s: early_sleep(s),
    "default of a parameter": lambda s: _default(s),
    "static method": lambda s: _Waiter.sleep(s),
    "class attribute": lambda s: _Waiter().bare(s),
    "asyncio.sleep": lambda s: asyncio.run(_awaited(s)),
    "a loop made before": lambda s: _EARLY_LOOP.run_until_complete(_awaited_after_a_thread(s)),
    "asyncio.wait_for": lambda s: asyncio.run(_timed_out(s)),
    "Event.wait": lambda s: threading.Event().wait(s),
    "Queue.get": _empty_queue,
    "Future.result": _pending_future,
    "Semaphore.acquire": _semaphore,
    "Condition.wait_for": _condition,
    "Thread.join": _join,
    "Timer": _timer,
    "polling monotonic": lambda s: _polling(time.monotonic, 30.0, s),
    "busy on time": lambda s: _polling(time.time, 0, s),
    "busy on monotonic": lambda s: _polling(time.monotonic, 0, s),
    "busy on an early name": lambda s: _polling(early_monotonic, 0, s),
    "busy on perf_counter": lambda s: _polling(time.perf_counter, 0, s),
    "busy on clock_gettime": lambda s: _polling(lambda: time.clock_gettime(time.CLOCK_MONOTONIC), 0, s),
    "busy on datetime": lambda s: _polling(lambda: datetime.datetime.now().timestamp(), 0, s),
}


@pytest.mark.parametrize("way", [way for way in WAITS if way != "sleep"])
def test_an_hour_passes_on_every_clock_and_costs_nothing(way: str, stage: Stage) -> None:
    """However an agent waits, all clocks agree afterwards on how long it was."""

    def clocks() -> list[float]:
        return [
            time.time(),
            time.time_ns() / 1e9,
            datetime.datetime.now(datetime.UTC).timestamp(),
            time.monotonic(),
            time.monotonic_ns() / 1e9,
            time.perf_counter(),
            time.clock_gettime(time.CLOCK_MONOTONIC),
            time.clock_gettime(time.CLOCK_REALTIME),
        ]

    def run() -> list[float]:
        before = clocks()
        WAITS[way](HOUR)
        return [after - earlier for earlier, after in zip(before, clocks(), strict=True)]

    passed = stage.returned(run)
    assert min(passed) >= HOUR - 0.01
    assert max(passed) < HOUR * 1.1
    assert max(passed) - min(passed) < HOUR / 1000


def test_a_file_is_as_old_as_the_clock_says(stage: Stage) -> None:
    """An agent that compares a file's age with now sees one clock."""

    def run() -> list[float]:
        (stage.own / "a").write_text("x")
        time.sleep(HOUR)
        ages = [time.time() - (stage.own / "a").stat().st_mtime]
        with open(stage.own / "a", "a") as file:
            file.write("y")
        return [*ages, time.time() - (stage.own / "a").stat().st_mtime]

    old, fresh = stage.returned(run)
    assert HOUR <= old < HOUR + 1
    assert 0 <= fresh < 1


def test_a_folder_is_as_old_as_what_came_and_went_in_it(stage: Stage) -> None:
    """An agent that clears away stale folders looks at their age."""

    def age(act: Callable[[Path], Any]) -> float:
        time.sleep(HOUR)
        act(stage.own / "folder")
        return time.time() - (stage.own / "folder").stat().st_mtime

    def run() -> list[float]:
        acts: list[Callable[[Path], Any]] = [
            lambda p: p.mkdir(),
            lambda p: (p / "a").write_text("x"),
            lambda p: (p / "a").rename(p / "b"),
            lambda p: (p / "b").unlink(),
            lambda p: (p / "d").mkdir(),
            lambda p: (p / "d").rmdir(),
            lambda p: (p / "l").symlink_to("x"),
            lambda p: os.close(os.open(p / "c", os.O_CREAT | os.O_WRONLY)),
        ]
        return [age(act) for act in acts]

    ages = stage.returned(run)
    assert [age for age in ages if not 0 <= age < 1] == []


def test_waits_of_threads_overlap_and_end_in_their_order(stage: Stage) -> None:
    """Three threads that sleep 30, 10 and 20 seconds wake after 10, 20 and 30, and 30 seconds have passed."""

    def run() -> tuple[list[int], float]:
        began, woken = time.monotonic(), list[int]()

        def work(seconds: int) -> None:
            time.sleep(seconds)
            woken.append(seconds)

        threads = [threading.Thread(target=work, args=(seconds,)) for seconds in (30, 10, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return woken, time.monotonic() - began

    woken, passed = stage.returned(run)
    assert woken == [10, 20, 30]
    assert 29 < passed < 31


@pytest.mark.parametrize(("works_s", "expected"), [(1, True), (20, False)])
def test_a_wait_for_another_thread_is_judged_by_virtual_time(works_s: int, expected: bool, stage: Stage) -> None:
    """A thread that is done after one second is in time for a wait of ten, one that needs twenty is not."""

    def run() -> bool:
        done = threading.Event()
        thread = threading.Thread(target=lambda: (time.sleep(works_s), done.set()))
        thread.start()
        in_time = done.wait(10)
        thread.join()
        return in_time

    assert stage.returned(run) is expected


@pytest.mark.parametrize("act", ["compute", "write", "wait"])
def test_work_in_a_thread_does_not_time_out_falsely(act: str, stage: Stage) -> None:
    """Seconds of patience are enough for milliseconds of work, however long a timer looks at nothing."""

    def work() -> str:
        if act == "compute":
            sum(range(3_000_000))
        for number in range(20 if act == "write" else 0):
            (stage.own / f"f{number}").write_text("x" * 1000)
        if act == "wait":
            time.sleep(1)
        return "done"

    async def run() -> list[str]:
        return await asyncio.gather(*(asyncio.wait_for(asyncio.to_thread(work), 5) for _ in range(2)))

    assert stage.returned(run) == ["done", "done"]


def test_a_loop_is_true_to_its_timers(stage: Stage) -> None:
    """Tasks that sleep wake in the order of their timers, and a timeout strikes when it is earlier."""

    async def run() -> list[str]:
        order: list[str] = []

        async def sleeper(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(sleeper("late", 50))
            group.create_task(sleeper("early", 5))
            try:
                async with asyncio.timeout(20):
                    await asyncio.sleep(30)
            except TimeoutError:
                order.append("timeout")
        return order

    assert stage.returned(run) == ["early", "timeout", "late"]


def test_another_process_lives_in_real_time(stage: Stage) -> None:
    """Waiting for a subprocess with a timeout neither times out falsely nor spins: where no wait is allowed it ends."""
    stage.limits = Limits(60, 0, 2000)
    command = [sys.executable, "-c", "print('x')"]
    assert stage.returned(lambda: subprocess.run(command, capture_output=True, timeout=60).stdout) == b"x\n"


def test_an_endless_wait_is_stopped(stage: Stage) -> None:
    """Polls are bounded, though waiting is not."""
    stage.limits = Limits(60, 60, 2000)
    outcome = stage.run_process(lambda: [time.sleep(1) for _ in range(1000)]).outcome
    assert outcome.kind == "unbounded"
    assert "61 waits" in outcome.error


def test_an_honest_look_at_the_clock_does_not_move_it(stage: Stage) -> None:
    """A few hundred time stamps in a row are taken at one moment, thousands within a second."""

    def run() -> tuple[float, float]:
        began = time.time()
        few = [time.time() for _ in range(150)][-1] - began
        return few, [time.time() for _ in range(4000)][-1] - began

    few, many = stage.returned(run)
    assert few == 0
    assert 0 < many < 1


def _everything_random(folder: Path) -> None:
    lines = [
        str(time.time()),
        datetime.datetime.now().isoformat(),
        str(uuid.uuid4()),
        str(uuid.uuid1()),
        str(random.random()),
        str(random.Random().random()),
        secrets.token_hex(8),
        os.urandom(8).hex(),
        str(random.SystemRandom().random()),
        str(os.getpid() > 0),
        str(_polled()),
    ]
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
        file.write("\n".join([*lines, file.name]))
    time.sleep(random.uniform(1, 5))
    tempfile.mkdtemp(dir=folder)
    (folder / f"{uuid.uuid4()}-{time.time()}").write_bytes(random.randbytes(20))


def _polled() -> float:
    end = time.time() + 60
    while time.time() < end:
        pass
    return time.time()


def test_the_same_schedule_gives_the_same_bytes(stage: Stage) -> None:
    """Times, uuids, random numbers, secrets and temporary names are the same in two lives from the same seed."""
    run = functools.partial(_everything_random, stage.shared)
    processes = []
    for _ in range(2):
        processes.append(stage.run_process(run))
        for path in stage.shared.iterdir():
            path.rmdir() if path.is_dir() else path.unlink()
    first, second = processes
    assert first.outcome.kind == "returned", first.outcome.traceback
    assert first.end.disk == second.end.disk
    assert [(e.kind, e.mtime_ns) for k, e in sorted(first.end.disk.files.items()) if k[1]] == [
        (e.kind, e.mtime_ns) for k, e in sorted(second.end.disk.files.items()) if k[1]
    ]
    assert first.points == second.points


def test_another_process_has_another_stream(stage: Stage) -> None:
    """With one stream for all, recover would repeat run's uuid, and real bugs would vanish."""

    def run() -> list[str]:
        return [str(uuid.uuid4()), os.urandom(4).hex(), secrets.token_hex(4), str(random.random()), str(os.getpid())]

    one, other = stage.returned(run, stream="run/0"), stage.returned(run, stream="recover/1")
    assert all(a != b for a, b in zip(one, other, strict=True))
