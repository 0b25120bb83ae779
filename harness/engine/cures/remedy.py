"""The shapes of a cure: the case that it is tried on, the change, and the protocol of a module that has one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from ...values.causes import Cause
from ...values.http import HttpRequest
from ...values.points import Point
from ...values.schedule import Injection, Schedule
from ..causes import Group
from ..findings import Failure
from ..judge import Judgement
from ..process_runs import ProcessRun, RawState, Sent
from ..session import Baseline
from .spans import Span, served, spans, touched

Where = Literal["run", "handler", "recovery"]
"""What a process does at a point: its work, what follows an error that has fired in it, or recovery."""

Part = tuple[list[Span], frozenset[Point], Where]
"""The spans of a process, the points of it that are struck, and what it does there."""

Handled = tuple[ProcessRun, Sent]
"""A POST that a service has handled, and the process that sent it."""


class Change(Protocol):
    """The change that a remedy makes: to a process's requests, to the state that it leaves where it dies, or to a
    service's.

    Attributes:
        only: where it changes what a process leaves: the agent may do the same in the right way elsewhere. With "run"
            also in recovery, where that is the run again.
    """

    only: Where

    def request(self, process: ProcessRun, point: Point, request: HttpRequest) -> HttpRequest:
        """Return the request that a twin gets in the place of the agent's own."""

    def left(self, state: RawState, at: Injection, spans: Sequence[Span]) -> RawState:
        """Return the outside as a process leaves it that a fault ended at this point; the same where nothing changes.

        `spans` are the effects of the same process where no fault fires.
        """

    def spares(self, handled: Sequence[Handled]) -> bool:
        """Return whether it changes nothing where services have handled no other POSTs than these."""

    def kept(self, state: RawState) -> RawState:
        """Return the state with the services' own changes made, e.g. a repeated id dropped."""


class Plain:
    """A change of nothing; the base of changes, which override some of these methods."""

    only: Where = "run"

    def request(self, process: ProcessRun, point: Point, request: HttpRequest) -> HttpRequest:
        """Return the agent's own request."""
        return request

    def left(self, state: RawState, at: Injection, spans: Sequence[Span]) -> RawState:
        """Return the state itself."""
        return state

    def spares(self, handled: Sequence[Handled]) -> bool:
        """Return false: it is not known."""
        return False

    def kept(self, state: RawState) -> RawState:
        """Return the state itself."""
        return state


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change that may cure a cause.

    Attributes:
        kind: the kind of the bug, if this cures it.
        words: the change in words, which "tried" stands before: "with a stable Idempotency-Key on this call".
        points: the points of the fault-free run at which it changes something; `later` those of the recovery, or of
            what follows an error in the run.
        sends: whether it changes what services get or keep, so that captured states are of no use.
        once_more: whether the last recovery is followed by another one.
    """

    kind: str
    words: str
    change: Change
    points: frozenset[Point]
    later: frozenset[Point] = frozenset()
    sends: bool = False
    once_more: bool = False


@dataclass(frozen=True)
class Case:
    """A confirmed cause with its best example, as a remedy needs it.

    Attributes:
        private: the numbers of the sources that are the agent's own.
        recovery: the traced recovery in which the last fault of the example fires; None where that is in the run.
        handler: the run in which the first fault of the example fires, traced from there on, where a crash follows in
            the same run; None otherwise.
        services: the services outside, as their states are numbered.
        leases: returns of a state when each live lease in it runs out, by the name of its place.
    """

    group: Group
    failure: Failure
    judgement: Judgement
    cause: Cause
    baseline: Baseline
    private: frozenset[int] = frozenset()
    recovery: ProcessRun | None = None
    handler: ProcessRun | None = None
    services: tuple[object, ...] = ()
    leases: Callable[[RawState], Mapping[str, float]] = lambda state: {}

    @property
    def run(self) -> ProcessRun:
        """The traced fault-free run."""
        return self.baseline.first

    @cached_property
    def spans(self) -> list[Span]:
        """The effects of the fault-free run, neighbours on one thing together."""
        return spans(self.run)

    def is_own(self, span: Span) -> bool:
        """Return whether a span changes only the agent's own things: a record, a draft, a lock."""
        return not served(span) and all(number in self.private for number, _ in touched(span))

    @cached_property
    def example(self) -> Schedule:
        """The smallest schedule, as it was carried out once more."""
        return self.failure.example[0] if self.failure.example is not None else self.failure.schedule

    @cached_property
    def struck(self) -> list[Point]:
        """The points of the run at which a fault leads to this cause, those of the best examples first."""
        crashed = [point for failure in self.group.failures for point in failure.crashes]
        first = [failure.schedule.injections[0] for failure in self.group.failures]
        return list(dict.fromkeys([*(i.point for i in first if not i.recovering), *crashed]))

    @cached_property
    def parts(self) -> list[Part]:
        """The spans of each process that a fault strikes, and the points where it does, the last process first."""
        parts: list[Part] = [(self.spans, frozenset(self.struck), "run")]
        last = frozenset({self.example.injections[-1].point})
        if self.recovery is not None:
            parts.insert(0, (spans(self.recovery), last, "recovery"))
        if self.handler is not None:
            parts.insert(0, (spans(self.handler), last, "handler"))
        return parts

    @property
    def struck_last(self) -> Where:
        """Return where the last fault fires: in the run, in the handler of an error, or in a recovery."""
        return "recovery" if self.example.injections[-1].recovering else "run" if self.handler is None else "handler"


class Remedies(Protocol):
    """Yields the remedies of one kind that may help in a case, the likeliest first."""

    def __call__(self, case: Case) -> Iterator[Remedy]:
        """Yield the remedies for a case."""
