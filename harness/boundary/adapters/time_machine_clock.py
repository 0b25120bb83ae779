"""time-machine: the calls that ask for the time, of which its own traveller does not tell.

Before 3.0 the class has another name.
"""

from collections.abc import Callable
from typing import Any

import time_machine

from .part import Adapter, found

ADAPTER = Adapter("time-machine", "3.0", "4")
COUNTING = ADAPTER.part(
    "loops that wait by looking at the clock alone are not seen",
    "time_machine:Traveller.time_ns",
    "time_machine:Traveller.move_to",
    probe=lambda: _counting(lambda: None).time_ns is not time_machine.Traveller.time_ns,
)


def count_reads(traveller: Any, read: Callable[[], None]) -> None:
    """Call `read` whenever this traveller is asked for the time."""
    if COUNTING.works:
        traveller.__class__ = _counting(read)


def _counting(read: Callable[[], None]) -> Any:
    def time_ns(self: Any) -> int:
        read()
        return plain(self)

    kind: Any = found("time_machine:Traveller")
    plain: Callable[[Any], int] = kind.time_ns
    return type("Counting", (kind,), {"time_ns": time_ns, "__doc__": "Says when it is asked for the time."})
