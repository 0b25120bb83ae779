"""The patience of sockets: real time, which is cut short where the network will be silent anyway."""

import socket
from collections.abc import Callable
from typing import Any

from ...values.real_time import SILENT_SOCKET_S


def shorten() -> Callable[[], None]:
    """Limit every socket's timeout to SILENT_SOCKET_S, since its peer will be silent.

    Returns a function that undoes it.

    A socket without a time limit keeps none: the relay hangs up then. Loops of asyncio wait in virtual time.
    """
    plain = socket.socket.settimeout

    def settimeout(self: Any, value: float | None, /) -> None:
        plain(self, value if value is None else min(value, SILENT_SOCKET_S))

    def lengthen() -> None:
        socket.socket.settimeout = plain  # type: ignore[method-assign]

    socket.socket.settimeout = settimeout  # type: ignore[method-assign]
    return lengthen
