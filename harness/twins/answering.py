"""Twins in the test's own process: an ordinary run without a fault needs no child and no pipe."""

from collections.abc import Callable, Sequence

from ..values.errors import Permitted, no_twin
from ..values.http import HttpRequest, HttpResponse
from ..values.network import Reach
from ..values.sources import Twin, twin_for


def directly(twins: Sequence[Twin], reach: Reach) -> Callable[[HttpRequest], HttpResponse]:
    """Return a function that lets the right twin answer; raises ChaosError for a host that has none.

    For what is in `reach` it raises Permitted instead: the network answers.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        twin = twin_for(twins, request.url)
        if twin is None and reach.permits(request.hostname, request.port):
            raise Permitted
        if twin is None:
            raise no_twin(f"calls {request.method} {request.url}", request.host)
        return twin.handle(request)

    return answer
