"""Count how the runs that a fault struck ended, how long they took from the fault on, and what they asked models again.

A struck run is a schedule with a fault, carried out or merged: one that is merged counts as the one that stands for it
ended. Another order without a fault is none, and one that could not be judged has no end.

- **How it ended**: see `values.struck.ENDS`. Of a process that is called again after an error, the broken end counts.
- **Recovery time** is virtual: from the last crash, or where there is none from the first fault in the schedule's own
  processes, to the end of the last of them, ordinary work that was left to do and waiting included. Where a fault in a
  recovery follows an error, it begins where the run ended that the error left. Stuck runs have no time; nor have faults
  on a real connection where nobody looked.
- **Model calls again** are requests that a model answered, beyond those of the fault-free run: of each request as many
  are owed as the fault-free run asks from the first fault on, and all further ones were made again. Of several crashes
  the last recovery counts, not what the ones asked that were killed. A request that was refused costs nothing; one
  whose answer was lost does. **Tokens again** are those of these requests and their answers (`model_calls`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..values.schedule import SWAP, Injection, Schedule
from ..values.struck import Struck, in_digits
from .judge import Judgement
from .model_calls import ModelCall
from .process_runs import OWN_PROCESSES, RESTART_S, ProcessRun

_STUCK = {"terminates", "recovery_succeeds"}


@dataclass(slots=True)
class StruckRuns:
    """Adds the struck runs up; `first` is the fault-free run."""

    first: ProcessRun
    ends: Counter[str] = field(default_factory=Counter)
    times: Counter[float] = field(default_factory=Counter)
    calls: int = 0
    tokens: int = 0

    def add(self, schedule: Schedule, judgement: Judgement, count: int = 1) -> None:
        """Count `count` schedules that ended so."""
        end = _end(judgement) if schedule.faults else ""
        if not end:
            return
        self.ends[end] += count
        own = [process for process in judgement.executions if process.role in OWN_PROCESSES]
        last = _since_the_last_crash(own)
        seconds = _seconds(last) if end != "stuck" else None
        if seconds is not None:
            self.times[in_digits(seconds)] += count
        if self.first.model_calls or any(process.model_calls for process in last):
            again = self._again(schedule, last, whole=len(last) == len(own) and own[0].role == "run")
            self.calls += count * len(again)
            self.tokens += count * sum(call.tokens for call in again)

    def so_far(self) -> Struck:
        """Return what was counted."""
        return Struck(dict(self.ends), dict(self.times), self.calls, self.tokens)

    def _again(self, schedule: Schedule, processes: Sequence[ProcessRun], *, whole: bool) -> list[ModelCall]:
        """Return the calls that were made again; `whole` says that the processes begin with the run itself."""
        owed = Counter(call.asked for call in self.first.model_calls.values())
        if not whole:
            fault = next(injection for injection in schedule.injections if injection.fault != SWAP)
            owed -= Counter(call.asked for call in self._until(fault))
        again = []
        for call in (call for process in processes for call in process.model_calls.values()):
            owed[call.asked] -= 1
            if owed[call.asked] < 0:
                again.append(call)
        return again

    def _until(self, fault: Injection) -> list[ModelCall]:
        """Return the calls that the fault-free run makes before a fault."""
        points = self.first.points
        until = points.index(fault.point) + (fault.when == "after") if fault.point in points else 0
        return [self.first.model_calls[point] for point in points[:until] if point in self.first.model_calls]


def _end(judgement: Judgement) -> str:
    """Return how a run ended; "" where that could not be judged."""
    if judgement.broken:
        return "wrong" if _STUCK.isdisjoint(judgement.invariants) else "stuck"
    if judgement.errors:
        return ""
    if not judgement.from_done:
        return "done"
    return "handed over" if judgement.from_before else "rolled back"


def _since_the_last_crash(processes: Sequence[ProcessRun]) -> Sequence[ProcessRun]:
    crashed = max((n for n, process in enumerate(processes, 1) if process.outcome.kind == "killed"), default=0)
    return processes[crashed:]


def _seconds(processes: Sequence[ProcessRun]) -> float | None:
    """Return the virtual time from the fault to the end of the last process; None where that of the fault is unknown.

    The clocks of two processes are not compared unless one was started for the other: a recovery may stand for others.
    """
    since = _since(processes)
    if since is None:
        return None
    seconds = processes[0].end.clock - since
    for before, process in pairwise(processes):
        waited = process.start.clock - before.end.clock if before.role == "recover early" else RESTART_S
        seconds += waited + process.end.clock - process.start.clock
    return max(0.0, seconds)


def _since(processes: Sequence[ProcessRun]) -> float | None:
    """Return the virtual time from which recovery counts; None where it is not known."""
    if not processes:
        return None
    first = processes[0]
    if first.role != "run":
        return first.start.clock - RESTART_S
    faults = [one for one in first.plan if one.injection.fault != SWAP]
    struck = [first.strikes[one.position].clock for one in faults if one.position in first.strikes]
    looked = [first.times[one.injection.point] for one in faults if one.injection.point in first.times]
    return min(struck or looked, default=None)
