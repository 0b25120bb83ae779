"""Explore what was observed: carry schedules out, collect what fails, confirm and audit it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from math import ceil

from ..values.drawn import DrawnSets
from ..values.families import NOT_EXPLORED, family_of, selecting
from ..values.points import Phase, Point
from ..values.schedule import Schedule
from . import brute
from .auditing import Audit
from .budget import OutOfTime
from .causes import Causes, Key, key_of
from .confirming import Confirming
from .crash_state_space import CrashStateSpace
from .drawing import CarriedOut, Drawing
from .execute import Executor
from .families import Tried
from .findings import Findings, FirstFound
from .pace import Pace
from .plan import fits
from .process_runs import Tracing
from .replay import Judged, judged
from .schedules import Schedules
from .session import Session
from .sets import Pool
from .sites import Sites
from .state_view import StateView
from .struck import StruckRuns
from .symptoms import Diagnosis
from .tallying import Tallying
from .trials import trials

_MORE = 4
"""So many times the budget is proposed where it left a whole family out."""


class Exploring:
    """Explores one session.

    Args:
        until: the value of `time.monotonic` at which the budget is spent; None for none.
        tell: is called each time a finding is confirmed.
        is_enough: says whether what is confirmed ends the exploration.
        merge: whether the processes that follow an end are started once for each distinct end.

    Attributes:
        not_reached: schedules whose fault never fired.
        skipped: how many schedules were left out, by the name of the rule.
    """

    def __init__(
        self,
        executor: Executor,
        session: Session,
        until: float | None,
        tell: Callable[[], None],
        is_enough: Callable[[], bool],
        *,
        merge: bool = True,
    ) -> None:
        config, self.until = executor.config, until
        self.session, baseline = session, session.baseline
        # What a fault-free run's own processes left of their pids stands in `taken`, too.
        shown = session.taken.difference(*(process.end.pids for process in (baseline.first, *baseline.others)))
        view = StateView(config, executor.worlds, session.learned, executor.outside.roots, session.masks, shown)
        self.trials = trials(executor, view, baseline, merge=merge)
        self.sites = Sites(executor.call)
        for process in (baseline.first, *baseline.others):
            self.sites.see(process)
        phases_seen = {(s.point, s.when): place for place, s in enumerate(baseline.first.crash_states)}
        struck = StruckRuns(baseline.first)
        self.findings = Findings(Diagnosis(view, baseline).of, struck, partial(_place, phases_seen))
        self.causes = Causes(self.sites, self.findings.size)
        truly = partial(self.truly, trace="for the story")
        self.confirming = Confirming(self.findings, self.causes, truly, tell, is_enough)
        # The end of a worker that goes on is never merged, so there is nothing of it to audit.
        self.audit = Audit(config, executor, view, partial(self.truly, worker=False))
        self.not_reached: list[str] = []
        self.skipped: Mapping[str, int] = {}

    def explore(self, space: CrashStateSpace, tried: Tried) -> None:
        """Carry everything out that was selected, as far as the budget lasts, merging what no recovery tells apart."""
        self._schedules(space, tried)
        self._within_budget(self.confirming.end, more=True)
        if "first_finding" not in self.skipped:
            self._within_budget(lambda: self._audit(space))
        self._end(tried)

    def draw(self, space: CrashStateSpace, most: int, seconds: float) -> DrawnSets:
        """Draw sets of up to `most` faults for so many seconds, and confirm what fails in a new way."""
        config = self.trials.config
        by_few, told = (self._causes_shown(by_few=few) for few in (True, False))
        carried_out = CarriedOut(
            self.trials, self.findings, self.sites, partial(self.truly, worker=False), by_few, told
        )
        until, key = time.monotonic() + seconds, f"rollproof/{config.test}/{config.label}"
        if self.until is not None:
            until = min(until, self.until)
        drawing = Drawing(carried_out, Pool(self.trials, space), most, self._look, until, key)
        self.trials.executor.telling.work_on(lambda role: f"drawing sets of faults: {role}")
        with suppress(FirstFound):
            drawing.draw()
        self.trials.executor.telling.work_on()
        return drawing.drawn

    def _causes_shown(self, *, by_few: bool) -> set[Key]:
        """Return the causes that failures with one error at most show, or the others."""
        some = (one for one in self.findings.failures.values() if one.schedule.is_enumerated is by_few)
        return {key_of(symptom, self.sites) for one in some for symptom in one.symptoms.own}

    def brute_force(self, tried: Tried) -> None:
        """Carry everything out by itself, up to two crashes, as far as the budget lasts."""
        if not self._within_budget(self._brute_force):
            self.skipped = {"budget": 1}  # nobody knows how much is left
        self._within_budget(self.confirming.end, more=True)
        self._end(tried)

    def replay(self, schedule: Schedule) -> Judged:
        """Carry out this schedule alone, truly, and note its judgement."""
        came = self.truly(schedule, trace=True)
        self.not_reached = came.not_reached
        if not came.not_reached:
            self.findings.add(schedule, came.judgement, again=came.again)
        return came

    def truly(self, schedule: Schedule, *, trace: Tracing = False, worker: bool = True) -> Judged:
        """Carry a schedule out from the start and judge it, nothing remembered from before."""
        known = self.trials
        look: Tracing = "for the story" if trace else False
        once = trials(known.executor, known.view, known.baseline, merge=False, look=look)
        return judged(once, schedule, trace=trace, worker=worker)

    def a_little_longer(self, work: Callable[[], None]) -> None:
        """Do a piece of work when all is explored, for as long as what was found may be carried out again."""
        self._within_budget(work, more=True)
        self.trials.executor.allowance.deadline.set(None)

    def _within_budget(self, work: Callable[[], None], *, more: bool = False) -> bool:
        """Do a piece of work as far as the budget lasts, with `more` a little longer; returns whether it ended."""
        budget_s, deadline = self.trials.config.budget_s, self.trials.executor.allowance.deadline
        if budget_s is not None and self.until is not None:
            # Also when the budget is spent: what is not carried out again cannot be told as a violation.
            later = max(self.until, time.monotonic()) + _confirming_s(budget_s)
            deadline.set(later if more else self.until)
        with suppress(OutOfTime):
            work()
            return True
        return False

    def _schedules(self, space: CrashStateSpace, tried: Tried) -> None:
        executor, config = self.trials.executor, self.trials.config
        tally = Tallying(self.trials.view, self.findings, self.not_reached)
        pace = Pace(self.trials, space, tally, self._look)
        schedules = Schedules(pace, tried, self._begin_with_what_failed)
        with executor.reusing.switched(config.reuse and not config.reach):
            self._within_budget(schedules.carry_out)
        # Confirmations and audits compare with fresh processes.
        executor.processes.retire()
        self.skipped = pace.skipped

    def _begin_with_what_failed(self) -> None:
        """Carry out what failed in the last session; what still fails is confirmed, and told at once.

        All else is dropped: what holds by now, what is not reached any more. It counts as nothing but executions.
        """
        config, effects = self.trials.config, self.trials.baseline.first.effects
        with self.trials.executor.afresh(), suppress(OutOfTime):  # what follows asks for the time itself
            for token in config.failed_before:
                schedule = config.cleaner.revealed(token, self.session.baseline.first.points)
                if not fits(schedule, config.known, effects):
                    continue
                judgement, not_reached, again = self.truly(schedule, trace=True)
                for end in (judgement, again) if not not_reached else ():
                    if end is not None and end.broken and not end.errors:
                        self.findings.begin(schedule, end)
                        self.confirming.look()

    def _look(self) -> None:
        """Confirm what was found since the last look, each in processes of its own."""
        if self.confirming.has_new:
            with self.trials.executor.afresh():
                self.confirming.look()

    def _end(self, tried: Tried) -> None:
        """Report each family of which nothing was tried as not explored, an error; the budget counts no more."""
        self.trials.executor.allowance.deadline.set(None)
        if self.skipped.get("budget"):
            self.findings.errors.update(dict.fromkeys(_not_explored(tried, self.trials.config.budget_s or 0)))
        for text in self.confirming.unconfirmed():
            self.findings.errors[text] = None

    def _audit(self, space: CrashStateSpace) -> None:
        try:
            self.audit.equal_worlds(space, self.trials.baseline)
            self.audit.joined(space)
            self.audit.used_processes()
        finally:
            self.findings.errors.update(dict.fromkeys(self.audit.errors))

    def _brute_force(self) -> None:
        for schedule, judgement, again in brute.everything(self.trials, self.not_reached):
            self.findings.add(schedule, judgement, again=again)


def _place(phases_seen: Mapping[tuple[Point, Phase], int], schedule: Schedule) -> int:
    """Return the position in the fault-free run at which a schedule begins; its length for any other one."""
    first = schedule.injections[0]
    return phases_seen.get((first.point, first.when), len(phases_seen))


def _confirming_s(budget_s: float) -> float:
    """Return for how long what was found may be carried out again when the budget is spent."""
    return 1.0 + budget_s / 6


def _not_explored(tried: Tried, budget_s: float) -> Iterator[str]:
    """Yield for each family of which nothing was tried that it was left out, and what to type."""
    left_out = {name: planned for name, (count, planned) in tried.left_out().items() if not count}
    faults = selecting(fault for fault in tried.places if family_of(fault) in left_out)
    alone = f", or only what was left out: --chaos-faults='{faults}'" if faults and any(tried.judged.values()) else ""
    more = max(1, ceil(_MORE * budget_s))
    for name, planned in left_out.items():
        yield (
            f"{NOT_EXPLORED}0 of {planned} {name} were tried, --chaos-budget ran out\n"
            f"nothing went wrong there, time ran out: give it more, e.g. --chaos-budget={more}{alone}"
        )
