"""What stands between a client and a service. All of it is there for a model as ``llm.*``, for tools as ``mcp.*``."""

from collections.abc import Iterator

from rollproof.values.actions import Action, Disconnect, Respond
from rollproof.values.faults import fault
from rollproof.values.points import Effect


@fault("http.refused", at="http", lasting=True, told="the connection for {call} was refused")
def refused(effect: Effect) -> Iterator[Action]:
    """The connection is refused; the service never sees the request."""
    yield Disconnect("refused")


@fault(
    "http.timeout",
    at="http",
    when=("before", "after"),
    lasting=True,
    told={
        "before": "no answer to {call} came in time, and the service had not acted",
        "after": "the answer to {call} was lost after the service had acted",
    },
)
def timeout(effect: Effect) -> Iterator[Action]:
    """No answer comes in time: before the service acted, or after it acted (the ambiguous one)."""
    yield Disconnect("timeout")


@fault(
    "http.reset",
    at="http",
    when=("before", "after"),
    lasting=True,
    told={
        "before": "the connection was reset before the service acted on {call}",
        "after": "the connection was reset after the service had acted on {call}",
    },
)
def reset(effect: Effect) -> Iterator[Action]:
    """The connection is reset while the client waits for the answer: before the service acted, or after it acted."""
    yield Disconnect("reset")


@fault("http.server_error", at="http", lasting=True, told="the service answered {call} with 500 and had done nothing")
def server_error(effect: Effect) -> Iterator[Action]:
    """The service answers 500 and has done nothing."""
    yield Respond(500)


@fault("http.unavailable", at="http", lasting=True, told="the service answered {call} with 503 and had done nothing")
def unavailable(effect: Effect) -> Iterator[Action]:
    """The service answers 503 and has done nothing."""
    yield Respond(503)


@fault(
    "http.rate_limited",
    at="http",
    lasting=True,
    told="the service answered {call} with 429 and asked to come back later",
)
def rate_limited(effect: Effect) -> Iterator[Action]:
    """The service answers 429 and asks to come back: in two seconds, or at a date."""
    yield Respond(429, {"retry-after": "2"})
    yield Respond(429, retry_date_s=2.0)
