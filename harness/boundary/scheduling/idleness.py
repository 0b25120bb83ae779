"""Whether anything in this process can still happen before the next timer: what decides when virtual time moves."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...values.proc_stat import proc_stat
from ...values.rare import rare
from ...values.real_time import COMPUTING_S, PROGRAM_S, SETTLING_CPU_S, SETTLING_S
from .critical_section import CriticalSection

_real_monotonic, _real_process_time, _real_sleep = time.monotonic, time.process_time, time.sleep
_real_listdir = os.listdir
# One look proves nothing: a thread that was just woken still looks asleep.
_LOOKS = 3
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def _no() -> bool:
    return False


def _never(sleeps: Callable[[], bool]) -> bool:
    return False


def _told_nobody(text: str) -> None:
    pass


class Waiting:
    """One thread that waits until a virtual time.

    Attributes:
        for_real: whether it has waited in real time, for a real server.
        looks: how often it has looked whether it may go on.
    """

    SLICE_S = 0.0005

    def __init__(
        self,
        idleness: "Idleness",
        timestamp: float,
        seconds: float,
        heeds: Callable[[], bool],
        sleeps: Callable[[], bool],
    ) -> None:
        self._idleness, self.timestamp, self._heeds, self._sleeps = idleness, timestamp, heeds, sleeps
        self._seconds = seconds
        self._begin()
        self.for_real = False
        self._quiet_looks = 0
        self._change = -1
        self.looks = 0

    def may_end(self) -> bool:
        """Return whether nothing else can happen first; to be asked again and again."""
        idleness = self._idleness
        self.looks += 1
        if idleness.program_at_work():
            # A program has no virtual time: beside one, a wait takes its real time.
            return self._is_over_beside_a_program()
        if idleness.real_server_at_work(self._sleeps):
            # A real server has no virtual time either.
            self.for_real = True
            return self._waited_s() >= self._seconds
        # A single thread: nothing can happen but what the network brings.
        if threading.active_count() < 2 and not idleness.others_waiting_for_parent():
            return not self._heeds()
        if not idleness.is_first(self):
            self._begin()
            return False
        # A thread began to wait for a time, or went on: what was seen before is no sign of rest.
        if self._change != idleness.changes:
            self._quiet_looks, self._change = 0, idleness.changes
            self._begin()
        else:
            self._quiet_looks = self._quiet_looks + 1 if idleness.now() else 0
        # All threads rest, and a real service still works on an answer: that comes in real time, so the timer has to
        # wait.
        if self._quiet_looks >= _LOOKS and idleness.expecting():
            self._quiet_looks = 0
        # A thread that computes for seconds may never rest; then real time decides, and the claim says so.
        if self._quiet_looks < _LOOKS and _real_process_time() - self._since[1] > COMPUTING_S:
            idleness.decided(f"a wait beside a thread that computes for more than {COMPUTING_S:g} s")
            return True
        return self._quiet_looks >= _LOOKS

    def _begin(self) -> None:
        self._since = _real_monotonic(), _real_process_time()

    def _waited_s(self) -> float:
        return _real_monotonic() - self._since[0]

    def _is_over_beside_a_program(self) -> bool:
        waited_s = self._waited_s()
        if self._seconds > PROGRAM_S and waited_s >= PROGRAM_S:
            self._idleness.decided(f"a wait of more than {PROGRAM_S:g} s beside a program")
            return True
        return waited_s >= self._seconds


class Idleness:
    """Tells whether any thread of this process can still act before the next timer.

    Args:
        others_waiting_for_parent: says whether another thread waits for the parent's answer: it looks asleep, and is
            not.
        program_at_work: says whether a program that the agent started goes on by itself.
        expecting: says whether a real service works on an answer, which will come in real time.
        real_server_at_work: says whether somebody may wait for a real server behind no relay of the harness; is given
            what says that the current thread only sleeps.
        decided: is told what real time decided, and not the harness.
    """

    def __init__(
        self,
        others_waiting_for_parent: Callable[[], bool] = _no,
        program_at_work: Callable[[], bool] = _no,
        expecting: Callable[[], bool] = _no,
        real_server_at_work: Callable[[Callable[[], bool]], bool] = _never,
        decided: Callable[[str], object] = _told_nobody,
    ) -> None:
        self.decided, self.real_server_at_work = decided, real_server_at_work
        self.others_waiting_for_parent, self.program_at_work, self.expecting = (
            others_waiting_for_parent,
            program_at_work,
            expecting,
        )
        self.changes = 0
        self._waiting: dict[int, Waiting] = {}
        self._restless: set[str] = set()
        self._lock = CriticalSection()

    @contextmanager
    def waiting(
        self, timestamp: float, seconds: float, sleeps: Callable[[], bool], *, for_sleep: bool
    ) -> Iterator[Waiting]:
        """Register the current thread as waiting until `timestamp`, `seconds` from now.

        A plain sleep ignores pending answers of the network. `sleeps` says whether all tasks of a loop do no more than
        that: then real servers are ignored.
        """
        own = threading.get_native_id()
        heeds, sleeps = (_no, lambda: True) if for_sleep else (self.expecting, sleeps)
        waiting = Waiting(self, timestamp, seconds, heeds, sleeps)
        with self._lock:
            outer = self._waiting.get(own)  # where this is a signal handler's wait
            self._waiting[own] = waiting
            self.changes += 1
        try:
            yield waiting
        finally:
            with self._lock:
                if outer is None:
                    del self._waiting[own]
                else:
                    self._waiting[own] = outer
                self.changes += 1

    def is_first(self, waiting: Waiting) -> bool:
        """Return whether no other thread waits for an earlier time."""
        with self._lock:
            return all(waiting.timestamp <= other.timestamp for other in self._waiting.values())

    def is_due(self, timestamp: float) -> bool:
        """Return whether the timer of another thread is due."""
        return any(waiting.timestamp <= timestamp for waiting in self._others_waiting())

    def now(self) -> bool:
        """Return whether no other thread computes or acts at this instant."""
        if threading.active_count() < 2:
            return True
        return not self.others_waiting_for_parent() and not self._computing()

    def settle(self) -> None:
        """Wait in real time, up to SETTLING_S, until no other thread computes.

        Every thread that waits for a time has looked since then whether what it waits for has happened.
        """
        end, quiet_looks, change = _real_monotonic() + SETTLING_S, 0, -1
        used, looked = dict[str, int](), dict[Waiting, int]()
        while _real_monotonic() < end:
            if not self._rests(used) or change != self.changes:
                quiet_looks, change, looked = 0, self.changes, {one: one.looks for one in self._others_waiting()}
            else:
                quiet_looks += 1
            # A thread that waits for a time rests only when it has looked since, and what it waits for has not come. A
            # look is counted when it begins: only with the second one has one begun and ended since.
            if quiet_looks >= _LOOKS and all(one.looks >= before + 2 for one, before in looked.items()):
                break
            _real_sleep(0.0002)
        else:
            self.decided(f"an order beside threads that do not rest within {SETTLING_S:g} s")
        # Threads that count quiet looks start over: the one that is chosen now goes on, and may wake them.
        self.changes += 1

    def _rests(self, used: dict[str, int]) -> bool:
        """Return whether only threads compute that never rest.

        `used` keeps each thread's processor time at the first look.
        """
        computing = self._computing()
        # One that has stopped computing may come to rest, and is waited for again.
        self._restless &= computing.keys()
        restless = {
            task
            for task, ticks in computing.items()
            if ticks - used.setdefault(task, ticks) > SETTLING_CPU_S * _TICKS_PER_S
        }
        if restless:
            rare("an order is decided beside a thread that computes")
            self.decided(f"an order beside a thread that computes for more than {SETTLING_CPU_S:g} s")
        self._restless |= restless
        return not self.others_waiting_for_parent() and computing.keys() <= self._restless

    def _others_waiting(self) -> list[Waiting]:
        own = threading.get_native_id()
        with self._lock:
            return [waiting for number, waiting in self._waiting.items() if number != own]

    def _computing(self) -> dict[str, int]:
        """Return the ticks of processor time of each other thread that computes, by its number."""
        idle = {str(number) for number in [threading.get_native_id(), *list(self._waiting)]}
        try:
            # From outside, as the kernel sees it: Python cannot say whether a thread of native code computes.
            looks = {task: _ticks(task) for task in _real_listdir("/proc/self/task") if task not in idle}
        except OSError:
            return {}
        return {task: ticks for task, ticks in looks.items() if ticks is not None}


def _ticks(task: str) -> int | None:
    """Return for how many ticks of a processor's time a thread has computed; None for one that does not now."""
    try:
        stat = proc_stat(f"self/task/{task}")
    except OSError:
        return None
    # R computes, or would; D waits for a disk and goes on by itself. Anything else sleeps.
    return stat.used if stat.state in "RD" else None
