"""One passage of an effect through the gate: the phases in which the parent looks and a fault fires."""

import os
import threading
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from ..values.actions import AHEAD, Fail, Kill
from ..values.points import Phase, Point
from ..values.protocol import PhaseReached, PointOutcome
from .media.tearing import middle_of
from .media.transport import TransportFault
from .resolved import ResolvedInjection
from .scheduling.actors import actor_kind

if TYPE_CHECKING:
    from .gate import Gate

_real_getpid = os.getpid


class _Current(threading.local):
    """The crossing that a thread has begun last."""

    crossing: "Crossing | None" = None


_current = _Current()


class Crossing:
    """One point that the agent has reached, and the phases of its effect.

    Attributes:
        outcome: how the effect went, for people ("201", "3 rows"); set by the adapter of its medium before the phase
            after it, "" where there is no more to say than that it is done.
    """

    __slots__ = ("gate", "outcome", "point", "size")

    def __init__(self, gate: "Gate", point: Point, size: int) -> None:
        self.gate, self.point, self.size, self.outcome = gate, point, size, ""
        _current.crossing = self

    def phase(self, when: Phase, *, looks: bool = True) -> ResolvedInjection | None:
        """Wait until the parent has looked, then fire: die, raise, or return the injection to the caller."""
        gate = self.gate
        if gate.trace and looks:
            with gate.waiting_for_parent():
                # The process stands still until the parent has looked: what it sees is what a crash here leaves.
                outcome = self.outcome if when == "after" else ""
                gate.channel.ask(
                    PhaseReached(self.point, when, gate.now(), self.size, actor_kind(gate.awaits), outcome)
                )
        # Such an action fires after the effect, but `changed_answer` took it before: the other side had to know it.
        ahead = AHEAD if when == "after" else ()
        resolved = gate.due(self.point, when, lambda action: not isinstance(action, ahead))
        if resolved is None:
            return None
        if isinstance(resolved.action, Kill):
            gate.fired(resolved)
            gate.die()
        # In the middle of a write the caller raises: a disk that fills up first returns a short count.
        if isinstance(resolved.action, Fail) and when != "middle":
            gate.fired(resolved)
            # A copy: a lasting fault raises it again, and one object would keep the traceback of all.
            raise copy(resolved.action.error)
        return resolved

    def changed_answer(self) -> ResolvedInjection | None:
        """Return the injection that changes the service's answer here; it must be known before the service acts."""
        return self.gate.due(self.point, "after", lambda action: isinstance(action, AHEAD))

    def ends(self, outcome: str) -> None:
        """Tell the parent of a traced run how the effect went, where no phase after it says so."""
        if self.gate.trace:
            self.gate.channel.tell(PointOutcome(self.point, outcome))

    @property
    def tears(self) -> bool:
        """Return whether a write must be made in two parts here."""
        return self.size > 1 and (self.gate.trace or self.gate.expects(self.point, "middle"))

    def first_part(self, data: memoryview) -> memoryview:
        """Return the bytes of a write that reach the disk before its middle."""
        return data[: middle_of(data, _real_getpid())]


class TellingFailure:
    """Context of one effect in a traced run: tells the parent of an exception that the effect raises."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = _current.crossing

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        crossing = _current.crossing
        if error is None or crossing is None or crossing is self._before:
            return  # no point was reached, as where a preempted thread is cancelled
        if isinstance(error, TransportFault):
            # The client's library makes an exception of its own of it, which is the one that the agent meets.
            error.becomes = partial(_raised, crossing)
            crossing.ends(error.told)
        else:
            _raised(crossing, error)


def _raised(crossing: Crossing, error: BaseException) -> None:
    text = f": {error.strerror}" if type(error) is OSError and error.strerror else ""
    crossing.ends(f"raises {type(error).__name__}{text}")
