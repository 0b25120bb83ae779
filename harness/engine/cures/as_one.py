"""Effects in a row as one: a file that is written beside its place and moved there, statements in one transaction."""

from collections.abc import Iterator, Sequence

from ...values import kinds
from ...values.media import medium_of
from ...values.points import Point
from ...values.schedule import Injection
from ..process_runs import RawState
from .remedy import Case, Part, Plain, Remedy, Where
from .spans import Span, Thing, put, served, together, touched


class AsOne(Plain):
    """Change: of the effects on these things in a row all happen, or none."""

    def __init__(self, things: tuple[Thing, ...], only: Where) -> None:
        self._things, self.only = things, only

    def left(self, state: RawState, at: Injection, spans: Sequence[Span]) -> RawState:
        """Return the state without the part that was done when the process died within it."""
        for place in range(len(spans)):
            found = spans[place : place + len(self._things)]
            if tuple(span.thing for span in found) != self._things:
                continue
            span = together(found)
            behind = at.point == span.points[-1] and at.when == "after"
            if at.point in span.points and not behind:
                return put(state, span.before, touched(span), served(span))
        return state


def alone(case: Case) -> Iterator[Remedy]:
    """Yield a remedy that makes several writes to one thing atomic, if only faults between them lead to this cause."""
    for spans, struck, where in _parts(case):
        hit = _hit(spans, struck)
        if len(hit) == 1 and struck <= set(hit[0].points):
            yield from _as_one(hit, where)


def remedies(case: Case) -> Iterator[Remedy]:
    """Yield the struck effects on one thing as one; then those that a loop makes outside.

    Everything that a process does, as one, would cure anything, and say nothing.
    """
    for spans, struck, where in _parts(case):
        hit = _hit(spans, struck)
        if len(hit) > 1:
            yield from _as_one(hit[:1], where)
        looped = _of_a_loop(spans, hit)
        if not any(map(case.is_own, looped)):  # a record of each step is there to be found between two steps
            yield from _as_one(looped, where)


def _parts(case: Case) -> list[Part]:
    """Return the process in which the last fault fires; none where something is left over."""
    if case.group.key[0] == "left over":
        return []
    return [part for part in case.parts if part[2] == case.struck_last]


def _hit(spans: Sequence[Span], struck: frozenset[Point]) -> list[Span]:
    """Return the struck spans on a disk; a request to a service is atomic already."""
    return [span for span in spans if struck & set(span.points) and _is_on_disk(span)]


def _is_on_disk(span: Span) -> bool:
    medium = medium_of(span.thing[0])
    return medium.changes != "services" and not medium.runs_programs


def _as_one(found: Sequence[Span], only: Where) -> Iterator[Remedy]:
    if sum(len(span.points) for span in found) < 2:
        return
    told = " and ".join(dict.fromkeys(target for span in found for _, target in span.things))
    points = frozenset(point for span in found for point in span.points)
    change = AsOne(tuple(span.thing for span in found), only)
    where = (points, frozenset[Point]()) if only == "run" else (frozenset[Point](), points)
    yield Remedy(_kind(found), f"with {told} written as one", change, *where)


def _kind(found: Sequence[Span]) -> str:
    things = {thing for span in found for thing in span.things}
    several = len(things) > 1 or any(medium_of(kind).commits for kind, _ in things)
    return kinds.NO_TRANSACTION if several else kinds.NOT_ATOMIC


def _of_a_loop(spans: Sequence[Span], hit: Sequence[Span]) -> list[Span]:
    """Return the neighbours of a struck span that one call makes in turn: files of a set that are moved."""
    for one in hit:
        found = [span for span in spans if one.places and span.places == one.places]
        first, last = spans.index(found[0]) if found else 0, spans.index(found[-1]) if found else 0
        if len(found) > 1 and last - first + 1 == len(found):
            return found
    return []
