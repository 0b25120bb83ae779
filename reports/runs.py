"""The changes since an earlier run, in lines: new, known and fixed findings, and those that nobody looked at."""

from collections.abc import Iterable, Iterator, Sequence

from rollproof.values.earlier import EarlierRun, is_cut_short, ungrouped
from rollproof.values.exploration import counted, some_of
from rollproof.values.known import Known
from rollproof.values.report import ReportedExploration, ReportedViolation
from rollproof.values.titles import title_of


def summary(
    explorations: Sequence[ReportedExploration], earlier: EarlierRun | None, known: Iterable[Known]
) -> list[str]:
    """Return the lines at the end of a session; `known` are those that it would have found."""
    lines = [
        f"known and not found any more: {_named(one.title, one.id)}: rollproof known prune"
        for one in known
        if _is_gone(one, explorations)
    ]
    return [*lines, *_compared(explorations, earlier)]


def changes(result: ReportedExploration) -> Iterator[str]:
    """Yield lines on the findings of one exploration that are new, known, as before, fixed or not looked at."""
    yield from map(_violation, result["violations"])
    for one in result["fixed"]:
        yield f"{'fixed' if one['replayed'] else 'not reached any more'}: {_named(one['title'], one['id'])}"
    whys: dict[str, list[str]] = {}
    for id, why in result["unresolved"].items():
        whys.setdefault(why, []).append(id)
    for why, ids in whys.items():
        yield f"not resolved: {some_of(ids)}: {why}"


def _violation(violation: ReportedViolation) -> str:
    named, reason, until = title_of(violation), violation["reason"], violation["until"]
    if violation["known"]:
        said = ", ".join([violation["id"], reason, *([f"until {until}"] if until else [])])
        return f"known: {named} ({said})"
    if until:
        return f"known until {until}, which is over: {named} ({violation['id']}, {reason})"
    what = {True: "new", False: "as before", None: "found"}[violation["new"]]
    return f"{what}: {_named(named, violation['id'])}"


def _named(title: str, id: str) -> str:
    return f"{title} ({id})" if title else id


def _is_gone(known: Known, explorations: Sequence[ReportedExploration]) -> bool:
    """Return whether all explorations of its test came to their end without this known finding."""
    own = [result for result in explorations if known.test and ungrouped(result["test"]) == known.test]
    found = {violation["id"] for result in own for violation in result["violations"]}
    return bool(own) and known.id not in found and not any(map(is_cut_short, own))


def _compared(explorations: Sequence[ReportedExploration], earlier: EarlierRun | None) -> Iterator[str]:
    compared = [result for result in explorations if result["compared"]]
    if not compared or earlier is None:
        yield "compared with no earlier run: there is none here (--chaos-baseline=FILE)"
        return
    new = sum(violation["new"] is True for result in compared for violation in result["violations"])
    resolved = sum(len(result["resolved"]) for result in compared)
    known = sum(len(result["known"]) for result in explorations)
    yield f"compared with {earlier.name}: {new} new, {resolved} resolved, {known} known"
    if without := len({result["test"] for result in explorations} - {result["test"] for result in compared}):
        yield f"no earlier run of {counted(without, 'test')}"
    explored = {ungrouped(result["test"]) for result in explorations}
    missed = sum(len(found) for test, by in earlier.tests.items() if test not in explored for found in by.values())
    if earlier.is_whole and missed:
        yield f"not looked at: {counted(missed, 'violation')} of tests that explored nothing here"
