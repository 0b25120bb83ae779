"""What an ordinary run, in the test's own process, asks of hosts that nobody declared."""

import sys
from collections.abc import Callable, Sequence

from ..values.errors import ChaosError, Permitted, no_twin
from ..values.hosts import hosts_of, is_look
from ..values.http import HttpRequest, HttpResponse
from ..values.network import Reach
from ..values.sources import Twin, twin_for
from .guard import agent_line
from .places import calling
from .transport import TransportFault, Unreachable, unreachable_in

Answer = Callable[[HttpRequest], HttpResponse]


class Refusing:
    """Answers as the twins do, and refuses a look at another host, or any request to one that is offline.

    Where there are no twins, the network answers all but the hosts that are offline.

    Args:
        answer: says what twins and the network may answer, and raises ChaosError for all else.

    Attributes:
        asked: hosts that were looked at, each with the agent's line, as ``host``, newline, line.
    """

    def __init__(self, answer: Answer, twins: Sequence[Twin], reach: Reach) -> None:
        self._answer, self._twins, self._reach = answer, twins, reach
        self._declared = hosts_of(twins)
        self.asked: dict[str, None] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to one request; raises TransportFault where it meets a network that is down."""
        host = request.hostname
        if host in self._reach.offline:
            raise TransportFault("refused")
        if not self._twins:
            raise Permitted
        answered = twin_for(self._twins, request.url) is not None or self._reach.permits(host, request.port)
        if answered or not is_look(request.method, host, self._declared):
            return self._answer(request)
        line = agent_line(calling(sys._getframe(1)))
        self.asked[f"{host}\n{line}"] = None
        raise Unreachable(host, line)

    def permits(self, host: str, port: int | None) -> bool:
        """Say whether a connection to there is real."""
        if host.lower() in self._reach.offline:
            return False
        return not self._twins or self._reach.permits(host, port)

    @staticmethod
    def needed(problem: Exception) -> ChaosError | None:
        """Return the error for a run that died of such a refusal; None where it died of something else."""
        refusal = unreachable_in(problem)
        return None if refusal is None else no_twin(f"connects to {refusal.host} ({refusal.line})", refusal.host)
