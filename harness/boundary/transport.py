"""An error of the network instead of an answer."""

import errno
import os
import socket


class TransportFault(Exception):
    """On its way into a client library's own exception; `reason` as in `Disconnect`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreachable(TransportFault):
    """A host that nobody declared cannot be reached, as if the network were down; `line` is the agent's."""

    def __init__(self, host: str, line: str) -> None:
        super().__init__("refused")
        self.host, self.line = host, line


def network_down(*, by_name: bool) -> OSError:
    """Return what the system says where there is no network: of a name that is looked up, or of a connection."""
    if by_name:
        return socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


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
