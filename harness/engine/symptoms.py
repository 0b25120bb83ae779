"""Symptoms of one failing end: each broken promise, how it is broken, and the effect of the agent behind it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..values.causes import Way
from ..values.history import Violation
from ..values.places import Raised
from ..values.schedule import Injection, Schedule
from ..values.world import Change, World
from .blame import Blame
from .effects import Blamed
from .judge import Judgement
from .process_runs import OWN_PROCESSES, ProcessRun
from .session import Baseline
from .state_view import StateView

_ENDINGS = ("recovery_succeeds", "terminates")
_SET = "all_or_nothing"  # it is compared with the nearer right end


@dataclass(frozen=True, slots=True)
class Symptom:
    """One way in which one promise is broken in one end.

    Attributes:
        promise: the name of the invariant.
        way: how it is broken.
        at: the effect behind it, None where none is known.
        raised: what ended the process that it is about, where that raised.
        side: which right end it was compared with: "done", "before", or "" where with none.
        service: whether it is about something that a service keeps.
        unchecked: whether it came of what a model said, and nothing was raised.
        change: what differs, for people.
    """

    promise: str
    way: Way
    at: Blamed | None = None
    raised: Raised | None = None
    side: str = ""
    service: bool = False
    unchecked: bool = False
    change: Change | None = field(default=None, compare=False)

    @property
    def gravity(self) -> int:
        """Return the rank of the symptom by gravity, 0 for the gravest."""
        if self.way in ("raised", "not ended") or self.promise == "clean_retry":
            return 3
        if self.promise == "no_leftovers":
            return 2
        return 0 if self.service else 1


@dataclass(frozen=True, slots=True)
class Symptoms:
    """The symptoms of one end.

    Attributes:
        own: those that tell the end apart: all that is wrong, compared with the nearer right end, but for what is so
            only because a recovery raised.
        other: the symptoms compared with the other right end.
        rest: all others.
        asked: whether nothing was wrong before a question: recovering again, a retry.
    """

    own: tuple[Symptom, ...]
    other: tuple[Symptom, ...] = ()
    rest: tuple[Symptom, ...] = ()
    asked: bool = False


class Diagnosis:
    """Tells the symptoms of failing ends."""

    def __init__(self, view: StateView, baseline: Baseline) -> None:
        self._view, self._done = view, baseline.done
        self._blame = Blame(view, baseline.first)
        self._said: dict[Injection, Blamed] = {}

    def of(self, schedule: Schedule, judgement: Judgement) -> Symptoms:
        """Return the symptoms of an end, those of one schedule: what crashed before it may have made what is wrong."""
        key = schedule.injections[0], len(schedule.injections) == 1
        known = judgement.symptoms.get(key)
        if known is None:
            known = judgement.symptoms[key] = self._told_apart(schedule, judgement)
        return known

    def _told_apart(self, schedule: Schedule, judgement: Judgement) -> Symptoms:
        found = tuple(dict.fromkeys(self._all(schedule, judgement)))
        said = self._said_at(schedule, judgement)
        if said is not None and any(one.promise != "no_leftovers" for one in found):
            # The run took a wrong answer of a model for right: that call is behind all that is wrong afterwards.
            gravest = min(found, key=lambda symptom: symptom.gravity)
            unchecked = replace(gravest, at=said, raised=None, unchecked=True)
            alone = len(schedule.injections) == 1
            return Symptoms((unchecked,) if alone else (unchecked, *found), rest=found if alone else ())
        asked = {name for name, violation in judgement.broken if _is_asked(violation, judgement)}
        first = tuple(one for one in found if one.promise not in asked)
        if first and len(first) < len(found):  # what a later process does is no reason for what is wrong before
            return replace(self._of_end(first, schedule, judgement), rest=found)
        return replace(self._of_end(found, schedule, judgement), asked=not first)

    def _of_end(self, found: tuple[Symptom, ...], schedule: Schedule, judgement: Judgement) -> Symptoms:
        if any(one.promise in _ENDINGS and one.way in ("raised", "not ended") for one in found):
            own = tuple(one for one in found if one.change is None or (one.way == "twice" and one.side != "before"))
            return Symptoms(own, rest=found)  # what is half done is so because nobody went on
        others = tuple(self._from_the_other_side(schedule, judgement))
        if _returned(judgement):  # it says that it has come to its end: there is one right end for that
            found = tuple(dict.fromkeys(one for one in (*found, *others) if one.side != "before"))
            others = ()
        between = _in_between(judgement)
        # A file that is neither as before nor as after is damaged; what else is half done is no symptom then.
        if damaged := tuple(one for one in (*found, *others) if one.side == "done" and one.change in between):
            own = tuple(one for one in found if one.way == "twice" or one.change is None)
            return Symptoms((*damaged, *own), rest=found)
        return Symptoms(found, others)

    def _said_at(self, schedule: Schedule, judgement: Judgement) -> Blamed | None:
        """Return the call of a model whose answer was changed first of all, where the run took that answer."""
        first, run = schedule.injections[0], judgement.executions[0]
        if len(schedule.injections) == 1 and run.said and _returned(judgement) and judgement.claims_done is not False:
            self._said[first] = Blamed.at(first.point, run.places.get(first.point, ()))
        return self._said.get(first)

    def _all(self, schedule: Schedule, judgement: Judgement) -> Iterator[Symptom]:
        graver = {change for promise, violation in judgement.broken if not violation.way for change in violation.diff}
        half_done = any(promise == _SET for promise, _ in judgement.broken)
        for promise, violation in judgement.broken:
            process = judgement.process(violation)
            if promise == "honest_outcome" and process is not None and half_done:
                continue  # what a recovery says of an end that is wrong anyway is no second cause
            if violation.diff:
                side = _side(promise, violation, judgement)
                for change in violation.diff:
                    if violation.way == "untrue" and change.sign == "+" and change in graver:
                        continue  # it is too much whatever the agent says of it
                    yield self._symptom(promise, change, side, violation, schedule, judgement)
            elif process is not None and process.outcome.kind != "returned" and violation.way is None:
                yield _ending(promise, process)
            else:
                yield Symptom(promise, violation.way or "untrue", None if process is None else _last(process))

    def _symptom(
        self, promise: str, change: Change, side: str, violation: Violation, schedule: Schedule, judgement: Judgement
    ) -> Symptom:
        worlds = self._view.world(judgement.end), self._view.world(self._done)
        service = any(change.name in world.resources.keys() for world in worlds)  # noqa: SIM118  # no short names
        rows = service or any(change.name in world.tables.keys() for world in worlds)  # noqa: SIM118
        # One more of what a fault-free run leaves anyway came twice; of what it does not leave, it is left over.
        again = rows and side == "done" and _is_kept(self._view.world(self._done), change.name)
        others = judgement.from_before if side == "before" else judgement.from_done
        # With one missing as well, it is that one with another content.
        again = again and not any(one.sign == "-" and one.name == change.name for one in others)
        way = violation.way or _way(change, again=again)
        if change.sign == "-" and side == "done":
            at = self._blame.of_missing(change)
        else:
            processes = (*judgement.earlier, *judgement.processes(violation))
            at = self._blame.of_found(change, processes, schedule.injections[0])
        return Symptom(promise, way, at, side=side, service=service, change=change)

    def _from_the_other_side(self, schedule: Schedule, judgement: Judgement) -> Iterator[Symptom]:
        """Yield the symptoms of a half-done set, compared with the right end that is further away."""
        for promise, violation in judgement.broken:
            if promise == _SET:
                is_before = _side(promise, violation, judgement) == "before"
                other, side = (judgement.from_done, "done") if is_before else (judgement.from_before, "before")
                for change in other:
                    yield self._symptom(promise, change, side, violation, schedule, judgement)


def _way(change: Change, *, again: bool) -> Way:
    if change.sign == "-":
        return "missing"
    if change.sign == "+":
        return "twice" if again else "left over"
    return "torn" if change.detail.startswith(("first ", "empty ")) else "not the same"


def _side(promise: str, violation: Violation, judgement: Judgement) -> str:
    """Return the name of the right end that a difference was taken from."""
    return "before" if promise == _SET and violation.diff == judgement.from_before else "done"


def _returned(judgement: Judgement) -> bool:
    """Return whether the run came to its end by itself, whatever fault fired in it."""
    run = judgement.executions[0]
    return run.role == "run" and run.outcome.kind == "returned"


def _in_between(judgement: Judgement) -> frozenset[Change]:
    """Return the changes of things that are neither as before nor as after: damaged ones."""
    before = {change.name for change in judgement.from_before}
    return frozenset(change for change in judgement.from_done if change.sign == "~" and change.name in before)


def _is_kept(done: World, name: str) -> bool:
    """Return whether a fault-free run leaves rows or resources of this name: one more is one too many."""
    return any(name in names.keys() and bool(names[name]) for names in (done.tables, done.resources))  # noqa: SIM118


def _is_asked(violation: Violation, judgement: Judgement) -> bool:
    """Return whether a violation is about a process that the harness runs only to observe it (a retry)."""
    process = judgement.process(violation)
    return process is not None and process.role not in OWN_PROCESSES


def _ending(promise: str, process: ProcessRun) -> Symptom:
    last = _last(process)
    if process.stopped_at and (last is None or last.place != process.stopped_at):  # it waits there, for nothing to come
        last = Blamed("", process.stopped_at)
    if process.outcome.kind == "raised":
        died = Raised("the process died", () if last is None else last.place)
        return Symptom(promise, "raised", raised=process.outcome.raised or died)
    return Symptom(promise, "not ended", last)


def _last(process: ProcessRun) -> Blamed | None:
    """Return the last effect of a process, or where it waits."""
    return Blamed.at(process.points[-1], process.places.get(process.points[-1], ())) if process.points else None
