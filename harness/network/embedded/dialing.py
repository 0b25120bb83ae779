"""Connecting to an upstream."""

import asyncio
import contextlib
import ipaddress
import socket
from functools import lru_cache
from typing import Any

from .addresses import split

Candidate = tuple[int, Any]
"""An address family, and an address in its form."""


async def dial(address: str) -> socket.socket:
    """Connect to the first address of an upstream, ``host:port``, that answers.

    Raises:
        OSError: where none does.
        BadAddress: where it means nothing.
    """
    failure = OSError(f"{address} has no address")
    for family, where in _literal(address) or await _looked_up(address):
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            if not _connects_at_once(made, where):
                await asyncio.get_running_loop().sock_connect(made, where)
            return made
        except OSError as error:
            made.close()
            failure = error
        except BaseException:
            made.close()
            raise
    raise failure


def _connects_at_once(made: socket.socket, where: Any) -> bool:
    """Begin to connect, and say whether that is all: to loopback it is, though the system says that it goes on."""
    try:
        made.connect(where)
        return True
    except BlockingIOError:
        with contextlib.suppress(OSError):
            return bool(made.getpeername())
    return False


@lru_cache(maxsize=256)
def _literal(address: str) -> tuple[Candidate, ...]:
    """Return the one address that numbers mean; a name has to be looked up, in a thread, each time."""
    host, port = split(address)
    try:
        version = ipaddress.ip_address(host).version
        return ((socket.AF_INET6 if version == 6 else socket.AF_INET, (host, int(port))),)
    except ValueError:
        return ()


async def _looked_up(address: str) -> list[Candidate]:
    host, port = split(address)
    found = await asyncio.get_running_loop().getaddrinfo(host or "localhost", port, type=socket.SOCK_STREAM)
    return [(family, where) for family, _, _, _, where in found]
