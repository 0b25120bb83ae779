"""A real connection breaks, or carries less: for any client and any protocol."""

import socket
from collections.abc import Iterator

from rollproof.values.actions import Action, Disturb, Fail
from rollproof.values.faults import fault
from rollproof.values.points import Effect

from . import http

_SHARES = (0.5, 0.95)


@fault("network.refused", at="net.connect", lasting=True, told="the connection to {target} was refused")
def refused(effect: Effect) -> Iterator[Action]:
    """The connection is refused, or where the client's own connect is not seen, reset as soon as it is there."""
    yield Disturb("refused")


@fault("network.dns", at="net.connect", lasting=True, told="the name of {target} could not be looked up")
def dns(effect: Effect) -> Iterator[Action]:
    """The name of the service cannot be looked up now (EAI_AGAIN); a client whose lookups are not seen is refused."""
    yield Fail(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))


@fault("network.unreachable", at="net.connect", lasting=True, told="nobody answered the attempt to connect to {target}")
def unreachable(effect: Effect) -> Iterator[Action]:
    """Nobody answers the attempt to connect, until the client's patience ends."""
    yield Disturb("silent")


@fault(
    "network.reset",
    at="net.exchange",
    when=("before", "after"),
    lasting=True,
    told={
        "before": "the connection was reset before {target} got the request",
        "after": "the connection was reset after {target} had acted",
    },
)
def reset(effect: Effect) -> Iterator[Action]:
    """The connection is reset: before the service got the request, or after it acted and before its answer came."""
    yield Disturb("reset")


@fault(
    "network.closed",
    at="net.exchange",
    when=("before", "after"),
    lasting=True,
    told={
        "before": "the connection was closed before {target} got the request",
        "after": "the connection was closed after {target} had acted",
    },
)
def closed(effect: Effect) -> Iterator[Action]:
    """The connection is closed in due form: before the service got the request, or in place of its answer."""
    yield Disturb("closed")


@fault(
    "network.timeout",
    at="net.exchange",
    when=("before", "after"),
    lasting=True,
    told={
        "before": "no answer of {target} came in time, and it had not acted",
        "after": "the answer of {target} was lost after it had acted",
    },
)
def timeout(effect: Effect) -> Iterator[Action]:
    """Nothing comes through any more and nobody says so: before the service got the request, or after it acted."""
    yield Disturb("silent")


@fault(
    "network.cut_request",
    at="net.exchange",
    when="middle",
    told="the connection broke in the middle of a request to {target}",
)
def cut_request(effect: Effect) -> Iterator[Action]:
    """The connection breaks in the middle of an upload: the service got half of it, or nearly all."""
    for share in _SHARES:
        yield Disturb("reset", share)


@fault(
    "network.cut_answer",
    at="net.exchange",
    when="after",
    told="the connection broke in the middle of the answer of {target}",
)
def cut_answer(effect: Effect) -> Iterator[Action]:
    """A part of the answer comes, and then the connection is reset, or closed as if that were all."""
    for share in _SHARES:
        yield Disturb("reset", share)
        yield Disturb("closed", share)


@fault("network.slow", at="net.exchange", told="the answer of {target} came late")
def slow(effect: Effect) -> Iterator[Action]:
    """The answer comes a tenth of a second later."""
    yield Disturb("slow", seconds=0.1)


@fault("network.trickle", at="net.exchange", when="after", told="the answer of {target} came in small pieces")
def trickle(effect: Effect) -> Iterator[Action]:
    """The answer begins a byte at a time: a reader that takes what one read brings for the whole takes too little."""
    yield Disturb("trickled")


# what a service on a real port (`chaos.serve`) answers
server_error = http.server_error.at_kind("served", "network")
unavailable = http.unavailable.at_kind("served", "network")
rate_limited = http.rate_limited.at_kind("served", "network")
