"""Results of several sessions as one: the shards of a test make a whole, other tests stand side by side.

`merged` does not depend on the order of results, nor on which of them were merged before. What each key of an
exploration becomes, where its shards are joined:

- ``schedules``, ``executions``, ``drifted``, ``audited``, ``seconds``, the counts of ``skipped`` and of ``cells``: the
  sum, as shards are disjoint. A crash in a recovery that several shards came to is counted in each of them.
- ``worlds``: the sum as well, so a world that several shards recovered from counts in each.
- ``points``, ``unintercepted``: the largest, as each shard runs the same fault-free run.
- ``closed``: whether all shards are there, and each was closed; `shards` keeps which were.
- ``verdicts``: the worst of each promise; a promise that had nothing to judge in one shard may have had in another.
- ``violations``: each id once, with its smallest schedule; the other schedules are in ``also``. One is known where it
  is in each shard that found it, and new where no shard's earlier run had it.
- ``resolved``: what the shard that looked for it has not any more, and none has found; ``fixed`` tells these.
- ``unresolved``: what none has found or resolved, with the reason of the shard that looked for it.
- ``not_tried``: how many were tried of how many, of those shards that did not try all.
- ``drawn``, ``spent``: the sums.
- ``struck``: the sums of its counts, and the percentiles of all times.
- ``masked``, ``unwatched``, ``not_explored``, ``notes``, ``flaky``, ``errors``, ``known``, other lists: what any has.
- ``proved``, ``not_proved``, ``statement``, ``grid``: made anew.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from . import drawn, durations, green, grid
from .earlier import OTHER_SHARD
from .errors import ChaosError
from .exploration import counted
from .families import size
from .report import Report, ReportedExploration
from .schedule import Schedule
from .story import gravity
from .struck import together

_Shards = Sequence[Mapping[str, Any]]
_VERDICTS = ("vacuous", "holds", "unknown", "violated")
_COUNTED = re.compile(r"(\d+) of (\d+) tried(?:: (.*))?", re.DOTALL)
_AND = " / "
_BESIDE = {"known", "new", "reason", "also"}
"""Of a violation what is joined; all else is that of its smallest schedule."""


def merged(reports: Sequence[tuple[str, Report]]) -> Report:
    """Return several results, each with the name of its file, as one; one alone is returned as it is.

    Raises:
        ChaosError: where the seeds differ, or where two results have the same exploration, or the same shard of it.
    """
    if len(reports) == 1:
        return reports[0][1]
    seeds = {report["seed"]: file for file, report in reports}
    if len(seeds) > 1:
        told = ", ".join(f"{seed} in {file}" for seed, file in sorted(seeds.items()))
        raise ChaosError("seeds-differ", f"the seeds differ: {told}", "give each session the same --chaos-seed=N")
    tests: dict[tuple[str, str], list[tuple[str, ReportedExploration]]] = {}
    for file, report in reports:
        for exploration in report["explorations"]:
            tests.setdefault((exploration["test"], exploration["label"]), []).append((file, exploration))
    found = [_of_one_test(parts) for _, parts in sorted(tests.items())]
    return {"version": 2, "seed": next(iter(seeds)), "explorations": found}


def _of_one_test(parts: Sequence[tuple[str, ReportedExploration]]) -> ReportedExploration:
    explorations = [exploration for _, exploration in parts]
    if len(parts) == 1:
        return explorations[0]
    label = explorations[0]["label"]
    name = f"{explorations[0]['test']}{f' [{label}]' if label else ''}"
    files: dict[str, str] = {}
    for file, exploration in parts:
        for shard in exploration["shards"] or [""]:
            what = f"shard {shard} of {name}" if shard else name
            if shard in files or (files and "" in (shard, *files)):
                other = next(iter(files.values())) if shard not in files else files[shard]
                raise _twice(what if shard in files else name, sorted((other, file)))
            files[shard] = file
    wholes = {shard.partition("/")[2] for shard in files}
    if len(wholes) > 1:
        hint = f"of each test, merge shards of one number: --chaos-shard=1/{min(wholes)}, …"
        raise ChaosError("shards-differ", f"{name} was cut into {' and into '.join(sorted(wholes))} shards", hint)
    return _together(explorations)


def _twice(what: str, files: Sequence[str]) -> ChaosError:
    where = f"twice in {files[0]}" if files[0] == files[1] else f"in {files[0]} and in {files[1]}"
    return ChaosError("explored-twice", f"{what} is {where}", "merge results of other tests, or of other shards")


def _together(parts: Sequence[ReportedExploration]) -> ReportedExploration:
    values: dict[str, list[Any]] = {}
    for part in parts:
        for key, value in part.items():
            values.setdefault(key, []).append(value)
    found = {key: _RULES.get(key, _usual)(given) for key, given in values.items()}
    found["closed"] = not green.missing_shards(found) and all(found["shards"].values())
    ids = {violation["id"] for violation in found["violations"]}
    found["resolved"] = [id for id in found["resolved"] if id not in ids]
    settled = ids.union(found["resolved"])
    found["unresolved"] = {id: why for id, why in found["unresolved"].items() if id not in settled}
    found["fixed"] = _fixed(values["fixed"], found["resolved"])
    found["grid"] = grid.together(values["grid"], found["cells"])
    noticed = {sentence for part in parts for sentence in green.noticed_in(part)}
    found["proved"] = green.proved(found)
    found["not_proved"] = [*green.not_proved(found), *sorted(noticed)]
    found["statement"] = _statement(found)
    return cast(ReportedExploration, found)


def _statement(found: Mapping[str, Any]) -> str:
    there, missing = len(found["shards"]), len(green.missing_shards(found))
    whole = f"{there} of {there + missing}" if missing else f"all {there}"
    word = "exhaustive: " if green.is_exhaustive(found) else ""
    parts = [
        f"{found['points']} points, {found['schedules']} schedules judged in {found['executions']} executions",
        f"{found['worlds']} worlds, those of each shard",
        f"{word}{whole} shards of {found['model']}",
        counted(len(found["violations"]), "violation"),
        f"{counted(found['unintercepted'], 'effect')} unseen, {found['drifted']} drifted",
    ]
    return "; ".join([*parts, *(sentence.rstrip(".") for sentence in green.gaps(found))])


# what each key becomes


def _usual(values: Sequence[Any]) -> Any:
    """Return the value of a key without a rule: all that any of them has, or else one, whatever their order."""
    if all(isinstance(value, list) for value in values):
        return _union(values)
    if all(isinstance(value, dict) for value in values):
        names = sorted({name for value in values for name in value})
        return {name: max((value[name] for value in values if name in value), key=_text) for name in names}
    return max(values, key=_text)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _union(lists: Iterable[Iterable[Any]]) -> list[Any]:
    found = {_text(value): value for one in lists for value in one}
    return [found[text] for text in sorted(found)]


def _reasons(dicts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return why each id is not resolved, rather in the words of a shard that looked for it."""
    found: dict[str, str] = {}
    for id, why in (pair for one in dicts for pair in one.items()):
        found[id] = max(found.get(id, why), why, key=lambda told: (OTHER_SHARD not in told, told))
    return dict(sorted(found.items()))


def _parts(texts: Iterable[str]) -> str:
    return _AND.join(sorted({part for text in texts for part in text.split(_AND) if part}))


def _counts(dicts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for one in dicts:
        found.update(one)
    return dict(sorted(found.items()))


def _worst(dicts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    names = sorted({name for one in dicts for name in one})
    rank = _VERDICTS.index
    return {name: max((one[name] for one in dicts if name in one), key=rank) for name in names}


def _not_tried(dicts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    names = sorted({family for one in dicts for family in one})
    return {family: _left([one[family] for one in dicts if family in one]) for family in names}


def _left(texts: Sequence[str]) -> str:
    numbers = [match for match in map(_COUNTED.fullmatch, texts) if match]
    if not numbers:
        return _parts(texts)
    tried, planned = (sum(int(match[place]) for match in numbers) for place in (1, 2))
    why = _parts(match[3] or "" for match in numbers)
    return f"{tried} of {planned} tried{f': {why}' if why else ''}"


def _smallest(token: str) -> tuple[Any, ...]:
    try:
        return (0, size(Schedule.parse(token)), token)
    except ChaosError:  # of another version
        return (1, len(token), token)


def _cells(lists: Iterable[Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell in (cell for one in lists for cell in one):
        key = cell["point"], cell["fault"], cell["verdict"], tuple(cell["invariants"])
        known = found.get(key)
        both = (cell,) if known is None else (known, cell)
        schedule = min((one["schedule"] for one in both), key=_smallest)
        sums = {name: sum(one[name] for one in both) for name in ("count", "merged")}
        found[key] = {**cell, "schedule": schedule, **sums}
    return [cell for _, cell in sorted(found.items())]


def _violations(lists: Iterable[Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for violation in (violation for one in lists for violation in one):
        found.setdefault(violation["id"], []).append(violation)
    joined = map(_one_violation, found.values())
    return sorted(joined, key=lambda v: (gravity(v["severity"]), _smallest(v["schedule"]), v["id"]))


def _one_violation(alike: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    best = min(alike, key=lambda one: (_smallest(one["schedule"]), _text({k: one[k] for k in one.keys() - _BESIDE})))
    others = {one["schedule"] for one in alike}.union(*(one["also"]["schedules"] for one in alike))
    number = sum(one["also"]["number"] + 1 for one in alike) - 1
    also = {"schedules": sorted(others - {best["schedule"]}, key=_smallest), "number": number}
    return {**best, **_beside(alike), "also": also}


def _beside(alike: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the keys of a violation on earlier runs and ``chaos-known.toml``, joined from its shards."""
    new = {one["new"] for one in alike}
    return {
        "known": all(one["known"] for one in alike),
        "new": False if False in new else True if True in new else None,
        "reason": max(one["reason"] for one in alike),
    }


def _fixed(lists: Iterable[Iterable[Mapping[str, Any]]], resolved: Sequence[str]) -> list[Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for one in (one for each in lists for one in each if one["id"] in resolved):
        found[one["id"]] = max(found.get(one["id"], one), one, key=lambda fixed: (fixed["replayed"], _text(fixed)))
    return [found[id] for id in sorted(found)]


_RULES: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "points": max,
    "unintercepted": max,
    **dict.fromkeys(("schedules", "executions", "worlds", "drifted", "audited"), sum),
    "seconds": lambda values: round(sum(values), 3),
    "skipped": _counts,
    "interrupted": _parts,
    "model": _parts,
    "verdicts": _worst,
    "not_tried": _not_tried,
    "cells": _cells,
    "violations": _violations,
    "struck": together,
    "drawn": drawn.together,
    "spent": durations.together,
    "unresolved": _reasons,
    "shards": lambda dicts: dict(sorted({name: closed for one in dicts for name, closed in one.items()}.items())),
}
