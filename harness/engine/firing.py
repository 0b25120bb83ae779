"""Fire faults that leave the process alive, and try crashes after them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..boundary.resolved import ResolvedInjection
from ..values.media import medium_of
from ..values.rare import rare
from ..values.schedule import Injection, Schedule
from . import worker
from .execute import How
from .judge import Judgement
from .nodes import Node, Stage
from .pace import Pace
from .plan import crash
from .process_runs import FIRST_STREAM, CrashState, ProcessRun, Tracing
from .singles import same_as_once


@dataclass(slots=True)
class Fired:
    """A fault that left its process alive, the process, and the judgement."""

    resolved: ResolvedInjection
    process: ProcessRun
    judgement: Judgement
    node: Node | None
    again: Judgement | None = None


class Firing:
    """Carries out runs in which a fault fires, merging the ends that no recovery can tell apart."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._trials, self._closure, self._tally = pace, pace.trials, pace.space, pace.tally
        self._once: dict[Injection, Fired] = {}
        self._surviving: dict[tuple[str, ...], tuple[ResolvedInjection, list[CrashState]]] = {}

    def error(self, first: tuple[ResolvedInjection, ...], resolved: ResolvedInjection) -> Fired | None:
        """Run and judge a fault that leaves the process alive, in a run in which `first` fires before it.

        If an error leaves `run`, its end is added to the crash states, and so is what a crash later in this run leaves.
        """
        schedule = Schedule((*(one.injection for one in first), resolved.injection))
        # The single variant came before this lasting one. If it reached no later point of the fault, both are one run.
        once = self._once.pop(replace(resolved.injection, lasting=False), None) if resolved.injection.lasting else None
        if once is not None and not first and same_as_once(resolved, once.resolved, once.process):
            rare("a lasting fault does no more than a single one")
            self._tally.count(schedule, once.judgement, once.node, once.again, merged=True)
            return None
        fired = self._fire(schedule, (*first, replace(resolved, position=len(first))))
        lasts = self._trials.config.known[resolved.injection.fault].lasting and not resolved.injection.lasting
        if fired is not None and not first and lasts:
            self._once[resolved.injection] = fired  # the lasting one comes next, and may do no more
        return fired

    def _fire(self, schedule: Schedule, plan: tuple[ResolvedInjection, ...]) -> Fired | None:
        follows = schedule.faults == 1
        traced = follows and (self._trials.config.kill is not None or self._trials.config.depth > 1)
        # Until the fault fires the run is the fault-free one, whose crash states are known. The process can begin to be
        # looked at there only where it fires the fault itself, and no relay does.
        relayed = not all(medium_of(resolved.injection.point.kind).in_process for resolved in plan)
        trace: Tracing = "once fired" if traced and not relayed else traced
        process = self.run(plan, trace)
        if len(process.fired) < len(plan):
            # With an interleaving in the plan: the other actor could not come first, and no fault was missed.
            if schedule.faults < len(plan):
                self._closure.interleaving_budget.skipped["held_in_vain"] += 1
            else:
                self._pace.missed(schedule, [process])
            return None
        processes, node = [process, *self._trials.recovery.outlasted(process, plan)], None
        if self._trials.recovery.is_needed(processes[-1]):
            stage = Stage.SINGLE if follows else Stage.SECOND_FAULT
            key = self._closure.add(processes[-1].end, schedule, stage, follow=follows, left_by=process)
            node = self._closure.settle(key)
            processes += node.recovery
        judgement = self._trials.judged(schedule, processes)
        again = worker.judged(self._trials, process, plan, judgement)
        self._tally.count(schedule, judgement, node if follows else None, again)
        if traced and self._trials.config.kill is not None:
            self._crashes_after(schedule, plan[-1], process)
        return Fired(plan[-1], process, judgement, node, again)

    def run(self, plan: tuple[ResolvedInjection, ...], trace: Tracing) -> ProcessRun:
        """Run `run` under a plan; where an error leaves it, its process is called again."""
        how = How(trace=trace, again=worker.again(self._trials, plan))
        return self._trials.executor.run_process("run", self._trials.baseline.initial, FIRST_STREAM, plan, how)

    def _crashes_after(self, schedule: Schedule, resolved: ResolvedInjection, process: ProcessRun) -> None:
        """Add the states that a crash after an error leaves, in its handlers or later, to the crash states."""
        phases_seen = [(s.point, s.when) for s in process.crash_states]
        fired = (resolved.injection.point, resolved.injection.when)
        later = process.crash_states[phases_seen.index(fired) + 1 if fired in phases_seen else 0 :]
        for crash_state in self._trials.config.killed_at(later):
            # Crash states are recovered from by healthy processes; here the first recovery meets the fault as well.
            if resolved.survives_restart:
                self._surviving.setdefault(self._survived_by(resolved, crash_state), (resolved, []))[1].append(
                    crash_state
                )
                continue
            crashed = schedule.then(crash(crash_state, recovering=False))
            key = self._closure.add(crash_state.raw_state, crashed, Stage.CRASH_AFTER_AN_ERROR, left_by=process)
            self._tally.reached(key, crashed)

    def _survived_by(self, resolved: ResolvedInjection, crash_state: CrashState) -> tuple[str, ...]:
        """Return the key of a crash: if two are equal, their first recoveries meet the same fault, host and state."""
        injection = resolved.injection
        host = injection.point.target.partition("/")[0]
        name = f"{injection.fault}.{injection.variant}"
        return name, injection.when, injection.point.kind, host, self._trials.view.fingerprint(crash_state.raw_state)

    def crashes_after_errors(self) -> None:
        """Try the crashes in all runs in which an error fired."""
        self._pace.close(Stage.CRASH_AFTER_AN_ERROR)
        for resolved, crash_states in self._surviving.values():
            self._pace.attempt(partial(self._crash_while_it_lasts, resolved, crash_states), len(crash_states))

    def _crash_while_it_lasts(self, resolved: ResolvedInjection, crash_states: Sequence[CrashState]) -> None:
        """Judge a crash after a fault that survives the restart: the first recovery meets the fault, too."""
        # All of them lead to the same recovery (`_survived_by`): it runs once and counts for each.
        crash_state = crash_states[0]
        schedule = Schedule((resolved.injection, crash(crash_state, recovering=False)))
        begun = (replace(resolved, position=0, already_active=True),)
        processes = self._trials.recovery.recover(crash_state.raw_state, trace=False, plan=begun)
        node = self._closure.settle(self._closure.add(processes[-1].end, schedule, Stage.REST, follow=False))
        judgement = self._trials.judged(schedule, [*processes, *node.recovery])
        for one in crash_states:
            alike = Schedule((resolved.injection, crash(one, recovering=False)))
            self._tally.count(alike, judgement, merged=one is not crash_state)
