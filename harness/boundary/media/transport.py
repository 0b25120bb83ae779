"""An error of the network instead of an answer."""

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

ADDRESSED = ("socket.connect", "socket.sendto", "socket.sendmsg")
FOR_EVER_S = 600.0
"""Until the system gives up a connection on which nothing comes, where the client has no time limit; virtual."""
LOOKED_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


_TOLD = {"refused": "connection refused", "timeout": "no answer", "reset": "connection reset"}


class TransportFault(Exception):
    """An error of the network, of which the client's library makes its own exception; `reason` as in `Disconnect`.

    Attributes:
        becomes: is called with the exception that the agent meets instead.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.becomes: Callable[[BaseException], object] = lambda error: None

    @property
    def told(self) -> str:
        """Return what the agent meets, in words, if its client makes no exception of the error."""
        return _TOLD.get(self.reason, self.reason)


class Unreachable(TransportFault):
    """A host that nobody declared cannot be reached, as if the network were down; `line` is the agent's."""

    def __init__(self, host: str, line: str) -> None:
        super().__init__("refused")
        self.host, self.line = host, line


def asked_for(event: str, arguments: tuple[Any, ...]) -> tuple[str, object] | None:
    """Return the host and the port that an audit event of a socket is about, None where it names none.

    What is connected already names none, nor does a Unix socket; a name is looked up with or without a port.
    """
    address = arguments[1] if event in ADDRESSED else arguments
    if not isinstance(address, tuple) or address[0] is None:
        return None
    host, port = address[0], address[1] if len(address) > 1 else None
    name = host.decode() if isinstance(host, bytes) else str(host)
    return name, int(port) if isinstance(port, str) and port.isdecimal() else port


def system_error(number: int) -> OSError:
    """Return the error of a connection for a number of `errno`, as the system makes it."""
    return OSError(number, os.strerror(number))


def socket_error(reason: str) -> OSError:
    """Return the error that a socket raises for a reason of `Disconnect`: "timeout" is its own limit in time."""
    if reason == "timeout":
        return TimeoutError("timed out")
    return system_error({"refused": errno.ECONNREFUSED, "reset": errno.ECONNRESET}[reason])


def network_down(*, by_name: bool) -> OSError:
    """Return the error of a system without a network: for a name that is looked up, or for a connection."""
    if by_name:
        return socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return socket_error("refused")


def unreachable_in(problem: BaseException) -> Unreachable | None:
    """Return the refusal that an exception came of, however often it was translated; None where it came of none."""
    waiting: list[BaseException | None] = [problem]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, Unreachable):
            return one
        seen.add(id(one))
        waiting += [one.__context__, one.__cause__]
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return None
