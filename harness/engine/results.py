"""Build the result of an exploration, the value that every report reads."""

import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..values.drawn import NONE, DrawnSets
from ..values.dry_run import singles_of
from ..values.errors import nearest
from ..values.exploration import Exploration, Finding, counted
from ..values.families import CRASHES
from ..values.media import medium_of
from ..values.points import Point
from ..values.rare import rare
from ..values.schedule import Schedule
from ..values.story import Cure
from ..values.world import Diff
from ..world.volatile.leases import live_leases
from . import counting
from .blamed_lines import blamed_lines, without_secrets
from .causes import Group
from .claim import Ran, claim, covered, interruption, why_not_reached
from .crash_state_space import CrashStateSpace
from .cures.remedy import Case
from .curing import Curing
from .execute import Executor
from .exploring import Exploring
from .facts import Setting, facts
from .families import Tried
from .findings import Beside, Failure, finding, promises
from .judge import Judgement
from .naming import Naming
from .process_runs import RawState
from .replay import Judged
from .severity import in_order
from .signs import Seen
from .story import Stories
from .worded import worded


class Results:
    """Builds the result from what is known by now.

    Args:
        began: the value of `time.monotonic` at which the exploration began.
        curing: has the kinds and cures that were found out by trying.
    """

    def __init__(self, executor: Executor, began: float, curing: Curing) -> None:
        self._executor, self._config, self._began, self._curing = executor, executor.config, began, curing

    def whole(
        self,
        exploring: Exploring,
        space: CrashStateSpace,
        tried: Tried,
        drawn: DrawnSets = NONE,
        *,
        reduced: bool,
    ) -> Exploration:
        """Return the result of an exploration that came to its end."""
        noticed, audit, first = self._executor.learned.noticed, exploring.audit, exploring.session.baseline.first
        result = self._judged(
            exploring,
            # The audit tells of its own.
            executions=self._executions - audit.executions,
            worlds=len(space.nodes) - len(space.merging.joined),
            closed=self._is_closed(exploring, space, tried, reduced),
            skipped={**exploring.skipped, **space.interleaving_budget.skipped, **space.rules.left_out},
            unintercepted=tuple(noticed.unintercepted),
            unwatched=(*_still_there(noticed.unwatched), *self._executor.outside.linked),
            concurrent=tuple(sorted({*noticed.concurrent, *space.interleaving_budget.fixed})),
            orders=space.interleaving_budget.tried,
            inside=tuple(sorted(noticed.inside)),
            asked=tuple(noticed.asked),
            unheld=tuple(sorted(noticed.unheld)),
            unordered=tuple(sorted(noticed.unordered)),
            not_explored=noticed.not_explored,
            audited=audit.audited,
            growing=tuple(space.rules.growing),
            not_tried=tried.left_out(),
            firing={f.name: tuple(map(str, tried.places.get(f.name, ()))) for f in self._config.faults},
            places=tuple(map(str, self._config.points.of(first.points))),
            only_at=self._config.points.told(tuple(map(str, first.points))),
            drawn=drawn,
            violations=self.violations(exploring),
            flaky=tuple(exploring.confirming.flaky()),
            result=first.outcome.value,
        )
        reusing = self._executor.reusing
        ran = Ran(space.rules.cut_at_crashes, reduced, audit, reusing.reused, len(reusing.samples))
        model = covered(result, self._config, ran)
        return replace(result, statement=claim(result, self._config, ran), model=model)

    def of_replay(self, exploring: Exploring, schedule: Schedule, came: Judged, *, elsewhere: bool) -> Exploration:
        """Return the result of one schedule; `elsewhere` says that this run has no such point."""
        points = exploring.session.baseline.first.points
        groups = exploring.causes.groups(exploring.findings.failures.values())
        examples = [(one, one.failures[0]) for one in groups]
        found = in_order((self._finding(exploring, *one, one[1].judgement), one[1].is_race) for one in examples)
        not_reached = came.not_reached
        outcome = counted(len(found), "violation")
        if not_reached:
            outcome = why_not_reached(schedule, came.judgement.executions, not_reached)
        if not_reached and elsewhere:
            outcome += f"; nearest: {', '.join(nearest(str(schedule.injections[0].point), map(str, points)))}"
        return self._judged(
            exploring,
            schedules=1,
            violations=found,
            result=exploring.session.baseline.first.outcome.value,
            elsewhere=elsewhere,
            not_explored=tuple(sorted(self._executor.learned.noticed.unsupported)),
            statement=f"replayed {schedule}: {outcome}",
        )

    def of_dry_run(self, exploring: Exploring, pinned: Schedule | None) -> Exploration:
        """Return what would be tried after the fault-free run: `pinned` alone, or everything that was selected."""
        first = exploring.session.baseline.first
        points = _count(first.points)
        each_s = self._executor.telling.each_s
        found = counting.counted(first, self._config, points, each_s, "" if pinned is None else str(pinned))
        statement = f"dry run: {points} points, {counted(singles_of(found), 'schedule')} of one fault, none carried out"
        return Exploration(points=points, result=first.outcome.value, statement=statement, dry_run=found)

    def so_far(self, exploring: Exploring) -> Exploration:
        """Return the result as confirmed by now."""
        violations, executions = self.violations(exploring), self._executions
        return self.timed(
            Exploration(
                points=_count(exploring.session.baseline.first.points),
                schedules=exploring.findings.schedules,
                executions=executions,
                violations=violations,
                statement=f"{counted(len(violations), 'violation')} after {executions} executions; exploring on",
            )
        )

    def interrupted(self, exploring: Exploring | None, problem: BaseException) -> Exploration:
        """Return the result up to where `problem` ended the exploration.

        A failure that was not confirmed yet is told as not judged; nothing is where it ended before anything was known.
        """
        rare("an exploration is interrupted")
        noticed, why = self._executor.learned.noticed, interruption(problem)
        kept = {
            "unintercepted": tuple(noticed.unintercepted),
            "unwatched": _still_there(noticed.unwatched),
            "not_explored": noticed.not_explored,
            "interrupted": why,
        }
        executions = self._executions
        if exploring is None:
            result, seen = Exploration(executions=executions, **kept), []  # type: ignore[arg-type]
        else:
            seen = [f"{text}: interrupted" for text in exploring.confirming.unconfirmed()]
            result = self._judged(
                exploring,
                skipped=exploring.skipped,
                violations=self.violations(exploring),
                flaky=tuple(exploring.confirming.flaky()),
                errors=(*exploring.findings.errors, *seen),
                **kept,
            )
        judged = f"{result.points} points, {result.schedules} schedules judged"
        found = f"{counted(len(result.violations), 'violation')}, {len(seen)} more seen once"
        text = f"interrupted by {why} after {executions} executions: {judged}, {found}"
        return self.timed(replace(result, statement=text))

    def timed(self, result: Exploration) -> Exploration:
        """Return a result with what it is called, how long it took, and the faults that nobody carried out.

        It has no secrets any more: all that is told of an exploration comes from here.
        """
        config, seconds = self._config, time.monotonic() - self._began
        errors = (*result.errors, *self._executor.learned.unconfirmed)
        result = replace(result, test=config.test, name=config.name, label=config.label)
        selected = {fault.name for fault in config.faults}
        left_out = [fault for name, fault in config.known.items() if name not in selected]
        found = replace(
            result,
            seconds=seconds,
            spent=self._executor.telling.spent.so_far(),
            errors=errors,
            shard=config.shard,
            not_selected=tuple(fault.name for fault in left_out),
            on_request=tuple(fault.name for fault in left_out if not fault.by_default),
            permitted=tuple(sorted(config.hosts)),
        )
        return config.cleaner.result(found)

    def violations(self, exploring: Exploring) -> tuple[Finding, ...]:
        """Return the confirmed findings so far, one for each cause; races, then the gravest first."""
        confirmed = exploring.confirming.confirmed()
        return in_order((self._finding(exploring, *one), one[1].is_race) for one in confirmed)

    def cases(self, exploring: Exploring) -> list[Case]:
        """Return the confirmed causes so far, as cures are tried on them."""
        naming, baseline = self._naming(exploring), exploring.session.baseline
        private = frozenset(number for number, source in enumerate(self._config.sources) if source.private)
        services, leases = tuple(self._config.services), partial(_leases, exploring)
        return [
            Case(
                group,
                failure,
                judgement,
                naming.cause(group, failure),
                baseline,
                private=private,
                services=services,
                leases=leases,
            )
            for group, failure, judgement in exploring.confirming.confirmed()
        ]

    @property
    def _executions(self) -> int:
        """Return how many processes were run, without those of cures."""
        return self._executor.telling.executions - self._curing.executions

    def _naming(self, exploring: Exploring) -> Naming:
        first = exploring.session.baseline.first
        return Naming(exploring.sites, self._config.root, self._executor.call, first)

    def _judged(self, exploring: Exploring, **more: object) -> Exploration:
        """Return a result with the fields that every result has, and `more`."""
        judged = {
            "points": _count(exploring.session.baseline.first.points),
            "schedules": exploring.findings.schedules,
            "executions": self._executions,
            "drifted": tuple(exploring.not_reached),
            "masked": exploring.session.masks.lines(),
            "errors": tuple(exploring.findings.errors),
            "cells": exploring.findings.table(),
            "struck": exploring.findings.struck.so_far(),
            "verdicts": dict(sorted(exploring.trials.judge.verdicts.items())),
        }
        return Exploration(**{**judged, **more})  # type: ignore[arg-type]

    def _finding(self, exploring: Exploring, group: Group, failure: Failure, judgement: Judgement) -> Finding:
        config, view, baseline = self._config, exploring.trials.view, exploring.session.baseline
        naming = self._naming(exploring)
        cause = naming.cause(group, failure)
        schedule = failure.example[0] if failure.example is not None else failure.schedule
        broken = promises(judgement, by_order=cause.way == "by order")
        beside = Beside(
            reach=naming.reach(group, cause),
            orders=_both_ways(exploring, judgement) if cause.way == "by order" else None,
            count=sum(one.count for one in group.failures),
            expected=view.world(baseline.done),
            actual=view.world(judgement.end),
            cleaner=config.cleaner,
            run_again=config.run is config.recover,
            story=Stories(view, baseline, config.root).of(schedule, judgement, broken),
            also=tuple(", ".join(naming.cause(one, one.failures[0]).callers) for one in group.also),
        )
        found = finding(failure, cause, judgement, beside)
        hidden, named = config.cleaner.clean, naming.symptom(group, failure)
        seen = naming.seen((baseline.first, *judgement.earlier, *judgement.executions))
        lines = blamed_lines(found.story, cause, seen, naming.code)
        found = replace(found, blamed=tuple(without_secrets(line, hidden) for line in lines))
        seen_of = Seen(judgement, baseline, view, config.sources, cause.effect, named.change)
        signs = seen_of.signs()
        told = facts(
            cause.hiding(hidden),
            seen_of.told(cause, named.side, signs),
            found.planned,
            judgement,
            (beside.expected, beside.actual),
            Setting(config.known, beside.run_again, hidden),
        )
        schedules = (one for each in group.failures for one in (each.schedule, *each.also))
        found = worded(found, replace(told, signs=signs), schedules)
        kind, cure = self._curing.found.get(group.key, ("", Cure()))
        cure = replace(cure, tried=hidden(cure.tried), outcome=hidden(cure.outcome))
        return replace(found, kind=kind or found.kind, cure=cure)

    def _is_closed(self, exploring: Exploring, space: CrashStateSpace, tried: Tried, reduced: bool) -> bool:
        whole = space.closed and CRASHES not in tried.left_out() and not self._executor.learned.noticed.unseen
        whole = whole and not {"budget", "first_finding"} & exploring.skipped.keys()
        whole = whole and not self._config.points  # at other points crashes are left out
        return reduced and whole and self._config.kill is not None and not exploring.not_reached


def _leases(exploring: Exploring, state: RawState) -> dict[str, float]:
    """Return when each live lease of a state runs out, by the file or table that it is in."""
    ends: dict[str, float] = {}
    for place, until in live_leases(exploring.trials.view.world(state), state.clock).items():
        ends[place[0]] = max(until, ends.get(place[0], until))
    return ends


def _both_ways(exploring: Exploring, judgement: Judgement) -> tuple[Diff, Diff]:
    """Return the differences of the fault-free run's end from another end, and the reverse."""
    done, difference = exploring.session.baseline.done, exploring.trials.view.difference
    return difference(judgement.end, done), difference(done, judgement.end)


def _count(points: Iterable[Point]) -> int:
    """Count the points that touch the outside: a sleep does not."""
    return sum(medium_of(point.kind).touches_outside for point in points)


def _still_there(paths: Iterable[str]) -> tuple[str, ...]:
    # A temporary file that is gone by now needs no watching.
    return tuple(sorted({path for path in paths if Path(path).exists()}))
