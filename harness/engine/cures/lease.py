"""A shorter lease: the one that a dead holder left has ended when recovery begins, and the next one takes it.

A longer one is not tried: what a process does when its own lease ends depends on its memory, which no captured state
has; and the end that stands in a row or a file is the agent's, in a form that only the agent can write.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...values import kinds
from ...values.media import medium_of
from ...values.schedule import Injection
from ..process_runs import RESTART_S, RawState
from ..signs import LEASE
from .keyed import called
from .remedy import Case, Plain, Remedy
from .spans import Span, Thing, put, served, touched, undone


class Ended(Plain):
    """Change: the live lease counts as expired, so that the next process takes it.

    Args:
        until: the virtual time at which it runs out; 0 where it has no such time.
    """

    def __init__(self, thing: Thing, until: float) -> None:
        self._thing, self._until = thing, until

    def left(self, state: RawState, at: Injection, spans: Sequence[Span]) -> RawState:
        """Return the state later, and without the lease, where it is as it was taken."""
        own = [span for span in spans if span.thing == self._thing]
        begun = next((span for span in own[1:] if at.point in span.points), None)
        commits = medium_of(self._thing[0]).commits
        if commits and begun is not None and (at.point, at.when) != (begun.points[-1], "after"):
            # A transaction that was not committed is none for whoever opens the database next.
            state = put(state, begun.before, touched(begun), served(begun))
        free = undone(state, own[0]) if own else None
        # One that was given back or is in another hand stays as it is.
        return state if free is None else replace(free, clock=max(free.clock, self._until + RESTART_S))


def remedies(case: Case) -> Iterator[Remedy]:
    """Yield the shorter lease, where one is live at the end of the run or is itself what is left over."""
    for span in case.spans:
        until = _until(case, span)
        if until is not None:
            behind = case.spans[case.spans.index(span) :]
            points = frozenset(point for one in behind for point in one.points)
            where = " and ".join(target for _, target in span.things)
            words = f"with a lease in {where} that has run out when recovery begins"
            yield Remedy(kinds.LEASE_NOT_ENDED, words, Ended(span.thing, until), points)
            return


def _until(case: Case, span: Span) -> float | None:
    """Return when the lease that is taken in a span runs out, 0 for never; None if none is taken."""
    before, after = case.leases(span.before), case.leases(span.after)
    ends = [end for place, end in after.items() if place not in before and place.partition(":")[0] in _targets(span)]
    if ends:
        return max(ends)
    kind, target = called(case.cause.effect)
    database, _, table = target.partition(":")
    named = medium_of(kind).commits and LEASE.search(table) and database in _targets(span)
    return 0.0 if named else None


def _targets(span: Span) -> set[str]:
    return {target for _, target in span.things}
