"""Schedules that failed in the last session, kept in pytest's cache, so that ``--lf`` and ``--ff`` begin with them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from ..values.earlier import FAILED
from ..values.errors import ChaosError
from ..values.schedule import SWAP, Schedule
from ..values.selection import PointSelection

_DRAWN = "rollproof/drawn"
_Tokens = dict[str, dict[str, list[str]]]
"""Of each test, by its id, and there of each exploration, by what tells it apart, the schedules of its findings."""


def failed_before(
    config: pytest.Config, nodeid: str, faults: Iterable[str], points: PointSelection
) -> dict[str, tuple[Schedule, ...]]:
    """Return the schedules to try first in each exploration of a test: those that failed last, as far as selected.

    Without ``--lf`` and ``--ff`` only sets of faults that were drawn: nothing enumerates them, so they would not be met
    again.
    """
    begins = config.getoption("lf", False) or config.getoption("failedfirst", False)
    allowed = {*faults}
    known = [_read(config, kept).get(nodeid, {}) for kept in ((FAILED, _DRAWN) if begins else (_DRAWN,))]
    tokens = {label: [token for one in known for token in one.get(label, ())] for one in known for label in one}
    return {label: tuple(dict.fromkeys(_schedules(some, allowed, points))) for label, some in tokens.items()}


def _schedules(tokens: Iterable[str], allowed: set[str], points: PointSelection) -> Iterator[Schedule]:
    for token in tokens:
        try:
            schedule = Schedule.parse(token)
        except ChaosError:
            continue  # of an older version
        faults = [injection for injection in schedule.injections if injection.fault != SWAP]
        if all(injection.fault in allowed and points.has(injection.point) for injection in faults):
            yield schedule


def keep(config: pytest.Config, results: Sequence[Mapping[str, Any]]) -> None:
    """Keep the failed schedules of the explorations (in JSON's form), and forget the rest; other tests' stay."""
    _keep_drawn(config, results)
    before = _read(config)
    after = {test: dict(known) for test, known in before.items()}
    unfinished = set()
    for result in results:
        label = _label(result)
        known = after.setdefault(result["test"], {})
        known[label] = _kept(result, known.get(label, []))
        if any(result.get(what) for what in ("violations", "drifted", "errors", "flaky", "interrupted")):
            unfinished.add(result["test"])  # the test may have ended there
    seen = {(result["test"], _label(result)) for result in results}
    for test in {test for test, _ in seen} - unfinished:
        after[test] = {label: tokens for label, tokens in after[test].items() if (test, label) in seen}
    after = {test: {label: tokens for label, tokens in known.items() if tokens} for test, known in after.items()}
    after = {test: known for test, known in after.items() if known}
    cache = getattr(config, "cache", None)
    if cache is not None and after != before:
        cache.set(FAILED, after)


def _keep_drawn(config: pytest.Config, results: Sequence[Mapping[str, Any]]) -> None:
    """Keep the failed schedules that were drawn, as long as they fail."""
    before = _read(config, _DRAWN)
    after = {test: dict(known) for test, known in before.items()}
    for result in results:
        known = after.setdefault(result["test"], {})
        old = known.get(_label(result), [])
        failing = [violation["schedule"] for violation in result["violations"]]
        failing = [one for one in failing if one in old or (result["drawn"]["most"] and not _is_enumerated(one))]
        known[_label(result)] = list(dict.fromkeys([*failing, *(old if result.get("interrupted") else ())]))
    after = {test: {label: tokens for label, tokens in known.items() if tokens} for test, known in after.items()}
    after = {test: known for test, known in after.items() if known}
    cache = getattr(config, "cache", None)
    if cache is not None and after != before:
        cache.set(_DRAWN, after)


def _is_enumerated(token: str) -> bool:
    try:
        return Schedule.parse(token).is_enumerated
    except ChaosError:
        return True  # with a secret in it, which is not written


def _label(result: Mapping[str, Any]) -> str:
    """Return the text by which an exploration is told apart from others of its test."""
    return result.get("label") or result.get("name") or ""


def _kept(result: Mapping[str, Any], before: list[str]) -> list[str]:
    """Return the schedules to try first the next time: those that failed, and those that were not tried again."""
    found = [violation["schedule"] for violation in result["violations"]]
    if result.get("interrupted"):
        return list(dict.fromkeys([*found, *before]))
    if "first_finding" in result["skipped"] and found and found[0] in before:
        return before[before.index(found[0]) :]  # those before it hold by now
    return found


def _read(config: pytest.Config, where: str = FAILED) -> _Tokens:
    """Return the kept schedules, as far as they have the form that this version writes."""
    cache = getattr(config, "cache", None)
    kept = cache.get(where, {}) if cache is not None else {}
    tests = kept.items() if isinstance(kept, dict) else ()
    return {test: _labelled(known) for test, known in tests if isinstance(known, dict)}


def _labelled(known: dict[str, Any]) -> dict[str, list[str]]:
    return {
        label: [token for token in tokens if isinstance(token, str)]
        for label, tokens in known.items()
        if isinstance(tokens, list)
    }
