"""Virtual time in a child process: it moves when the agent waits, and a little with every effect.

The wall clock is time-machine's, down to ``datetime`` in C. Monotonic clocks, sleeps, timed waits and the timers of
asyncio, which it leaves alone, are moved here. All of them are waits until a virtual time: when nothing in the process
can happen any more, the earliest of these times has come (the rule of every discrete simulation; madsim and turmoil do
the same for their schedulers). A loop that only looks at the clock again and again is a wait too: see `Clock.read`.
"""

import asyncio
import functools
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import time_machine

from .. import patching
from ..adapters import python_asyncio, python_processes, python_threads, time_machine_clock
from ..gate import Gate
from ..process import callers
from . import actors
from .critical_section import CriticalSection
from .idleness import Idleness

_real_sleep, _real_monotonic = time.sleep, time.monotonic
_STEP_S = 0.001
_YIELD_S = 0.0005
"""Real seconds of a wait of no time beside other threads, who are to go on meanwhile."""
_EPOCH_OF_MONOTONIC = 1_600_000_000
_FREE_READS = 200
_READS_SCALE = 5000
_PATCHED = (
    "sleep",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "clock_gettime",
    "clock_gettime_ns",
)


def _no() -> bool:
    return False


def originals() -> list[object]:
    """Return the functions that agents may have imported by name."""
    return [asyncio.sleep, *(getattr(time, name) for name in _PATCHED)]


class Clock:
    """The virtual clock of one process; `now` in seconds since the epoch."""

    def __init__(self) -> None:
        self._now = 0.0
        self._travel = time_machine.travel(self._now, tick=False)
        self._traveller = self._travel.start()
        time_machine_clock.count_reads(self._traveller, self.read)
        self._reads = 0
        self._lived_until, self._lived_s = 0.0, 0.0
        self._lock = CriticalSection()
        self._idleness = Idleness()
        self._resume: Callable[[], None] = lambda: None

    def begin(self, start: float) -> None:
        """Set the time, seconds since the epoch, at which this process starts."""
        self._move(start)
        self._reads = 0
        self._lived_s = 0.0

    def watch(self, gate: Gate, program_at_work: Callable[[], bool]) -> None:
        """Connect the clock to the gate: threads that wait for the parent, running programs, answers of the network."""
        self._idleness = Idleness(
            gate.others_waiting_for_parent,
            program_at_work,
            gate.expecting,
            gate.real_connections.expecting,
            gate.left_to_the_machine,
        )
        self._resume = gate.resume

    def now(self) -> float:
        """Return the virtual time in seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the virtual time on by `seconds` (0 or more)."""
        with self._lock:
            self._move(self._now + max(0.0, seconds))
            self._reads = 0

    def tick(self) -> bool:
        """Move the virtual time on by that of one effect; returns whether the timer of another thread is due."""
        self.advance(_STEP_S)
        return self._idleness.is_due(self._now)

    def read(self) -> None:
        """Count a look at the clock.

        A thread that looks hundreds of times and does nothing else waits for a time (``while time.time() < deadline:
        pass``). The clock then moves with each look, by cubes: 8 ms in the first thousand, a second in the first five
        thousand, two hours in a hundred thousand. That ends such a loop at once and hardly moves an honest one, and
        since looks are counted and no real time is asked, the same schedule still gives the same bytes.
        """
        with self._lock:
            self._reads += 1
            if self._reads <= _FREE_READS or (self._reads % 256 == 0 and not self._idleness.now()):
                return
            self._move(self._now + 3 * self._reads**2 / _READS_SCALE**3)

    def wait_until(self, timestamp: float, happens: Callable[[float], bool], sleeps: Callable[[], bool] = _no) -> bool:
        """Wait until `happens` returns True, or until `timestamp` (virtual) has come; returns whether it happened.

        `happens` waits for it, for as many real seconds as it is given (0: not at all). `sleeps` says whether nothing
        but the time is waited for, so that no real server can make it happen.
        """
        timestamp = math.ceil(timestamp * 1e6) / 1e6  # never a fraction of a microsecond that the clock cannot reach
        if timestamp <= self._now:
            # A wait for no time at all still lets other threads go on.
            return happens(_YIELD_S if threading.active_count() > 1 else 0)
        for_sleep = happens is nothing_happens
        began = _real_monotonic()
        with self._idleness.waiting(timestamp, timestamp - self._now, sleeps, for_sleep=for_sleep) as waiting:
            while not (happened := happens(0)) and self._now < timestamp:
                if waiting.may_end():
                    if happened := happens(0):  # the last one that was at work has just done it
                        break
                    with self._lock:
                        self._move(max(self._now, timestamp))
                        self._reads = 0
                        self._lived_until = _real_monotonic()
                elif happened := happens(waiting.SLICE_S):
                    break
        if not happened:
            self._resume()  # others may have waited for the same time
        elif waiting.for_real:
            self._live_through(began)
        return happened

    def _live_through(self, began: float) -> None:
        """Move the virtual time on by the real time that a real server took since `began`, once for all threads.

        Whole seconds only: servers that answer soon leave no trace of how soon. But one that always says a little more
        must not keep a deadline from coming.
        """
        with self._lock:
            now = _real_monotonic()
            self._lived_s += now - max(began, self._lived_until)
            self._lived_until = now
            whole = int(self._lived_s)
            self._lived_s -= whole
            self._move(self._now + whole)

    def wait(self, seconds: float, happens: Callable[[float], bool]) -> bool:
        """Wait until something happens, for so many virtual seconds at most; says whether it did."""
        return self.wait_until(self._now + seconds, happens)

    def settle(self) -> None:
        """Wait, in real time, until each other thread has come to where it waits."""
        self._idleness.settle()

    def _move(self, timestamp: float) -> None:
        self._now = round(timestamp, 6)
        self._traveller.move_to(self._now)


actors.goes_on_by_itself(Clock.wait_until)


def install(gate: Gate, clock: Clock, program_at_work: Callable[[], bool]) -> None:
    """Make waiting free and time virtual. For a child process: there is no way back."""
    clock.watch(gate, program_at_work)

    def monotonic() -> float:
        clock.read()
        return clock.now() - _EPOCH_OF_MONOTONIC

    def sleep(seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        gate.poll()
        clock.wait_until(clock.now() + seconds, nothing_happens)

    def monotonic_ns() -> int:
        return round(monotonic() * 1e9)

    replacements: dict[str, Callable[..., Any]] = {
        "sleep": sleep,
        "monotonic": monotonic,
        "perf_counter": monotonic,
        "monotonic_ns": monotonic_ns,
        "perf_counter_ns": monotonic_ns,
    }
    python_processes.keep_real_time()
    for name, replacement in replacements.items():
        patching.replace(time, name, functools.partial(_instead, replacement))
    for name, replacement in (("clock_gettime", monotonic), ("clock_gettime_ns", monotonic_ns)):
        patching.replace(time, name, functools.partial(_by_id, replacement))
    python_threads.tell_time(monotonic)
    _virtual_threads(gate, clock)
    _virtual_asyncio(gate, clock)


def _instead(replacement: Callable[..., Any], original: object) -> Callable[..., Any]:
    return replacement


def _by_id(monotonic: Callable[[], Any], original: Callable[[int], Any]) -> Callable[[int], Any]:
    names = ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_MONOTONIC_COARSE", "CLOCK_BOOTTIME")
    ids = {getattr(time, name) for name in names if hasattr(time, name)}
    return lambda clk_id: monotonic() if clk_id in ids else original(clk_id)


def nothing_happens(seconds: float) -> bool:
    """Sleep `seconds` of real time and return False: the `happens` of a plain sleep."""
    _real_sleep(seconds)
    return False


def _virtual_threads(gate: Gate, clock: Clock) -> None:
    """Make timed waits of threads virtual: conditions (with them events, queues, futures, semaphores) and joins."""
    thread: Any = threading.Thread
    join = thread.join

    def timed(timeout: float, happens: Callable[[float], bool]) -> bool:
        if clock.wait_until(clock.now() + max(0.0, timeout), happens):
            return True
        gate.poll()
        return False

    def join_(self: Any, timeout: float | None = None) -> None:
        if timeout is None:
            join(self)
        else:
            timed(timeout, lambda seconds: join(self, seconds) or not self.is_alive())

    python_threads.at_a_glance(lambda: timed(0, nothing_happens))
    thread.join = join_


def _virtual_asyncio(gate: Gate, clock: Clock) -> None:
    """Make the timers of asyncio virtual: if a loop would wait for one and nothing else can happen, it is due."""

    def sleeping(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        async def sleep(delay: float, result: Any = None) -> Any:
            if delay > 0 and gate.active and not callers.library_alone():
                # Only in the agent's own tasks: a task can be cancelled while it sleeps, a library's is not.
                with gate.scheduler.token("clock", "sleep", "asyncio"):
                    gate.arrive("clock", "sleep", "asyncio").phase("before", looks=False)
            return await original(delay, result)

        return sleep

    patching.replace(asyncio, "sleep", sleeping)
    asyncio.tasks.sleep = asyncio.sleep

    def virtual(loop: Any, selector: Any) -> None:
        select = selector.select

        def virtual_select(timeout: float | None = None) -> Any:
            if timeout is None or timeout <= 0:
                return select(timeout)
            events: list[Any] = []

            def happens(seconds: float) -> bool:
                events.extend(select(seconds))
                return bool(events)

            if not clock.wait_until(clock.now() + timeout + 1e-6, happens, lambda: python_asyncio.only_sleeps(loop)):
                gate.poll()
            return events

        selector.select = virtual_select

    python_asyncio.watch_selectors(virtual)
