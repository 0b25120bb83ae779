"""The findings of an earlier run, to tell new ones from resolved ones: its JSON result, or pytest's cache."""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .errors import ChaosError
from .titles import title_of

Replayed = Literal["holds", "not reached", "fails", "not judged"]
"""What came of the schedule of an earlier finding that was not found again, when it was carried out once more."""
CACHED, FAILED = "rollproof/runs", "rollproof/failed"
"""The keys in pytest's cache: what the last run found, and the schedules that failed, by test and exploration."""
_AGAIN = "write it anew: pytest --chaos --chaos-json=FILE"
OTHER_SHARD = "this is shard "
"""Begins the reason of a shard that leaves an earlier finding to another one."""


@dataclass(frozen=True, slots=True)
class EarlierFinding:
    """A violation of an earlier run, with its smallest schedule as a token."""

    id: str
    title: str
    schedule: str


ByLabel = dict[str, tuple[EarlierFinding, ...]]
"""Of one test: the findings of each of its explorations, by what tells that apart from others of the test."""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """An earlier run.

    Attributes:
        name: its name in results.
        tests: its findings in each test.
        is_whole: whether a test that is not there was not there in that run; otherwise nothing is known of it.
        partly: the tests that it explored only in part.
    """

    name: str
    tests: Mapping[str, ByLabel]
    is_whole: bool
    partly: frozenset[str] = frozenset()

    def of(self, test: str) -> ByLabel | None:
        """Return its findings in a test; None if nothing is known of the test."""
        return self.tests.get(test, {} if self.is_whole else None)

    def ids(self) -> dict[str, tuple[str, EarlierFinding]]:
        """Return all its findings by id, each with its test."""
        return {one.id: (test, one) for test, by in self.tests.items() for found in by.values() for one in found}


def of_json(text: str, name: str, place: str) -> EarlierRun:
    """Return the run of a JSON result; raises ChaosError ``bad-baseline`` where the text is none that has ids.

    Args:
        text: what stands in the file.
        name: what the file is called.
        place: where it was named, as ``--chaos-baseline``.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    version = document.get("version") if isinstance(document, dict) else None
    if version == 1:
        why = "is version 1 of the JSON result, in which violations have no ids"
        raise ChaosError("bad-baseline", f"{name} {why} ({place})", _AGAIN)
    try:
        if version != 2:
            raise ValueError
        tests: dict[str, ByLabel] = {}
        partly = set()
        for exploration in document["explorations"]:
            found, test = tuple(map(_finding, exploration["violations"])), ungrouped(exploration["test"])
            tests.setdefault(test, {})[label_of(exploration)] = found
            if is_cut_short(exploration) or exploration.get("unresolved"):
                partly.add(test)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ChaosError("bad-baseline", f"{name} is no JSON result ({place})", _AGAIN) from None
    return EarlierRun(name, tests, is_whole=True, partly=frozenset(partly))


def of_cache(kept: object) -> EarlierRun | None:
    """Return the earlier run in pytest's cache, as far as it has the form of `kept_in_cache`; None if there is none."""
    tests: dict[str, ByLabel] = {}
    for test, by_label in _items(kept):
        for label, found in _items(by_label):
            rows = found if isinstance(found, list) else ()
            texts = (row for row in rows if isinstance(row, list) and len(row) == 3 and _are_texts(row))
            tests.setdefault(test, {})[label] = tuple(EarlierFinding(*row) for row in texts)
    return EarlierRun("the last run here", tests, is_whole=False) if tests else None


def kept_in_cache(tests: Mapping[str, ByLabel]) -> dict[str, dict[str, list[list[str]]]]:
    """Return the earlier run as plain data, for pytest's cache."""
    return {
        test: {label: [[one.id, one.title, one.schedule] for one in found] for label, found in by_label.items()}
        for test, by_label in tests.items()
    }


def after(earlier: EarlierRun | None, explorations: Iterable[Mapping[str, Any]]) -> dict[str, ByLabel]:
    """Return the findings to keep after these explorations, which are in the form of a report.

    An exploration that did not come to its end changes nothing. What was neither found nor resolved stays: nobody
    looked at it.
    """
    tests = {test: dict(by_label) for test, by_label in (earlier.tests if earlier is not None else {}).items()}
    for result in explorations:
        if is_cut_short(result):
            continue
        found = {violation["id"]: _finding(violation) for violation in result["violations"]}
        known = tests.setdefault(ungrouped(result["test"]), {})
        resolved = {*result["resolved"], *found}
        stay = (one for one in known.get(label_of(result), ()) if one.id not in resolved)
        known[label_of(result)] = (*found.values(), *stay)
    return tests


def left_to_others(id: str, shard: tuple[int, int]) -> str:
    """Return why a shard does not look for an earlier finding: another one does; "" for the one that has to.

    Each id belongs to one shard, whichever has its schedule: none knows what the others find.
    """
    part, parts = shard
    return f"{OTHER_SHARD}{part} of {parts}" if zlib.crc32(id.encode()) % parts != part - 1 else ""


def is_cut_short(result: Mapping[str, Any]) -> bool:
    """Return whether an exploration, in the form of a report, ended before its end."""
    return bool(result.get("interrupted")) or not {"budget", "first_finding"}.isdisjoint(result["skipped"])


def label_of(result: Mapping[str, Any]) -> str:
    """Return the text by which an exploration is told apart from others of its test."""
    return str(result.get("label") or result.get("name") or "")


def ungrouped(test: str) -> str:
    """Return the id of a test without the group that ``--dist=loadgroup`` of pytest-xdist writes behind it."""
    at = test.rfind("@")
    return test[:at] if at > test.rfind("]") and at > test.find("::") > 0 else test


def _finding(violation: Mapping[str, Any]) -> EarlierFinding:
    texts = violation["id"], title_of(violation), violation["schedule"]
    if not _are_texts(texts):
        raise ValueError
    return EarlierFinding(*texts)


def _items(kept: object) -> Iterator[tuple[str, Any]]:
    for key, value in kept.items() if isinstance(kept, dict) else ():
        if isinstance(key, str):
            yield key, value


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
