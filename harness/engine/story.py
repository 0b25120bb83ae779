"""Tell the story of a confirmed failure: its steps in true order, the outside meanwhile, what models were asked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..boundary.resolved import ResolvedInjection
from ..values.actions import Preempt, Respond, Say
from ..values.media import medium_of
from ..values.places import Place, shown_file
from ..values.points import Point
from ..values.schedule import Schedule
from ..values.story import Exchange, States, Step, StoryPhase, beginning
from .fates import EffectId, fates
from .fault_words import fault_told
from .judge import Judgement
from .plain import hiding, plain, request_told, states_told
from .process_runs import OWN_PROCESSES, ProcessRun, RawState
from .session import Baseline
from .state_view import StateView

_SHOWN, _DETAIL, _EXCHANGES = 300, 4000, 20


@dataclass(frozen=True, slots=True)
class Told:
    """The story of a failure, the outside meanwhile, and what was asked of models."""

    steps: tuple[Step, ...] = ()
    states: States = field(default_factory=States)
    exchange: tuple[Exchange, ...] = ()

    def hiding(self, hidden: Callable[[str], str]) -> "Told":
        """Return the story with the secrets in each of its texts hidden."""
        steps = [
            replace(step, point=hidden(step.point), outcome=hidden(step.outcome), detail=hidden(step.detail))
            for step in self.steps
        ]
        sides = (self.states.before, self.states.fault, self.states.end, self.states.right)
        asked = (Exchange(one.step, hiding(one.request, hidden), hiding(one.answer, hidden)) for one in self.exchange)
        return Told(tuple(steps), States(*(hiding(side, hidden) for side in sides)), tuple(asked))


class Stories:
    """Tells the stories of one exploration.

    Args:
        root: the folder that files are named below; others are named whole.
    """

    def __init__(self, view: StateView, baseline: Baseline, root: Path | None) -> None:
        self._view, self._baseline, self._root = view, baseline, root

    def of(self, schedule: Schedule, judgement: Judgement, promises: Sequence[str]) -> Told:
        """Return the story of a judgement; `promises` says of each broken one how, in the order of the judgement."""
        if not judgement.story:
            judgement.story.append(self._told(schedule, judgement, promises))
        told: Told = judgement.story[0]
        return told

    def _told(self, schedule: Schedule, judgement: Judgement, promises: Sequence[str]) -> Told:
        world = self._view.world
        before, done = world(self._baseline.initial), world(self._baseline.done)
        steps, effects = self._steps(judgement)
        exchange = tuple(_exchange(judgement, steps, effects))
        struck, end = world(at_the_fault(schedule, judgement, self._baseline.first)), world(_shown_end(judgement))
        steps += _promises(judgement, promises, max(step.at_s for step in steps))
        return Told(tuple(steps), states_told(before, struck, end, done), exchange)

    def _steps(self, judgement: Judgement) -> tuple[list[Step], list[EffectId | None]]:
        """Return the steps of all processes, and for each the point that it is about; None for the end of a process."""
        became, birth = fates(self._view, judgement, self._baseline.first), judgement.executions[0].start.clock
        steps: list[Step] = []
        effects: list[EffectId | None] = []
        lives = _lives(judgement.executions)
        for number, (process, life) in enumerate(zip(judgement.executions, lives, strict=True)):
            for point, step in _Life(process, life, birth, self._root).steps():
                effect = None if point is None else EffectId(number, point)
                fate = became.get(effect, "") if effect is not None and step.phase != "fault" else ""
                steps.append(replace(step, fate=fate))
                effects.append(effect)
        return steps, effects


def _promises(judgement: Judgement, promises: Sequence[str], at_s: float) -> Iterator[Step]:
    """Yield a step for each broken promise, of the process that shows it where that is a certain one."""
    lives = dict(zip(map(id, judgement.executions), _lives(judgement.executions), strict=True))
    for (_, violation), text in zip(judgement.broken, promises, strict=True):
        yield Step(lives.get(id(judgement.process(violation)), ""), "promises", "", text, at_s)


def _lives(processes: Sequence[ProcessRun]) -> list[str]:
    """Return the name of each process: ``run``, ``recover``, ``recover 2``, ``recover again``."""
    names, recoveries = [], 0
    for process in processes:
        name: str = process.role
        if name in ("recover", "recover early"):
            recoveries += 1
            name = "recover" if recoveries == 1 else f"recover {recoveries}"
        names.append(f"{name} in the same process" if process.goes_on else name)
    return names


@dataclass(frozen=True, slots=True)
class _Struck:
    """A fault that fired: at the point of this number, ahead of its effect or behind it."""

    at: int
    resolved: ResolvedInjection

    @property
    def is_ahead(self) -> bool:
        """Return whether it is told before its effect; a preemption is told before the effects that it lets pass."""
        return self.resolved.injection.when == "before" or isinstance(self.resolved.action, Preempt)

    @property
    def prevents(self) -> bool:
        """Return whether it takes the place of its effect, unless that is seen to come to its end all the same."""
        return self.is_ahead and not isinstance(self.resolved.action, Preempt)


@dataclass(slots=True)
class _Life:
    """Tells the steps of one process.

    Attributes:
        birth: the virtual time at which the first process of the story began.
    """

    process: ProcessRun
    life: str
    birth: float
    root: Path | None
    at_s: float = 0.0
    phase: StoryPhase = "before the fault"

    def steps(self) -> Iterator[tuple[Point | None, Step]]:
        """Yield each step, with its point where it is one, in the order in which they came."""
        process = self.process
        self._pass(process.start.clock)
        self.phase = "before the fault" if process.role == "run" else "recovery"
        struck = self._struck()
        for number, point in enumerate(process.points):
            now = [one for one in struck if one.at == number]
            yield from self._faults(one for one in now if one.is_ahead)
            prevented = any(one.prevents for one in now)
            if not prevented or _came(process, point) is not None:
                yield point, self._effect(point)
            yield from self._faults(one for one in now if not one.is_ahead)
        yield from self._faults(one for one in struck if one.at >= len(process.points))
        yield None, self._end()

    def _struck(self) -> list["_Struck"]:
        """Return the faults that fired in this process."""
        process = self.process
        numbers = {point: number for number, point in enumerate(process.points)}
        found = []
        for one in process.plan:
            if one.position in process.fired and not one.already_active:
                strike = process.strikes.get(one.position)
                at = numbers.get(one.injection.point, len(numbers))
                if strike is not None and isinstance(one.action, Preempt):
                    at = min(at, strike.points)
                elif strike is not None and one.injection.when != "before":
                    # Others may have come to their points while this effect was under way.
                    at = max(at, strike.points - 1)
                found.append(_Struck(at, one))
        return found

    def _faults(self, struck: Iterable["_Struck"]) -> Iterator[tuple[Point, Step]]:
        for one in struck:
            yield one.resolved.injection.point, self._fault(one.resolved)
            if self.process.role == "run":
                self.phase = "after the fault"

    def _fault(self, one: ResolvedInjection) -> Step:
        point, process, action = one.injection.point, self.process, one.action
        if isinstance(action, Say):
            action = Say(process.reworded.get(point, action.answer))
        strike = process.strikes.get(one.position)
        self._pass(process.times.get(point, 0.0) if strike is None else strike.clock)
        told = fault_told(one.injection, action, process.met.get(point, ""))
        if isinstance(action, Respond) and point in process.refusals:
            told = told.replace(f"answers {action.status}", f"answers {process.refusals[point]}")
        return self._step(point, told, "fault")

    def _effect(self, point: Point) -> Step:
        process = self.process
        self._pass(process.times.get(point, 0.0))
        fired = [one.injection for one in process.plan if one.position in process.fired and not one.already_active]
        struck = [one.when for one in fired if one.point == point]
        outcome = "; ".join(filter(None, (_outcome(process, point, struck), process.notes.get(point))))
        return self._step(point, outcome, self.phase)

    def _end(self) -> Step:
        process, outcome = self.process, self.process.outcome
        self._pass(process.end.clock)
        place: Place = ()
        if outcome.kind == "raised" and outcome.raised is not None:
            place = outcome.raised.place
        elif outcome.kind == "killed" and process.points:
            place = process.places.get(process.points[-1], ())
        told = beginning(outcome.error, _SHOWN)
        ends = {
            "returned": f"returned {outcome.value!r}",
            "raised": f"raises {told}",
            "killed": "killed",
            "unbounded": f"goes on without end: {outcome.error}",
            "hung": f"hangs: {outcome.error}",
        }
        detail = outcome.error[:_DETAIL] if outcome.kind == "raised" and told != outcome.error.strip() else ""
        step = Step(self.life, self.phase, "", ends[outcome.kind][: _SHOWN + 10], self.at_s, detail=detail)
        return self._at(place or process.stopped_at, step)

    def _pass(self, clock: float) -> None:
        """Go on in time; what nobody looked at came no earlier than the step before it."""
        self.at_s = max(self.at_s, round(clock - self.birth, 4))

    def _step(self, point: Point, outcome: str, phase: StoryPhase) -> Step:
        within = self.process.within.get(point, ())
        step = Step(self.life, phase, str(point), outcome, self.at_s, within=within)
        return self._at(self.process.places.get(point, ()), step)

    def _at(self, place: Place, step: Step) -> Step:
        if not place:
            return step
        return replace(step, file=shown_file(place[0].file, self.root), line=place[0].line, function=place[0].function)


def _came(process: ProcessRun, point: Point) -> str | None:
    """Return how an effect went, "" if nothing more is known than that it ended; None if nobody saw it end."""
    if point in process.outcomes:
        return process.outcomes[point]
    return "" if any(state.point == point and state.when == "after" for state in process.seen) else None


def _outcome(process: ProcessRun, point: Point, struck: Sequence[str]) -> str:
    """Return how an effect went, for people; the change that a fault after it makes is a step of its own."""
    came, met = _came(process, point), process.met.get(point, "")
    medium = medium_of(point.kind)
    done = came or medium.done.get(point.verb, "")
    if "middle" in struck:
        return met if met and not met.startswith("raises ") else "done in part"
    if struck and came is not None:
        return done
    if met:
        return met
    if came is not None:
        return done
    if not medium.in_process or "after" not in medium.verbs.get(point.verb, ("after",)):
        return done  # nobody sees how it goes on
    return "killed meanwhile" if process.outcome.kind == "killed" else "not finished"


def at_the_fault(schedule: Schedule, judgement: Judgement, first: ProcessRun) -> RawState:
    """Return the outside when the first fault of a schedule fired; where nobody saw it, the one that it began from.

    Until then a run does what `first` does, the fault-free one.
    """
    run, fired = judgement.executions[0], schedule.injections[0]
    looked_at = (run,) if run.outcome.kind == "killed" else (run, first)
    looks = (look for process in looked_at for look in process.seen)
    seen = (look.raw_state for look in looks if (look.point, look.when) == (fired.point, fired.when))
    # A process that was killed leaves the very state, also where it was not looked at.
    return next(seen, run.end if run.outcome.kind == "killed" else run.start)


def _shown_end(judgement: Judgement) -> RawState:
    """Return the outside that shows what is wrong: the end, or what a retry or the like left if only that shows it."""
    about = [judgement.process(violation) for _, violation in judgement.broken]
    asked = [process for process in about if process is not None and process.role not in OWN_PROCESSES]
    return asked[0].end if asked and len(asked) == len(about) else judgement.end


def _exchange(judgement: Judgement, steps: Sequence[Step], effects: Sequence[EffectId | None]) -> Iterator[Exchange]:
    """Yield the requests to models with their answers, from the last one before the first fault on."""
    struck = next((number for number, step in enumerate(steps) if step.phase == "fault"), 0)
    asked: list[Exchange] = []
    for number, effect in enumerate(effects):
        if effect is None:
            continue
        process = judgement.executions[effect.process]
        known = process.effects.get(effect.point)
        if known is None or known.answer is None or known.request is None:
            continue
        if steps[number].phase == "fault" and any(effects[one.step] == effect for one in asked):
            continue  # the step before it is the exchange that it is about
        answer = process.reworded.get(effect.point, known.answer)
        asked.append(Exchange(number, request_told(known.request), plain(answer)))
    first = max((number for number, one in enumerate(asked) if one.step < struck), default=0)
    yield from asked[first : first + _EXCHANGES]
