"""A mail that is treated as if it had a stable Message-ID: sent again, it is the same mail.

No agent reads what lies in a mailbox, so a double that is taken out of it is one that was never taken in.
"""

from collections.abc import Iterator
from dataclasses import replace

from ...values import kinds
from ...values.media import medium_of
from ...values.points import canonical
from ...values.sources import KnowsDoubles
from ..process_runs import RawState
from .keyed import called
from .remedy import Case, Plain, Remedy


class StableMessageId(Plain):
    """Keeps no more mails that say the same than a fault-free run sends, in the service with this number."""

    def __init__(self, number: int, service: KnowsDoubles, done: RawState) -> None:
        self._number, self._service, self._usual = number, service, done.services[number]

    def kept(self, state: RawState) -> RawState:
        """Return the state without the doubles."""
        services = list(state.services)
        services[self._number] = self._service.without_doubles(services[self._number], self._usual)
        return (
            state if services[self._number] == state.services[self._number] else replace(state, services=(*services,))
        )


def remedies(case: Case) -> Iterator[Remedy]:
    """Yield the stable Message-ID, where it is a mail that came twice."""
    kind, target = called(case.cause.effect)
    if case.group.key[0] != "twice" or not takes_ids(kind):
        return
    sends = frozenset(p for p in case.run.points if (p.kind, canonical(p.target)) == (kind, target))
    for number, service in enumerate(case.services):
        if isinstance(service, KnowsDoubles) and service.name == target:
            had_id = service.names_all(case.judgement.end.services[number])
            name = kinds.KEY_CHANGES if had_id else kinds.REPEATED
            change = StableMessageId(number, service, case.baseline.done)
            yield Remedy(name, "with a stable Message-ID on this mail", change, sends, sends=True)


def takes_ids(kind: str) -> bool:
    """Return whether messages sent by this kind of effect carry an id that the sender chooses."""
    return medium_of(kind).kind == "mail"
