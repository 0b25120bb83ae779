"""A race of the fault-free run: two orders of its effects end differently, and nobody knows which of the ends is right.

All that is judged is compared with a fault-free run. Where that is one throw of several, what differs from it says
nothing about faults: in the things in which the orders differ, every further difference belongs to the race.
"""

from collections.abc import Iterable, Mapping

from ..values.points import canonical
from .findings import Failure
from .symptoms import Symptom

Key = tuple[object, ...]
_COMPARED = ("all_or_nothing", "honest_outcome", "clean_retry")
"""Promises that compare with the end of a fault-free run."""


def raced(failures: Iterable[Failure]) -> dict[str, Key]:
    """Return the things in which two orders differ, each with the key of its race; races that share one are one."""
    found: dict[str, Key] = {}
    for failure in failures:
        if failure.is_race:
            names = sorted(_differing(failure))
            known = {found[name] for name in names if name in found}
            key = min(known, key=str, default=("race", *names))
            found = {name: key if of in known else of for name, of in found.items()} | dict.fromkeys(names, key)
    return found


def _differing(failure: Failure) -> set[str]:
    return {canonical(change.name) for change in failure.judgement.from_done}


def race_of(failure: Failure, things: Mapping[str, Key]) -> Key | None:
    """Return the key of the race that a failure is, where that is known by now."""
    if not failure.is_race:
        return None
    names = _differing(failure)
    return things[min(names)] if names <= things.keys() else None


def explaining(symptom: Symptom, things: Mapping[str, Key]) -> Key | None:
    """Return the key of the race that explains a symptom; None for none. What is torn was torn by a fault."""
    if symptom.promise not in _COMPARED or symptom.change is None or symptom.way == "torn":
        return None
    return things.get(canonical(symptom.change.name))
