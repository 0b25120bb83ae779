"""One exploration from its fault-free run to its result: claim the outside, observe, explore, put back."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from ..boundary.process import interrupts
from ..guard.claims import claimed
from ..values.drawn import NONE
from ..values.errors import ChaosError
from ..values.events import ExplorationBegan, Found
from ..values.exploration import Exploration
from ..values.ids import violation_ids
from ..values.real_time import DEBUGGED_S, FIRST_RUNS, PROCESS_S
from ..values.schedule import Schedule
from ..values.sources import remarks_of
from .config import ExplorationConfig
from .crash_state_space import CrashStateSpace
from .curing import Curing, known_of
from .earlier import Earlier
from .execute import Executor
from .exploring import Exploring
from .families import Tried
from .findings import first_wrong_effects
from .judge import Judgement
from .keeping import check_place, keep_all
from .observe import observe
from .process_runs import OWN_PROCESSES, RawState
from .results import Results

_SHARE_OF_FIRST_RUN, _SHARE_OF_PROCESS = 1 / 3, 1 / 10
"""Of a budget: as long as the outside is looked at during the first run, and during any other process."""


class NothingSelected(Exception):
    """The selection leaves nothing to do here; `result` says so, with a shard's place in the whole, and `why` it is."""

    def __init__(self, result: Exploration, why: str = "") -> None:
        super().__init__(result)
        self.result, self.why = result, why


class Explorer:
    """Runs one exploration. When it is done, the outside is as a fault-free run leaves it, or as before.

    Attributes:
        partial: what was found until something interrupted it; None before, and where that is not known.
        exploring: what is explored, once it was observed.
    """

    def __init__(self, config: ExplorationConfig) -> None:
        self.config = config
        self.executor = Executor(config)
        self.exploring: Exploring | None = None
        self.partial: Exploration | None = None
        self._began = 0.0
        self._replayed: tuple[Schedule, Judgement] | None = None
        self._curing = Curing()

    def explore(self, *, reduce: bool = True) -> Exploration:
        """Explore everything that was selected; raises ChaosError where another session explores the same paths."""
        return self._within(lambda: self._explore(reduce))

    def replay(self, schedule: Schedule) -> Exploration:
        """Carry out just this schedule, truly; raises ChaosError as `explore` does."""
        return self._within(lambda: self._replay(schedule))

    def dry_run(self, schedule: Schedule | None) -> Exploration:
        """Run without a fault, and count what would be tried: everything that was selected, or just this schedule."""

        def work() -> Exploration:
            exploring = self._observe()
            if schedule is None and (why := _none_of_the_points(self.config, exploring)):
                raise NothingSelected(self._results.timed(Exploration()), why)
            return self._results.of_dry_run(exploring, schedule)

        return self._within(work)

    def _within(self, work: Callable[[], Exploration]) -> Exploration:
        check_place(self.config)
        # Two sessions in one folder would each take the other's middle for their own state.
        with closing(self.executor), claimed(source.path for source in self.config.sources):
            return self._put_back_after(work)

    def _put_back_after(self, work: Callable[[], Exploration]) -> Exploration:
        self._began = time.monotonic()
        self.executor.telling.events.tell(ExplorationBegan(self.config.test, self.config.label))
        with interrupts.as_exceptions():
            initial = self.executor.capture(0.0)
            put_back = self.executor.prepare()
            try:
                # Before any process of the agent: from here on a kill would leave the user's files in the middle.
                self.executor.outside.hold(initial)
                result = work()
            except BaseException as problem:
                with interrupts.shielded():
                    # A second Ctrl-C must not leave the outside half restored.
                    self.executor.processes.abort()
                    self._end(put_back, initial)
                    if not isinstance(problem, (ChaosError, NothingSelected)):  # that is told as an error
                        self.partial = self._results.interrupted(self.exploring, problem)
                if isinstance(problem, ChaosError):
                    problem.add_to_hint(sorted(self.executor.learned.noticed.unsupported))
                    problem.clean(self.config.cleaner.clean)
                raise
            kept = keep_all(self.executor, self.exploring, result, self._replayed)
            notes = *self.executor.outside.notes, *remarks_of(self.config.twins), *kept
            self.partial = result = self._results.timed(replace(result, notes=notes))
            with interrupts.shielded():
                self._end(put_back, self._to_leave(result, initial))
                _restore_logs(self.exploring, self.config)
        return result

    def _to_leave(self, result: Exploration, initial: RawState) -> RawState:
        """Return the state to leave: the fault-free end if all is well or the token is of a later exploration."""
        if self.exploring is None:
            return initial
        baseline = self.exploring.session.baseline
        failed = _failed(result, self.config.accepted)
        return baseline.initial if failed and not result.elsewhere else baseline.done

    @property
    def _results(self) -> Results:
        return Results(self.executor, self._began, self._curing)

    def _end(self, put_back: Callable[[], None], world: RawState) -> None:
        """Put the outside into the given state, and this process into the one that it had."""
        put_back()
        self.executor.outside.restore(world)
        self.executor.outside.release()

    def _observe(self, *, merge: bool = True, rereads: bool = False) -> Exploring:
        budget_s, began = self.config.budget_s, time.monotonic()
        self.executor.allowance.agree(look_s=None if budget_s is None else budget_s * _SHARE_OF_FIRST_RUN)
        session = observe(self.config, self.executor, rereads=rereads or self.config.rereads)
        self.executor.processes.avoid(session.taken)
        self.executor.allowance.agree(
            limits=session.limits,
            look_s=None if budget_s is None else budget_s * _SHARE_OF_PROCESS,
            patience_s=max(PROCESS_S, FIRST_RUNS * (time.monotonic() - began)),
        )
        until = None if budget_s is None else self._began + budget_s
        self.exploring = Exploring(self.executor, session, until, self._tell, self._is_enough, merge=merge)
        return self.exploring

    def _explore(self, reduce: bool) -> Exploration:
        exploring = self._observe(merge=reduce)
        if why := _none_of_the_points(self.config, exploring):
            raise NothingSelected(self._results.timed(Exploration()), why)
        space, tried = CrashStateSpace(exploring.trials), Tried()
        if reduce:
            exploring.explore(space, tried)
            ended = {"first_finding", "budget"} & exploring.skipped.keys()
            draws = None if ended else self.config.draws
            drawn = exploring.draw(space, *draws) if draws is not None else NONE
            exploring.a_little_longer(
                lambda: self._curing.all(known_of(exploring, space), self._results.cases(exploring))
            )
        else:
            drawn = NONE
            exploring.brute_force(tried)
        tried_any = exploring.findings.schedules or drawn.at_random or drawn.led
        if not tried_any and not exploring.not_reached and not exploring.skipped:
            result = self._results.timed(self._results.whole(exploring, space, tried, drawn, reduced=reduce))
            raise NothingSelected(result, _only_drawn(self.config))
        earlier = Earlier(exploring, lambda: self._ids(exploring))
        earlier.look(self.config.earlier)
        result = self._results.whole(exploring, space, tried, drawn, reduced=reduce)
        return replace(result, replayed=earlier.replayed, not_looked_at=earlier.not_looked_at)

    def _ids(self, exploring: Exploring) -> list[str]:
        """Return the ids of what is confirmed by now."""
        return violation_ids(self.config.test, self._results.violations(exploring))

    def _is_enough(self) -> bool:
        """Return whether a confirmed finding ends the exploration; an accepted one never does."""
        if not self.config.first or self.exploring is None:
            return False
        return not self.config.accepted.issuperset(self._ids(self.exploring))

    def _tell(self) -> None:
        """Tell the readers the findings that are confirmed by now."""
        events = self.executor.telling.events
        if self.exploring is not None and events.wants(Found):
            events.tell(Found(self._results.so_far(self.exploring)))

    def _replay(self, schedule: Schedule) -> Exploration:
        exploring = self._observe(rereads=any(injection.point.verb == "read" for injection in schedule.injections))
        schedule = self.config.cleaner.revealed(schedule, exploring.session.baseline.first.points)
        elsewhere = schedule.injections[0].point not in exploring.session.baseline.first.points
        self.executor.allowance.agree(shown=frozenset() if elsewhere else OWN_PROCESSES)
        came = exploring.replay(schedule)
        self._replayed = schedule, came.judgement
        result = self._results.of_replay(exploring, schedule, came, elsewhere=elsewhere)
        if self.config.converse is not None and not elsewhere:
            # Once more: what goes wrong first is known when it has gone wrong.
            self.executor.allowance.agree(stops=first_wrong_effects(result.violations), patience_s=DEBUGGED_S)
            exploring.truly(schedule)
        return result


def _restore_logs(exploring: Exploring | None, config: ExplorationConfig) -> None:
    if exploring is not None:
        # What twins were asked is no state that is restored: the test is to see the requests of one run.
        for twin, log in zip(config.twins, exploring.session.baseline.requests, strict=True):
            twin.requests[:] = log


def _failed(result: Exploration, accepted: frozenset[str]) -> bool:
    fails = bool(result.drifted or result.errors or result.flaky)
    return fails or not accepted.issuperset(violation_ids(result.test, result.violations))


def _only_drawn(config: ExplorationConfig) -> str:
    """Return why nothing was tried where all selected faults have edits, which are drawn; "" where that is not so."""
    names = [fault.name for fault in config.faults]
    if config.draws is not None or not names or any(fault.edits is None for fault in config.faults):
        return ""
    return f"{', '.join(names)}: drawn, and not listed (--chaos-depth=3 --chaos-minutes=5)"


def _none_of_the_points(config: ExplorationConfig, exploring: Exploring) -> str:
    """Return why none of the points of a run is selected; "" where one is. Raises ChaosError where a mark selects."""
    missing = config.points.missing(exploring.session.baseline.first.points)
    if missing is not None and config.points.is_of_a_test:
        raise missing
    # Typed for many tests, of which others have such a point.
    return "" if missing is None else f"{missing.message}; {missing.hint}"
