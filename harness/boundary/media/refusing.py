"""Refuse what an ordinary run, in the test's own process, asks of hosts that nobody declared."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...values.errors import ChaosError, Permitted, no_twin, no_websocket, unseen_client
from ...values.hosts import hosts_of, is_look, stands_for
from ...values.http import HttpRequest, HttpResponse
from ...values.network import Reach
from ...values.sources import Twin, twin_for
from ..process.places import calling
from .guard import agent_line
from .transport import ADDRESSED, LOOKED_UP, TransportFault, Unreachable, asked_for, network_down, unreachable_in

Answer = Callable[[HttpRequest], HttpResponse]


class Refusing:
    """Answers as the twins do, and refuses a look at another host, or any request to one that is offline.

    Where there are no twins, the network answers all but the hosts that are offline.

    Args:
        answer: says what twins and the network may answer, and raises ChaosError for all else.

    Attributes:
        asked: hosts that were looked at, each with the agent's line, as ``host``, newline, line.
        problem: the error of a client that was kept from the real host of a twin, also if the agent caught it.
    """

    def __init__(self, answer: Answer, twins: Sequence[Twin], reach: Reach) -> None:
        self._answer, self._twins, self._reach = answer, twins, reach
        self._declared = hosts_of(twins)
        self.asked: dict[str, None] = {}
        self.problem: ChaosError | None = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to one request; raises TransportFault where it meets a network that is down."""
        host = request.hostname
        if host in self._reach.offline:
            raise TransportFault("refused")
        if not self._twins:
            raise Permitted
        twin = twin_for(self._twins, request.url)
        if request.opens_websocket and twin is not None:
            self.problem = self.problem or no_websocket(host, agent_line(calling(sys._getframe(1))))
            raise ConnectionRefusedError(str(self.problem))
        answered = twin is not None or self._reach.permits(host, request.port)
        if answered or not is_look(request.method, host, self._declared):
            return self._answer(request)
        line = agent_line(calling(sys._getframe(1)))
        self.asked[f"{host}\n{line}"] = None
        raise Unreachable(host, line)

    def permits(self, host: str, port: int | None) -> bool:
        """Return whether a connection to there is real."""
        if host.lower() in self._reach.offline:
            return False
        return not self._twins or self._reach.permits(host, port)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Watch the sockets of this process meanwhile; an audit hook stays, and does nothing outside."""
        if not _watching:
            sys.addaudithook(_watch)
            _watching.append(True)
        _in_force.append(self)
        try:
            yield
        finally:
            _in_force.remove(self)

    def connects(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse a socket of any client to the host of a twin, or to one that is offline."""
        asked = asked_for(event, arguments)
        if asked is None:
            return
        host, port = asked
        if host.lower() in self._reach.offline:
            raise network_down(by_name=event in LOOKED_UP)
        if stands_for(self._twins, host, port) and not self._reach.permits(host, port):
            # The agent may swallow this: it ends the run all the same.
            self.problem = self.problem or unseen_client(host, agent_line(calling(sys._getframe(1))))
            raise ConnectionRefusedError(str(self.problem))

    @staticmethod
    def needed(problem: Exception) -> ChaosError | None:
        """Return the error for a run that died of such a refusal; None where it died of something else."""
        refusal = unreachable_in(problem)
        return None if refusal is None else no_twin(f"connects to {refusal.host} ({refusal.line})", refusal.host)


_in_force: list[Refusing] = []
_watching: list[bool] = []
_EVENTS = frozenset((*ADDRESSED, *LOOKED_UP))


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _in_force and event in _EVENTS:
        _in_force[-1].connects(event, arguments)
