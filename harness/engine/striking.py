"""Let faults strike that leave the process alive, and try crashes after them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..boundary.armed import Armed
from ..values.media import medium_of
from ..values.rare import rare
from ..values.schedule import Injection, Schedule
from . import worker
from .execute import How
from .judge import Judgement
from .lives import FIRST_STREAM, Lived, Sighting, Tracing
from .nodes import Node, Stage
from .pace import Pace
from .plan import crash
from .singles import same_as_once


@dataclass(slots=True)
class Struck:
    """What came of a fault that left its process alive."""

    armed: Armed
    life: Lived
    judgement: Judgement
    node: Node | None
    again: Judgement | None = None


class Striking:
    """Carries out runs in which something strikes, merging what no recovery can tell apart."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._trials, self._closure, self._tally = pace, pace.trials, pace.closure, pace.tally
        self._once: dict[Injection, Struck] = {}
        self._outliving: dict[tuple[str, ...], tuple[Armed, list[Sighting]]] = {}

    def error(self, first: tuple[Armed, ...], armed: Armed) -> Struck | None:
        """Let a fault strike that leaves the process alive, in a run in which `first` strikes, and judge what comes.

        What leaves `run` joins the closure, and so does what a crash later in this run leaves.
        """
        schedule = Schedule((*(one.injection for one in first), armed.injection))
        once = self._once.pop(replace(armed.injection, lasting=False), None) if armed.injection.lasting else None
        if once is not None and not first and same_as_once(armed, once.armed, once.life):
            rare("a lasting fault does no more than a single one")
            self._tally.count(schedule, once.judgement, once.node, once.again)
            return None
        struck = self._strike(schedule, (*first, replace(armed, position=len(first))))
        lasts = self._trials.setting.known[armed.injection.fault].lasting and not armed.injection.lasting
        if struck is not None and not first and lasts:
            self._once[armed.injection] = struck  # the lasting one comes next, and may do no more
        return struck

    def _strike(self, schedule: Schedule, plan: tuple[Armed, ...]) -> Struck | None:
        follows = schedule.faults == 1
        traced = follows and (self._trials.setting.kill is not None or self._trials.setting.depth > 1)
        relayed = not all(medium_of(armed.injection.point.kind).in_process for armed in plan)
        trace: Tracing = "once struck" if traced and not relayed else traced
        life = self.run(plan, trace)
        if len(life.struck) < len(plan):
            if schedule.faults < len(plan):
                self._closure.tally.skipped["held_in_vain"] += 1
            else:
                rare("a planned fault is not reached")
                self._tally.drifted.append(str(schedule))
            return None
        lives, node = [life, *self._trials.recovery.outlasted(life, plan)], None
        if self._trials.recovery.is_needed(lives[-1]):
            stage = Stage.SINGLE if follows else Stage.SECOND_FAULT
            key = self._closure.add(lives[-1].end, schedule, stage, follow=follows, left_by=life)
            node = self._closure.settle(key)
            lives += node.recovery
        judgement = self._trials.judged(schedule, lives)
        again = worker.judged(self._trials, life, plan, judgement)
        self._tally.count(schedule, judgement, node if follows else None, again)
        if traced and self._trials.setting.kill is not None:
            self._crashes_after(schedule, plan[-1], life)
        return Struck(plan[-1], life, judgement, node, again)

    def run(self, plan: tuple[Armed, ...], trace: Tracing) -> Lived:
        """Let the run meet a plan; where an error leaves it, its process is called again."""
        how = How(trace=trace, again=worker.again(self._trials, plan))
        return self._trials.executor.live("run", self._trials.baseline.initial, FIRST_STREAM, plan, how)

    def _crashes_after(self, schedule: Schedule, armed: Armed, life: Lived) -> None:
        """Let the worlds join the closure that a crash after an error leaves, in its handlers or later."""
        moments = [(s.point, s.when) for s in life.sightings]
        struck = (armed.injection.point, armed.injection.when)
        for sighting in life.sightings[moments.index(struck) + 1 if struck in moments else 0 :]:
            if armed.outlives:
                self._outliving.setdefault(self._outlived_by(armed, sighting), (armed, []))[1].append(sighting)
                continue
            crashed = schedule.then(crash(sighting, recovering=False))
            key = self._closure.add(sighting.world, crashed, Stage.CRASH_AFTER_AN_ERROR, left_by=life)
            self._tally.reached(key, crashed)

    def _outlived_by(self, armed: Armed, sighting: Sighting) -> tuple[str, ...]:
        """Return the same for crashes after which the first recovery meets the same fault, host and world."""
        injection = armed.injection
        host = injection.point.target.partition("/")[0]
        name = f"{injection.fault}.{injection.variant}"
        return name, injection.when, injection.point.kind, host, self._trials.lens.identity(sighting.world)

    def crashes_after_errors(self) -> None:
        """Try the crashes in all runs in which an error struck."""
        self._pace.close(Stage.CRASH_AFTER_AN_ERROR)
        for armed, sightings in self._outliving.values():
            self._pace.attempt(partial(self._crash_while_it_lasts, armed, sightings), len(sightings))

    def _crash_while_it_lasts(self, armed: Armed, sightings: Sequence[Sighting]) -> None:
        """Crash where one world is left, in a run in which something struck that the first recovery meets too."""
        sighting = sightings[0]
        schedule = Schedule((armed.injection, crash(sighting, recovering=False)))
        begun = (replace(armed, position=0, begun=True),)
        lives = self._trials.recovery.recover(sighting.world, trace=False, plan=begun)
        node = self._closure.settle(self._closure.add(lives[-1].end, schedule, Stage.REST, follow=False))
        judgement = self._trials.judged(schedule, [*lives, *node.recovery])
        for one in sightings:
            self._tally.count(Schedule((armed.injection, crash(one, recovering=False))), judgement)
