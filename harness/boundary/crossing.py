"""One passage of an effect through the gate: the phases in which the parent looks and a fault fires."""

import os
from copy import copy
from typing import TYPE_CHECKING

from ..values.actions import AHEAD, Fail, Kill
from ..values.points import Phase, Point
from ..values.protocol import PhaseReached
from .media.tearing import middle_of
from .resolved import ResolvedInjection
from .scheduling.actors import actor_kind

if TYPE_CHECKING:
    from .gate import Gate

_real_getpid = os.getpid


class Crossing:
    """One point that the agent has reached, and the phases of its effect."""

    __slots__ = ("gate", "point", "size")

    def __init__(self, gate: "Gate", point: Point, size: int) -> None:
        self.gate, self.point, self.size = gate, point, size

    def phase(self, when: Phase, *, looks: bool = True) -> ResolvedInjection | None:
        """Let the parent look, then fire what is planned: die, raise, or return what only the caller can carry out."""
        gate = self.gate
        if gate.trace and looks:
            with gate.waiting_for_parent():
                # The process stands still until the parent has looked: what it sees is what a crash here leaves.
                gate.channel.ask(PhaseReached(self.point, when, gate.now(), self.size, actor_kind(gate.awaits)))
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

    @property
    def tears(self) -> bool:
        """Whether a write must be made in two parts here."""
        return self.size > 1 and (self.gate.trace or self.gate.expects(self.point, "middle"))

    def first_part(self, data: memoryview) -> memoryview:
        """Return the bytes of a write that reach the disk before its middle."""
        return data[: middle_of(data, _real_getpid())]
