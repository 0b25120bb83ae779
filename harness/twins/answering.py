"""Twins in the test's own process: an ordinary run without a fault needs no child and no pipe."""

import time
from collections.abc import Sequence
from dataclasses import replace

from ..values.errors import ChaosError, Permitted, no_twin
from ..values.http import HttpRequest, HttpResponse
from ..values.network import Reach
from ..values.sources import Twin, twin_for


class Directly:
    """Lets the right twin answer; raises ChaosError for a host that has none and for what a twin cannot answer.

    For what is in `reach` it raises Permitted instead: the network answers.

    Attributes:
        problem: the first ChaosError that was raised, which an agent may have caught.
    """

    def __init__(self, twins: Sequence[Twin], reach: Reach) -> None:
        self._twins, self._reach = twins, reach
        self.problem: ChaosError | None = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to one request."""
        twin = twin_for(self._twins, request.url)
        if twin is None and self._reach.permits(request.hostname, request.port):
            raise Permitted
        try:
            if twin is None:
                raise no_twin(f"calls {request.method} {request.url}", request.host)
            return twin.handle(replace(request, time=time.time()))
        except ChaosError as problem:
            self.problem = self.problem or problem
            raise
