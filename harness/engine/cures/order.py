"""Two neighbouring effects in the other order, as captured states show it: where both touch different things."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ...values import kinds
from ...values.http import HttpRequest
from ...values.media import medium_of
from ...values.points import Point
from ...values.schedule import Injection
from ..effects import REMOVING
from ..process_runs import ProcessRun, RawState
from .keyed import Keyed, called, posts, takes_keys
from .remedy import Case, Plain, Remedy, Where
from .spans import Span, Thing, apart, carried_out, together, touched, undone

_MOST_PAIRS = 3


class Reordered(Plain):
    """Change: the effects on one thing happen after the effects on others that come later today.

    Where the process dies at the first, the others are done by then; where it dies at them, the first has not begun.
    """

    def __init__(self, first: Thing, others: tuple[Thing, ...], only: Where, keyed: Keyed | None = None) -> None:
        self._first, self._others, self.only, self._keyed = first, others, only, keyed

    def request(self, process: ProcessRun, point: Point, request: HttpRequest) -> HttpRequest:
        """Return the request, with a key where the call is treated as keyed as well."""
        return request if self._keyed is None else self._keyed.request(process, point, request)

    def left(self, state: RawState, at: Injection, spans: Sequence[Span]) -> RawState:
        """Return the state that a process leaves when its effects come in the other order."""
        for first, second in pairs(spans, self._first, self._others):
            if at.point in second.points:
                return undone(state, first) or state
            if at.point in first.points:
                return carried_out(state, second) or state
        return state


def pairs(spans: Sequence[Span], first: Thing, others: tuple[Thing, ...]) -> Iterator[tuple[Span, Span]]:
    """Yield the spans on `first`, and the spans on the things after it, where the two are different things.

    Without `others` everything behind it is meant.
    """
    place = 0
    while place + 1 < len(spans):
        behind = spans[place + 1 : place + 1 + len(others) if others else None]
        alike = not others or tuple(span.thing for span in behind) == others
        if spans[place].thing == first and alike:
            second = together(behind)
            if apart(spans[place], second):
                yield spans[place], second
            place += len(behind)
        place += 1


def remedies(case: Case) -> Iterator[Remedy]:
    """Yield the other order of each two neighbours between which a fault leads to this cause."""
    if case.group.key[0] == "twice" and medium_of(called(case.cause.effect)[0]).takes_keys:
        return  # what comes twice is done already: later it would come twice as well
    if set(case.judgement.invariants) == {"honest_outcome"}:
        return  # nothing is wrong outside: what it says of that is another matter
    for spans, struck, where in case.parts:
        for first, others in (*_removed(spans, struck), *_neighbours(spans, struck), *_first_last(spans, struck)):
            found = list(pairs(spans, first, others))
            if found and not _is_intent(case, found[0][0]):
                yield from _ordered(case, found, (first, others), where)


def _is_intent(case: Case, span: Span) -> bool:
    """Return whether a span writes a record of intent: a thing of the agent's own that is gone at the end."""
    before, done = case.baseline.initial.disk.files, case.baseline.done.disk.files
    gone = all(before.get(key) == done.get(key) for key in touched(span))
    return case.is_own(span) and gone and span.points[-1].verb not in REMOVING


def _ordered(
    case: Case, found: Sequence[tuple[Span, Span]], things: tuple[Thing, tuple[Thing, ...]], only: Where
) -> Iterator[Remedy]:
    """Yield the other order of these pairs, and that with a key where it makes calls come again."""
    points = frozenset(point for pair in found for span in pair for point in span.points)
    where = (points, frozenset[Point]()) if only == "run" else (frozenset[Point](), points)
    first, second = found[0]
    words = f"with {_told(second)} before {_told(first)}"
    name = _kind(case, first, second)
    yield Remedy(name, words, Reordered(*things, only), *where)
    kind, target = second.thing
    if takes_keys(case, kind, target) and posts(case, target):
        keyed = Keyed(target, case.run, case.baseline.others[0])
        more = f"{words} and with a stable Idempotency-Key on that call"
        yield Remedy(name, more, Reordered(*things, only, keyed), *where, sends=True)


def _told(span: Span) -> str:
    return " and ".join(target for _, target in span.things)


def _removed(spans: Sequence[Span], struck: frozenset[Point]) -> Iterator[tuple[Thing, tuple[Thing, ...]]]:
    """Yield each removal at which a fault fires, to come after all later effects: a journal is removed last."""
    for span in spans[:-1]:
        if struck & set(span.points) and span.points[-1].verb in REMOVING:
            yield span.thing, ()


def _neighbours(spans: Sequence[Span], struck: frozenset[Point]) -> list[tuple[Thing, tuple[Thing, ...]]]:
    """Return the things of neighbours of which one is struck, those most often struck first."""
    counts: Counter[tuple[Thing, tuple[Thing, ...]]] = Counter()
    for first, second in pairwise(spans):
        counts[first.thing, (second.thing,)] += len(struck & {*first.points, *second.points})
    return [things for things, count in counts.most_common(_MOST_PAIRS) if count]


def _first_last(spans: Sequence[Span], struck: frozenset[Point]) -> list[tuple[Thing, tuple[Thing, ...]]]:
    """Return the first struck thing and all behind it up to the last struck one, where there are more than two."""
    places = [place for place, span in enumerate(spans) if struck & set(span.points)]
    if not places or places[-1] - places[0] < 2:
        return []
    behind = spans[places[0] + 1 : places[-1] + 1]
    return [(spans[places[0]].thing, tuple(span.thing for span in behind))]


def _kind(case: Case, first: Span, second: Span) -> str:
    if first.points[-1].verb in REMOVING:
        return kinds.JOURNAL_DROPPED
    if case.is_own(second):  # of two records of its own neither is what is done
        return kinds.ORDER if case.is_own(first) else kinds.RECORDED_TOO_LATE
    return kinds.RECORDED_BEFORE_DONE
