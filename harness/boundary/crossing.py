"""One passage of an effect through the gate: the phases at which the parent looks and a fault strikes."""

import os
from copy import copy
from typing import TYPE_CHECKING

from ..values.points import Point, When
from ..values.strikes import AHEAD, Fail, Kill
from .armed import Armed
from .channel import Crossed
from .companions import doer
from .tearing import middle_of

if TYPE_CHECKING:
    from .gate import Gate

_real_getpid = os.getpid


class Crossing:
    """One passage through the gate."""

    __slots__ = ("gate", "point", "size")

    def __init__(self, gate: "Gate", point: Point, size: int) -> None:
        self.gate, self.point, self.size = gate, point, size

    def moment(self, when: When, *, looks: bool = True) -> Armed | None:
        """Let the parent look, then strike: die, raise, or return what only the caller can carry out, and confirm."""
        gate = self.gate
        if gate.trace and looks:
            with gate.inside():
                gate.channel.ask(Crossed(self.point, when, gate.now(), self.size, doer(gate.awaits)))
        ahead = AHEAD if when == "after" else ()
        armed = gate.due(self.point, when, lambda strike: not isinstance(strike, ahead))
        if armed is None:
            return None
        if isinstance(armed.strike, Kill):
            gate.fired(armed)
            gate.die()
        if isinstance(armed.strike, Fail) and when != "middle":
            gate.fired(armed)
            raise copy(armed.strike.error)
        return armed

    def changed_answer(self) -> Armed | None:
        """Return what makes the other side do or say something else here; to be asked before it acts."""
        return self.gate.due(self.point, "after", lambda strike: isinstance(strike, AHEAD))

    @property
    def tears(self) -> bool:
        """Whether a write must be made in two parts here."""
        return self.size > 1 and (self.gate.trace or self.gate.expects(self.point, "middle"))

    def first_part(self, data: memoryview) -> memoryview:
        """Return what of a write reaches the disk before its middle."""
        return data[: middle_of(data, _real_getpid())]
