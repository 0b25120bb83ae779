"""Neighbouring effects on one thing, with the states around them; states composed of parts of captured ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...values.media import medium_of
from ...values.places import Place
from ...values.points import Phase, Point, canonical
from ...values.trees import Tree, differing
from ...world.storage.raw import DiskState, Key, folder_of
from ..process_runs import ProcessRun, RawState

Thing = tuple[str, str]
"""What an effect is about: the kind of its point, and a path, a database or a collection."""


@dataclass(frozen=True, slots=True)
class Look:
    """The outside as seen in a phase of a point; the effect of the point `by` is new since the last look."""

    point: Point
    when: Phase
    state: RawState


@dataclass(frozen=True, slots=True)
class Span:
    """Effects on one thing in a row, and the outside before the first and after the last of them.

    Attributes:
        looks: the outside in each phase of its points.
        things: all that it is about, where several were put together.
        places: of its effects in the agent's code.
    """

    thing: Thing
    points: tuple[Point, ...]
    before: RawState
    after: RawState
    looks: tuple[Look, ...] = ()
    places: frozenset[Place] = frozenset()
    things: tuple[Thing, ...] = ()

    def is_behind(self, look: Look) -> bool:
        """Return whether all of it is done in this phase."""
        return look.point == self.points[-1] and look.when == "after"

    def joined(self, other: "Span") -> "Span":
        """Return both as one; the other one comes later."""
        looks, places = (*self.looks, *other.looks), self.places | other.places
        things = tuple(dict.fromkeys((*self.things, *other.things)))
        return Span(self.thing, (*self.points, *other.points), self.before, other.after, looks, places, things)


def together(found: Sequence[Span]) -> Span:
    """Return spans in a row as one."""
    whole = found[0]
    for span in found[1:]:
        whole = whole.joined(span)
    return whole


def thing_of(point: Point) -> Thing:
    """Return the thing that an effect changes; for a table its database."""
    target = canonical(point.target)
    return point.kind, target.partition(":")[0] if medium_of(point.kind).commits else target


def spans(process: ProcessRun) -> list[Span]:
    """Return the effects of a traced process that changed the outside, neighbours on one thing together, in order."""
    found: list[Span] = []
    for point, before, after in _changes(process):
        places = frozenset({process.places.get(point, ())} - {()})
        looks = tuple(Look(s.point, s.when, s.raw_state) for s in process.crash_states if s.point == point)
        span = Span(thing_of(point), (point,), before, after, looks, places, (thing_of(point),))
        # What a move takes away was made to be moved: a draft is a part of what it becomes.
        while found and found[-1].thing != span.thing and _is_part(found[-1], span):
            span = replace(found.pop().joined(span), thing=span.thing, things=span.things)
        if found and found[-1].thing == span.thing:
            span = found.pop().joined(span)
        found.append(span)
    return found


def _changes(process: ProcessRun) -> Iterator[tuple[Point, RawState, RawState]]:
    """Yield each point of a process that changed the outside, with the states before and after it."""
    changed: dict[Point, tuple[RawState, RawState]] = {}
    last, before = None, process.start
    looks = [(s.point, s.when, s.raw_state) for s in process.crash_states]
    for point, when, state in [*looks, (None, "before", process.end)]:
        # What shows before a point was done by the one before: a file is written when it is closed.
        by = last if when == "before" else point
        if by is not None and not before.same_state(state):
            changed[by] = changed[by][0] if by in changed else before, state
        before, last = state, point
    order = {point: place for place, point in enumerate(process.points)}
    yield from ((point, *changed[point]) for point in sorted(changed, key=lambda point: order.get(point, 0)))


def _is_part(draft: Span, whole: Span) -> bool:
    paths = touched(draft)
    return bool(paths) and not served(draft) and paths < touched(whole)


def touched(span: Span) -> set[Key]:
    """Return the paths that differ in any of its states from the one before it."""
    before = span.before.disk.files
    states = (span.after, *(look.state for look in span.looks))
    return {
        key
        for state in states
        for key in differing(before, state.disk.files)
        if before.get(key) != state.disk.files.get(key)
    }


def served(span: Span) -> set[int]:
    """Return the numbers of the services that it changed."""
    pairs = enumerate(zip(span.before.services, span.after.services, strict=True))
    return {number for number, (before, after) in pairs if before != after}


def apart(one: Span, other: Span) -> bool:
    """Return whether two spans touch different things, of which none lies within another one."""
    if served(one) & served(other):
        return False
    mine, yours = touched(one), touched(other)
    return not any(a == b or _within(a, b) or _within(b, a) for a in mine for b in yours)


def _within(key: Key, folder: Key) -> bool:
    return key[0] == folder[0] and key[1].startswith(f"{folder[1]}/" if folder[1] else "")


def undone(state: RawState, span: Span) -> RawState | None:
    """Return a state with a span's changes undone; None where one of them was changed again since."""
    return _moved(state, span, span.after, span.before)


def carried_out(state: RawState, span: Span) -> RawState | None:
    """Return a state with a span's changes made; None where something else is there."""
    return _moved(state, span, span.before, span.after)


def _moved(state: RawState, span: Span, there: RawState, wanted: RawState) -> RawState | None:
    keys, numbers = touched(span), served(span)
    now, expected = state.disk.files, there.disk.files
    if any(now.get(key) != expected.get(key) for key in keys):
        return None
    if any(state.services[number] != there.services[number] for number in numbers):
        return None
    return put(state, wanted, keys, numbers)


def put(state: RawState, wanted: RawState, keys: set[Key], numbers: set[int]) -> RawState:
    """Return a state with these paths and services as they are in another one."""
    files = dict(state.disk.files.items())
    for key in keys:
        entry = wanted.disk.files.get(key)
        if entry is None:
            files.pop(key, None)
        else:
            files[key] = entry
    disk = DiskState(Tree.of(files, folder_of), state.disk.places) if keys else state.disk
    services = tuple(
        wanted.services[number] if number in numbers else service for number, service in enumerate(state.services)
    )
    return replace(state, disk=disk, services=services)
