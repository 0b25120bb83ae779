"""Families of faults, how often each fault happens in production, and which of two schedules is the better example."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache

from .schedule import Schedule

SERVICES, CRASHES = "faults of models and services", "crashes"
_FAMILIES = (
    (SERVICES, ("llm.*", "http.*", "mcp.*", "mail.*", "network.*", "credentials.*", "webhook.*")),
    (CRASHES, ("process.kill",)),
    ("faults of storage", ("storage.*", "sqlite.*")),
    ("faults of programs", ("subprocess.*",)),
)
NOT_EXPLORED = "not explored: "
"""Begins what stands among errors because a budget left a whole family out: nothing went wrong."""
_LAST = (("interruptions", ("process.interrupt", "process.cancel")), ("other orders", ("order.*",)))
_COMMONEST = ("*.timeout", "*.rate_limited", "*.unavailable", "*.server_error", "*.lost_answer", "llm.malformed_json")
"""Within a family, before all others; the others keep the order in which they are declared."""


@cache
def family_of(fault: str) -> str:
    """Return the name of a fault's family; a fault of somebody's own belongs to the prefix of its name."""
    for name, globs in (*_FAMILIES, *_LAST):
        if any(fnmatchcase(fault, glob) for glob in globs):
            return name
    return f"faults of {fault.partition('.')[0]}"


def errors_in(errors: Iterable[str]) -> list[str]:
    """Return those errors of a result that are errors, and not what a budget left out."""
    return [text for text in errors if not text.startswith(NOT_EXPLORED)]


def left_out_in(errors: Iterable[str]) -> list[str]:
    """Return those errors of a result that say which families a budget left out."""
    return [text for text in errors if text.startswith(NOT_EXPLORED)]


def selecting(faults: Iterable[str]) -> str:
    """Return the selection of these faults as it is typed, by the first parts of their names where that is enough."""
    globs = (fault if fault.startswith("process.") else f"{fault.partition('.')[0]}.*" for fault in faults)
    return ",".join(sorted(set(globs)))


@cache
def likelihood(fault: str) -> tuple[int, int]:
    """Return the rank of a fault by how often it happens in production: the smaller, the likelier."""
    names = [name for name, _ in _FAMILIES]
    family = family_of(fault)
    place = names.index(family) if family in names else len(names) + (family in dict(_LAST))
    common = next((n for n, glob in enumerate(_COMMONEST) if fnmatchcase(fault, glob)), len(_COMMONEST))
    return place, common


def size(schedule: Schedule) -> tuple[int, bool, tuple[tuple[int, int], ...]]:
    """Return the sort key of examples, the best first: few injections, not lasting, of likely faults."""
    injections = schedule.injections
    return len(injections), any(i.lasting for i in injections), tuple(likelihood(i.fault) for i in injections)
