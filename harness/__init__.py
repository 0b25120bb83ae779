"""Rollproof: chaos-testing of agent recovery. Public names, loaded when they are first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .chaos import Chaos as Chaos
    from .twins.fill import Fill as Fill
    from .twins.fill import fill as fill
    from .values.errors import ChaosError as ChaosError
    from .values.exploration import Exploration as Exploration
    from .values.faults import Fault as Fault
    from .values.faults import fault as fault
    from .values.history import History as History
    from .values.history import Invariant as Invariant
    from .values.history import Violation as Violation
    from .values.history import invariant as invariant
    from .values.sources import WorldSource as WorldSource
    from .values.world import World as World

_HOMES = {
    "Chaos": "chaos",
    "ChaosError": "values.errors",
    "Exploration": "values.exploration",
    "Fault": "values.faults",
    "Fill": "twins.fill",
    "History": "values.history",
    "Invariant": "values.history",
    "Violation": "values.history",
    "World": "values.world",
    "WorldSource": "values.sources",
    "fault": "values.faults",
    "fill": "twins.fill",
    "invariant": "values.history",
}
__all__ = [
    "Chaos",
    "ChaosError",
    "Exploration",
    "Fault",
    "Fill",
    "History",
    "Invariant",
    "Violation",
    "World",
    "WorldSource",
    "fault",
    "fill",
    "invariant",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'rollproof' has no attribute {name!r}")
    return getattr(import_module(f"rollproof.{home}"), name)
