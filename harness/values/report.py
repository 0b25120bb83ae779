"""The result of a session as plain data: version 2 of the JSON result, which every writer is handed.

It keeps all keys of version 1. What nothing fills yet is empty: "", [], {} or None.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal, TypedDict, cast

from . import green
from .causes import Cause
from .drawn import ReportedDrawn, reported_drawn
from .exploration import Cell, Exploration, Finding, some_of
from .families import family_of
from .grid import grid
from .ids import violation_ids
from .replaying import ReplayCommand
from .story import Blamed, Fate, Severity, States, Step, StoryPhase
from .struck import ReportedStruck, reported_struck


class ReportedCause(TypedDict):
    """The cause of a finding: the broken promise, the way, the effect of the agent behind it, and its place.

    `callers`, `raising`, `killed` and `goes_on` are those of `values.causes.Cause`.
    """

    promise: str
    way: str
    effect: str
    file: str
    line: int
    function: str
    statement: str
    exception: str
    callers: list[str]
    raising: str
    killed: str
    goes_on: bool


class ReportedCure(TypedDict):
    """A change of the agent that was tried against the cause, and what came of it."""

    tried: str
    outcome: str


class ReportedStep(TypedDict):
    """One step of the story of a schedule, as `values.story.Step` has it."""

    life: str
    point: str
    phase: StoryPhase
    outcome: str
    file: str
    line: int
    function: str
    at_s: float
    within: list[str]
    fate: Fate
    detail: str


class ReportedLine(TypedDict):
    """A line of source code; one of those of a place is `marked`."""

    number: int
    text: str
    marked: bool


class ReportedEffect(TypedDict):
    """A durable effect of a line: the number of its step in the story, from 0, and what became of it."""

    step: int
    fate: Fate


class ReportedPlace(TypedDict):
    """A line of the agent that made durable effects of a story; `callers` are ``file:line``, the nearest first.

    `within` are the names of the steps, tool calls and graph nodes that all of its effects are inside of.
    """

    file: str
    line: int
    function: str
    callers: list[str]
    source: list[ReportedLine]
    effects: list[ReportedEffect]
    within: list[str]


class ReportedExchange(TypedDict):
    """One request to a model in a story, by the number of its step, and the answer."""

    step: int
    request: Any
    answer: Any


class ReportedStates(TypedDict):
    """The outside by readable names: before the run, when the fault fired, at the end, and as it should be there."""

    before: dict[str, Any]
    fault: dict[str, Any]
    end: dict[str, Any]
    right: dict[str, Any]


class Also(TypedDict):
    """Further schedules that fail for the same cause: some of them, and how many there are."""

    schedules: list[str]
    number: int


class ReportedViolation(TypedDict):
    """One cause of failures, with its smallest schedule.

    `id` is that of test, cause and place: the same in each run, and after edits elsewhere in the code. `expected` and
    `actual` are the right outside and the one that was found, as key-sorted JSON. `known` says that it stands in
    ``chaos-known.toml``, for a `reason`, and is accepted until the day `until`; where that is over, it is not `known`.
    `new` says whether the earlier run did not have it, None where there is none. `phases` tells the story in sentences,
    each part with its heading.
    """

    id: str
    invariants: list[str]
    schedule: str
    message: str
    diff: list[str]
    title: str
    sentence: str
    cause: ReportedCause | None
    severity: Severity
    kind: str
    cure: ReportedCure
    story: list[ReportedStep]
    states: ReportedStates
    expected: str
    actual: str
    blame: list[ReportedPlace]
    exchange: list[ReportedExchange]
    also: Also
    replay: str
    known: bool
    new: bool | None
    reason: str
    phases: list[tuple[str, list[str]]]
    until: str


class Fixed(TypedDict):
    """A violation of the earlier run that is resolved; `replayed` says that its schedule was carried out and holds."""

    id: str
    title: str
    schedule: str
    replayed: bool


class ReportedCell(TypedDict):
    """One row of the table: a point, a fault, a verdict, an example, and how many schedules it stands for.

    `merged` of these were not carried out themselves: one that no recovery can tell apart was.
    """

    point: str
    fault: str
    verdict: str
    invariants: list[str]
    schedule: str
    count: int
    merged: int


class ReportedRow(TypedDict):
    """A row of the grid points × faults: how many of its cells are what, each a point and a fault.

    A cell is `tried` where a schedule of it was carried out, `merged` where one that no recovery can tell apart stands
    for each of them, `not_applicable` where the fault cannot happen there, and else `not_tried`. What is `violated` or
    `unknown` is tried or merged as well.
    """

    name: str
    tried: int
    merged: int
    not_applicable: int
    not_tried: int
    violated: int
    unknown: int


class ReportedGrid(TypedDict):
    """The grid by families of faults, and by points; no rows where nothing was planned, as in a replay."""

    families: list[ReportedRow]
    points: list[ReportedRow]


class ReportedExploration(TypedDict):
    """The result of one call of `chaos.explore`. `label` tells it apart from others of its test.

    `not_tried` has families of faults, and how many of each were tried. `known` has the ids of its violations that
    stand in ``chaos-known.toml``, `resolved` those of the earlier run that it does not have any more, and `fixed` what
    these were. `proved` and `not_proved` say in sentences what a green result means here, under the `model`: which
    faults and crashes were tried. `shards` has the parts of a whole that it is made of, by their names as in ``1/4``,
    and whether each was closed; none where it was no part. `not_reached` has the schedules whose fault never fired (so
    many are `drifted`), `story` the steps of a replay that breaks nothing. `unresolved` has further findings of the
    earlier run that this one does not have, by their ids, and why they are not resolved. `compared` names that run, ""
    where there is none. `labels` are names and texts by which reports sort the test, as its marks have them.
    """

    test: str
    name: str
    label: str
    interrupted: str
    points: int
    schedules: int
    executions: int
    worlds: int
    closed: bool
    skipped: dict[str, int]
    drifted: int
    unintercepted: int
    unwatched: list[str]
    masked: list[str]
    audited: int
    seconds: float
    statement: str
    verdicts: dict[str, str]
    violations: list[ReportedViolation]
    flaky: list[str]
    errors: list[str]
    not_explored: list[str]
    notes: list[str]
    known: list[str]
    resolved: list[str]
    fixed: list[Fixed]
    proved: list[str]
    not_proved: list[str]
    not_tried: dict[str, str]
    cells: list[ReportedCell]
    grid: ReportedGrid
    model: str
    shards: dict[str, bool]
    not_reached: list[str]
    story: list[ReportedStep]
    unresolved: dict[str, str]
    compared: str
    struck: ReportedStruck
    labels: list[tuple[str, str]]
    drawn: ReportedDrawn
    spent: dict[str, float]


class Report(TypedDict):
    """All that a session explored so far."""

    version: Literal[2]
    seed: int
    explorations: list[ReportedExploration]


Writer = Callable[[Report], object]
"""Writes the whole of a report anew, leaving it as it is: it comes at each confirmed finding, and at the end."""


def reported(exploration: Exploration, replay: ReplayCommand) -> ReportedExploration:
    """Return an exploration in the form of version 2; `replay` is the command for its test."""
    cells: list[Any] = [_cell(cell) for cell in exploration.cells]
    part, parts = exploration.shard
    found: dict[str, Any] = {
        **exploration.as_json(),
        "name": exploration.name,
        "label": exploration.label,
        "interrupted": exploration.interrupted,
        "not_explored": list(exploration.not_explored),
        "notes": list(exploration.notes),
        "violations": list(_violations(exploration, replay)),
        "known": [],
        "resolved": [],
        "fixed": [],
        "not_tried": _not_tried(exploration),
        "cells": cells,
        "grid": grid(exploration, cells),
        "model": exploration.model,
        "shards": {f"{part}/{parts}": exploration.closed} if parts > 1 else {},
        "not_reached": list(exploration.drifted),
        "story": [_step(step) for step in exploration.story],
        "unresolved": {},
        "compared": "",
        "struck": reported_struck(exploration.struck),
        "labels": [],
        "drawn": reported_drawn(exploration.drawn),
        "spent": {part: round(seconds, 3) for part, seconds in exploration.spent.items()},
    }
    sentences = {"proved": green.proved(found), "not_proved": [*green.not_proved(found), *green.noticed(exploration)]}
    return cast(ReportedExploration, {**found, **sentences})


def _not_tried(exploration: Exploration) -> dict[str, str]:
    """Return the families of faults of which not all was tried, and why."""
    left, skipped = exploration.not_tried, exploration.skipped
    cut = "it ended at its first finding" if "first_finding" in skipped else "--chaos-budget ran out"
    why = f": {cut}" if {"first_finding", "budget"} & skipped.keys() else ""
    found = {family: f"{tried} of {planned} tried{why}" for family, (tried, planned) in left.items()}
    selected = {family_of(fault) for fault in exploration.firing}
    others: dict[str, list[str]] = {}
    for fault in exploration.not_selected if selected else ():
        if family_of(fault) not in selected and fault not in exploration.on_request:
            others.setdefault(family_of(fault), []).append(fault)
    return {**found, **{family: f"{green.NOT_SELECTED}: {some_of(faults)}" for family, faults in others.items()}}


def _violations(exploration: Exploration, replay: ReplayCommand) -> Iterator[ReportedViolation]:
    ids = violation_ids(exploration.test, exploration.violations)
    for id, finding in zip(ids, exploration.violations, strict=True):
        yield _violation(finding, id, replay)


def _violation(finding: Finding, id: str, replay: ReplayCommand) -> ReportedViolation:
    cause, schedule = finding.cause, str(finding.schedule)
    return {
        "id": id,
        "invariants": list(finding.invariants),
        "schedule": schedule,
        "message": finding.message,
        "diff": list(finding.diff),
        "title": finding.title,
        "sentence": finding.sentence,
        "cause": _cause(cause) if cause is not None else None,
        "severity": finding.severity,
        "kind": finding.kind,
        "cure": {"tried": finding.cure.tried, "outcome": finding.cure.outcome},
        "story": [_step(step) for step in finding.story],
        "states": _states(finding.states),
        "expected": finding.expected,
        "actual": finding.actual,
        "blame": [_place(blamed) for blamed in finding.blamed],
        "exchange": [{"step": one.step, "request": one.request, "answer": one.answer} for one in finding.exchange],
        "also": {"schedules": list(map(str, finding.also)), "number": finding.cells - 1},
        "replay": replay.of(schedule),
        "known": False,
        "new": None,
        "reason": "",
        "phases": [(heading, list(lines)) for heading, lines in finding.phases],
        "until": "",
    }


def _cause(cause: Cause) -> ReportedCause:
    more = {"callers": list(cause.callers), "raising": cause.raising, "killed": cause.killed, "goes_on": cause.goes_on}
    return cast(ReportedCause, {**cause.as_json(), **more})


def _step(step: Step) -> ReportedStep:
    return {
        "life": step.life,
        "point": step.point,
        "phase": step.phase,
        "outcome": step.outcome,
        "file": step.file,
        "line": step.line,
        "function": step.function,
        "at_s": round(step.at_s, 6),
        "within": list(step.within),
        "fate": step.fate,
        "detail": step.detail,
    }


def _states(states: States) -> ReportedStates:
    return cast(ReportedStates, {name: dict(getattr(states, name)) for name in ("before", "fault", "end", "right")})


def _place(blamed: Blamed) -> ReportedPlace:
    return {
        "file": blamed.file,
        "line": blamed.line,
        "function": blamed.function,
        "callers": list(blamed.callers),
        "source": [{"number": one.number, "text": one.text, "marked": one.marked} for one in blamed.source],
        "effects": [{"step": step, "fate": fate} for step, fate in blamed.effects],
        "within": list(blamed.within),
    }


def _cell(cell: Cell) -> ReportedCell:
    return {
        "point": cell.point,
        "fault": cell.fault,
        "verdict": cell.verdict,
        "invariants": list(cell.invariants),
        "schedule": str(cell.schedule),
        "count": cell.count,
        "merged": cell.merged,
    }
