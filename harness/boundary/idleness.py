"""Whether anything in this process can still happen before the next timer: what decides when virtual time moves."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_real_monotonic, _real_process_time, _real_sleep = time.monotonic, time.process_time, time.sleep
_real_open, _real_listdir = open, os.listdir
_LOOKS = 3
_SETTLING_CPU_S = 0.1
"""Seconds that the threads of this process may compute before one of them is taken for one that never rests."""
_SETTLING_S = 3.0
"""Real seconds, at most, for the same: on a busy machine threads wait long for so much time of a processor."""
_PATIENCE_S = 3.0
"""Real seconds that a thread may compute while another waits; then time passes as it would without the harness."""
_PATIENCE_WITH_PROGRAMS_S = 10.0
"""Real seconds, at most, of a wait while a program of the agent's runs, which lives in real time."""


def _no() -> bool:
    return False


class Waiting:
    """One thread that waits until a moment, for some virtual seconds."""

    SLICE_S = 0.0005

    def __init__(self, idleness: "Idleness", moment: float, seconds: float, heeds: Callable[[], bool]) -> None:
        self._idleness, self.moment, self._heeds = idleness, moment, heeds
        self._with_programs_s = min(seconds, _PATIENCE_WITH_PROGRAMS_S)
        self._began = _real_monotonic()
        self._quiet_looks = 0
        self._change = -1
        self.looks = 0

    def may_end(self) -> bool:
        """Say whether nothing else can happen first; to be asked again and again."""
        idleness = self._idleness
        self.looks += 1
        if idleness.program_at_work():
            return _real_monotonic() - self._began >= self._with_programs_s
        if threading.active_count() < 2 and not idleness.others_inside():
            return not self._heeds()
        if not idleness.is_first(self):
            self._began = _real_monotonic()
            return False
        if idleness.now() and self._change == idleness.changes:
            self._quiet_looks += 1
        else:
            self._quiet_looks, self._change = 0, idleness.changes
        if self._quiet_looks >= _LOOKS and idleness.expecting():
            self._quiet_looks = 0
        return self._quiet_looks >= _LOOKS or _real_monotonic() - self._began > _PATIENCE_S


class Idleness:
    """The threads of this process: who waits, who computes.

    Args:
        others_inside: says whether another thread waits for the parent's answer: it looks asleep, and is not.
        program_at_work: says whether a program that the agent started goes on by itself.
        expecting: says whether a real service works on an answer, which will come in real time.
    """

    def __init__(
        self,
        others_inside: Callable[[], bool] = _no,
        program_at_work: Callable[[], bool] = _no,
        expecting: Callable[[], bool] = _no,
    ) -> None:
        self.others_inside, self.program_at_work, self.expecting = others_inside, program_at_work, expecting
        self.changes = 0
        self._waiting: dict[int, Waiting] = {}
        self._lock = threading.Lock()

    @contextmanager
    def waiting(self, moment: float, seconds: float, *, for_sleep: bool) -> Iterator[Waiting]:
        """Be a thread that waits until `moment`, `seconds` from now; a sleep does not heed what the network brings."""
        own = threading.get_native_id()
        waiting = Waiting(self, moment, seconds, _no if for_sleep else self.expecting)
        with self._lock:
            self._waiting[own] = waiting
            self.changes += 1
        try:
            yield waiting
        finally:
            with self._lock:
                del self._waiting[own]
                self.changes += 1

    def is_first(self, waiting: Waiting) -> bool:
        """Say whether nobody waits for an earlier moment."""
        with self._lock:
            return all(waiting.moment <= other.moment for other in self._waiting.values())

    def now(self) -> bool:
        """Say whether no other thread computes or acts at this instant."""
        if threading.active_count() < 2:
            return True
        return not self.others_inside() and not self._others_compute()

    def settle(self) -> None:
        """Wait until nobody else computes, in real time and not for long.

        Who waits for a moment has looked since whether what it waits for has happened.
        """
        end, cpu_end = _real_monotonic() + _SETTLING_S, _real_process_time() + _SETTLING_CPU_S
        quiet_looks, change, looked = 0, -1, dict[Waiting, int]()
        while _real_monotonic() < end and _real_process_time() < cpu_end:
            if not self.now() or change != self.changes:
                quiet_looks, change, looked = 0, self.changes, self._looks()
            elif quiet_looks < _LOOKS:
                quiet_looks += 1
            if quiet_looks >= _LOOKS and all(one.looks >= before + 2 for one, before in looked.items()):
                return
            _real_sleep(0.0002)

    def _looks(self) -> dict[Waiting, int]:
        with self._lock:
            return {waiting: waiting.looks for waiting in self._waiting.values()}

    def _others_compute(self) -> bool:
        idle = {str(number) for number in [threading.get_native_id(), *list(self._waiting)]}
        try:
            return any(_computes(task) for task in _real_listdir("/proc/self/task") if task not in idle)
        except OSError:
            return False


def _computes(task: str) -> bool:
    try:
        with _real_open(f"/proc/self/task/{task}/stat", "rb") as stat:
            return stat.read().rpartition(b") ")[2][:1] in (b"R", b"D")
    except OSError:
        return False
