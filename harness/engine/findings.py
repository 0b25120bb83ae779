"""Collect failures: each distinct one once, with its smallest schedule."""

import json
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from ..values.causes import Cause
from ..values.cleaning import Cleaner
from ..values.contents import start_of
from ..values.exploration import Cell, Finding
from ..values.families import size
from ..values.history import Role, Verdict
from ..values.points import Point
from ..values.schedule import SWAP, Schedule
from ..values.story import WRONG_FATES
from ..values.world import Diff, World
from . import keys
from .judge import Judgement
from .plan import CRASH
from .process_runs import ProcessRun
from .story import Told
from .struck import StruckRuns
from .symptoms import Symptom, Symptoms

_RACE = "no fault is needed: two orders of one run end differently, and neither end is known to be right"
_MOST_ALSO = 6
_CellKey = tuple[str, str, Verdict, tuple[str, ...]]
_Key = tuple[tuple[str, ...], Set[Symptom], bool, bool]


class FirstFound(Exception):
    """Raised when a finding is confirmed and no more than one is wanted."""


@dataclass(slots=True)
class Failure:
    """A distinct failing end: its likeliest smallest schedule so far, and how many schedules fail so.

    Attributes:
        crashes: the single crashes that end so.
        unchecked: fields of a model's answer that were changed in the schedules that end so.
        also: the first few schedules that end so.
        example: the schedule that was carried out once more, truly, with what came of it; None before that.
        tried: the schedule that was carried out once more last, and `unlike` how that ended where it was otherwise.
    """

    schedule: Schedule
    judgement: Judgement
    symptoms: Symptoms
    count: int = 0
    crashes: dict[Point, None] = field(default_factory=dict)
    unchecked: dict[str, None] = field(default_factory=dict)
    also: dict[Schedule, None] = field(default_factory=dict)
    example: tuple[Schedule, Judgement] | None = None
    tried: Schedule | None = None
    unlike: str = ""

    def repeated(self, truly: Judgement) -> None:
        """Record that the schedule was carried out once more, and failed in the same way."""
        self.tried, self.example = self.schedule, (self.schedule, truly)

    def ended_otherwise(self, unlike: str) -> None:
        """Record that the schedule was carried out once more, and ended otherwise; an earlier example stays."""
        self.tried, self.unlike = self.schedule, unlike

    @property
    def is_race(self) -> bool:
        """Return whether no fault is needed: another interleaving of the fault-free run ends differently."""
        return is_race(self.schedule, self.judgement)


@dataclass(slots=True)
class Findings:
    """The judged schedules so far: failures, counts, and errors.

    Attributes:
        diagnose: tells the symptoms of a failing end.
        struck: how the runs ended that a fault struck.
        place: where in the fault-free run a schedule begins: of two that are alike otherwise, the earlier is shown.
        ended: how a run with a single error ended, without what was seen on its way.
    """

    diagnose: Callable[[Schedule, Judgement], Symptoms]
    struck: StruckRuns
    place: Callable[[Schedule], int] = lambda schedule: 0
    failures: dict[_Key, Failure] = field(default_factory=dict)
    cells: dict[_CellKey, Cell] = field(default_factory=dict)
    schedules: int = 0
    errors: dict[str, None] = field(default_factory=dict)
    ended: dict[Schedule, ProcessRun] = field(default_factory=dict)
    _begun: dict[tuple[Schedule, bool], _Key] = field(default_factory=dict)

    def add(
        self, schedule: Schedule, judgement: Judgement, count: int = 1, again: Judgement | None = None, merged: int = 0
    ) -> None:
        """Count a judged schedule, or `count` that are one to every recovery; `merged` of them were not carried out.

        `again` is its other end: where its process is called again that an error left.
        """
        self.schedules += count
        if len(schedule.injections) == 1 and judgement.executions[0].role == "run":
            self.ended[schedule] = judgement.executions[0].in_short()
        ends = [judgement] if again is None else [judgement, again]
        for end in ends:
            self.errors.update(dict.fromkeys(end.errors))
        failing = [self.note(schedule, end) for end in ends if end.broken]
        told = next((end for end in ends if end.broken or end.errors), judgement)
        self.tabulate(schedule, told, count, merged)
        self.struck.add(schedule, told, count)
        if failing:
            # Once, also where both ends fail: it is one schedule.
            failing[0].count += count

    def tabulate(self, schedule: Schedule, judgement: Judgement, count: int = 1, merged: int = 0) -> None:
        """Count schedules in the table only, by their first fault: one crash in recovery belongs to many of these."""
        fired = schedule.injections[0]
        verdict: Verdict = "violated" if judgement.broken else "unknown" if judgement.errors else "holds"
        key = (str(fired.point), fired.fault, verdict, judgement.invariants)
        cell = self.cells.get(key) or Cell(*key, schedule, count=0)
        smallest = min(cell.planned, schedule, key=self.size)
        self.cells[key] = replace(cell, planned=smallest, count=cell.count + count, merged=cell.merged + merged)

    def note(self, schedule: Schedule, judgement: Judgement) -> Failure:
        """Return the failure that this broken schedule is an example of; it may become the one that is shown."""
        symptoms = self.diagnose(schedule, judgement)
        key = _key(schedule, judgement, symptoms)
        self._known_better(schedule, judgement, key, symptoms)
        known = self.failures.get(key)
        if known is None:
            known = self.failures[key] = Failure(schedule, judgement, symptoms)
        elif self.size(schedule) < self.size(known.schedule):
            known.schedule, known.judgement, known.symptoms = schedule, judgement, symptoms
        if len(known.also) < _MOST_ALSO:
            known.also[schedule] = None
        if len(schedule.injections) == 1:
            first = schedule.injections[0]
            if first.fault == CRASH:
                known.crashes[first.point] = None
            known.unchecked.update(dict.fromkeys(judgement.executions[0].changed_fields))
        return known

    def begin(self, schedule: Schedule, judgement: Judgement) -> None:
        """Note a failure before its stage begins: the exploration meets it again and counts it then."""
        self.note(schedule, judgement)
        self._begun[schedule, judgement.goes_on] = _key(schedule, judgement, self.diagnose(schedule, judgement))

    def _known_better(self, schedule: Schedule, judgement: Judgement, key: _Key, symptoms: Symptoms) -> None:
        """Replace the failure that `begin` noted for a schedule, if another symptom shows now."""
        before = self._begun.pop((schedule, judgement.goes_on), key)
        failure = self.failures.get(before)
        if before == key or failure is None or failure.schedule != schedule:
            return
        del self.failures[before]
        known = self.failures.setdefault(key, failure)
        if known is failure:
            known.judgement, known.symptoms = judgement, symptoms
        known.example = known.example or failure.example

    def size(self, schedule: Schedule) -> tuple[object, ...]:
        """Return the sort key of examples, the best first: the smaller schedule."""
        return (*size(schedule), self.place(schedule))

    def ends(self) -> dict[tuple[Schedule, bool], Judgement]:
        """Return the judgement of each failure's shown example, by schedule and by whether its process goes on."""
        examples = [failure.example or (failure.schedule, failure.judgement) for failure in self.failures.values()]
        return {(schedule, judgement.goes_on): judgement for schedule, judgement in examples}

    def table(self) -> tuple[Cell, ...]:
        """Return the aggregated rows in a stable order."""
        return tuple(self.cells[key] for key in sorted(self.cells))


def _key(schedule: Schedule, judgement: Judgement, symptoms: Symptoms) -> _Key:
    return judgement.invariants, frozenset(symptoms.own), judgement.goes_on, is_race(schedule, judgement)


def is_race(schedule: Schedule, judgement: Judgement) -> bool:
    """Return whether an interleaving of the run alone, without a fault, returned and left something else."""
    first, *others = schedule.injections
    alone = not others and first.fault == SWAP and not first.recovering
    return alone and judgement.executions[0].outcome.kind == "returned" and "all_or_nothing" in judgement.invariants


@dataclass(frozen=True, slots=True)
class Beside:
    """Details of a failure that its own schedule does not show.

    Attributes:
        reach: where else a crash ends so; "" where there is no such place.
        interleavings: of two orders that end differently how the usual one does, seen from the other, and the reverse.
        count: how many schedules end so.
        expected: the right outside, and `actual` the one that was found.
        cleaner: takes secrets out, before a text is cut.
        run_again: whether recovery is the run started again.
        also: the places from which the same effect is called in a process that goes on, each in words.
        story: its steps, the outside meanwhile, and what was asked of models.
    """

    reach: str
    orders: tuple[Diff, Diff] | None
    count: int
    expected: World
    actual: World
    cleaner: Cleaner
    run_again: bool
    story: Told = field(default_factory=Told)
    also: tuple[str, ...] = ()


def promises(judgement: Judgement, *, by_order: bool) -> list[str]:
    """Return the broken promises, each with how it is broken; `by_order` says that two orders end differently."""
    return [f"{name}: {_RACE if by_order and v.diff else v.message}" for name, v in judgement.broken]


def finding(failure: Failure, cause: Cause, judgement: Judgement, beside: Beside) -> Finding:
    """Turn a confirmed failure into what reports show; no secret stands in it."""
    cleaner, orders, run_again = beside.cleaner, beside.orders, beside.run_again
    hidden = cleaner.clean
    broken, story = promises(judgement, by_order=orders is not None), beside.story.hiding(hidden)
    lines = list(broken)
    lines += keys.told(((violation, judgement.processes(violation)) for _, violation in judgement.broken), hidden)
    lines += [_what_is_not_checked(cause)] if cause.unchecked else []
    lines += [beside.reach] if beside.reach else []
    lines += [_in_which_process(judgement, run_again)] if judgement.goes_on else []
    lines += [f"so it is with {_again(run_again)} in the same process, from {calls}" for calls in beside.also]
    # The one that failed again, though a smaller one may have been found since.
    schedule = failure.example[0] if failure.example is not None else failure.schedule
    return Finding(
        judgement.invariants,
        schedule,
        hidden("\n".join(dict.fromkeys(lines))),
        tuple(map(hidden, _both(*orders) if orders is not None else map(str, judgement.diff))),
        max(1, beside.count),
        tuple((heading, tuple(map(hidden, story))) for heading, story in _phases(schedule, judgement, broken, beside)),
        _document(beside.expected, cleaner),
        _document(beside.actual, cleaner),
        cause.hiding(hidden),
        story=story.steps,
        states=story.states,
        exchange=story.exchange,
    )


def _in_which_process(judgement: Judgement, run_again: bool) -> str:
    return f"{_again(run_again)} in the same process after the error {judgement.executions[0].outcome.error}"


def _again(run_again: bool) -> str:
    return "run called again" if run_again else "recover called"


def _what_is_not_checked(cause: Cause) -> str:
    return f"what the model says is not checked: {', '.join(cause.unchecked)}"


def _both(usual: Diff, other: Diff) -> list[str]:
    """Return the differences of two ends, each seen from the other, in turn: neither is the right one."""
    lines = [f"in the usual order: {change}" for change in usual], [f"in the other order: {change}" for change in other]
    return [line for pair in zip_longest(*lines) for line in pair if line is not None]


def _phases(
    schedule: Schedule, judgement: Judgement, broken: list[str], beside: Beside
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    hidden, run_again = beside.cleaner.clean, beside.run_again
    fired = [injection.describe() for injection in schedule.injections]
    fired += [f"the model said: {hidden(said)[:300]}" for process in judgement.executions for said in process.said]
    phases = [("fault", tuple(fired))]
    phases += [(_called(process, run_again), _story(process, hidden)) for process in judgement.executions]
    phases.append(("invariants", tuple(broken)))
    return tuple(phases)


def _called(process: ProcessRun, run_again: bool) -> str:
    if process.goes_on:
        return f"{process.role} ({'run again' if run_again else 'called'} in the same process)"
    return "recover (run again)" if run_again and process.role == "recover" else process.role


def _story(process: ProcessRun, hidden: Callable[[str], str]) -> tuple[str, ...]:
    outcome = process.outcome
    end = outcome.kind + (f" {outcome.value!r}" if outcome.kind == "returned" else f": {outcome.error}")
    return (*map(str, process.points), hidden(end.rstrip(": "))[:300])


def _document(world: World, cleaner: Cleaner) -> str:
    """Return a `World` as key-sorted JSON without secrets, for a report's own difference view."""
    shown: dict[str, object] = {
        path: cleaner.clean(start_of(e.held, 8000).decode(errors="replace"))[:2000] if e.kind == "file" else e.kind
        for path, e in world.entries.items()
    }
    shown.update({name: rows for tables in (world.tables, world.resources) for name, rows in tables.items()})
    return json.dumps(cleaner.data(shown), sort_keys=True, indent=1, ensure_ascii=False, default=str)


def first_wrong_effects(findings: Iterable[Finding]) -> dict[Role, dict[str, str]]:
    """Return for each role of a process the tokens of points where findings go wrong first, each with the reason."""
    stops: dict[Role, dict[str, str]] = {}
    for one in findings:
        wrong = next((step for step in one.story if step.fate in WRONG_FATES and step.point), None)
        if wrong is not None:
            role: Role = "run" if wrong.life == "run" else "recover"
            stops.setdefault(role, {})[wrong.point] = f"the first wrong effect ({wrong.fate}) comes now"
    return stops
