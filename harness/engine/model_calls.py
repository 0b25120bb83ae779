"""A request that a model answered: what it asked, told apart as far as a repetition needs it, and its tokens."""

from typing import NamedTuple

from ..twins.wire import spoken, tokens
from ..values.http import HttpRequest, ModelAnswer
from ..values.sources import Counting, Twin
from ..world.volatile.skeletons import SkeletonBuilder


class ModelCall(NamedTuple):
    """A request that a model answered, and how many tokens both have.

    `asked` is equal for requests that differ only in what differs from run to run: ids, times, longer numbers.
    """

    asked: int
    tokens: int


def model_call(twin: Twin, request: HttpRequest, answer: ModelAnswer) -> ModelCall:
    """Return the call of a request and its answer.

    Its tokens are those of the `usage` that the twin of a model gives, an estimate of four characters each; of a twin
    that does not count, four characters of the request's body and of the answer each.
    """
    body = request.body.decode(errors="replace")
    asked = SkeletonBuilder(str)
    asked.scan(f"{request.method} {request.path} {body}")
    count = twin.tokens(request, answer) if isinstance(twin, Counting) else tokens(body) + tokens(spoken(answer))
    return ModelCall(hash(asked.skeleton()[0]), count)
