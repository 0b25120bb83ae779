"""Effects that no order and no key can make happen just once, told from a defect."""

from ...values.media import medium_of
from ...values.points import canonical
from ..findings import Failure
from .keyed import called
from .message_id import takes_ids
from .remedy import Case


def is_inherent(case: Case) -> bool:
    """Return whether an effect comes twice although the agent does what can be done.

    Nothing takes a key for it. A process died between it and its record, which is what the agent does next, and
    nowhere else a fault leads there: whether it was made, a dead process cannot say, and recorded before it is made it
    would be lost instead. It is a defect where the record comes later than that, or never.
    """
    kind, _ = called(case.cause.effect)
    medium = medium_of(kind)
    takes_no_key = (medium.answered or medium.runs_programs) and not medium.takes_keys and not takes_ids(kind)
    if case.group.key[0] != "twice" or not takes_no_key:
        return False
    return all(map(_died, case.group.failures)) and _is_recorded_at_once(case)


def _died(failure: Failure) -> bool:
    """Return whether the run came to no end of its own; that of a crash state was killed, and is not told with it."""
    first = failure.judgement.executions[0]
    return first.role != "run" or first.outcome.kind != "returned"


def _is_recorded_at_once(case: Case) -> bool:
    """Return whether each struck point lies between one such effect and the record that is the next effect."""
    order = {point: place for place, point in enumerate(case.run.points)}
    about = called(case.cause.effect)
    acts = [order[p] for p in case.run.points if (p.kind, canonical(p.target)) == about]
    allowed: set[int] = set()
    for span, following in zip(case.spans, case.spans[1:], strict=False):
        own_acts = [place for place in acts if order[span.points[0]] <= place <= order[span.points[-1]]]
        if len(own_acts) == 1 and case.is_own(following):
            allowed.update(range(own_acts[0], order[following.points[-1]] + 1))
    struck = [order[point] for point in case.struck if point in order]
    return bool(struck) and allowed.issuperset(struck)
