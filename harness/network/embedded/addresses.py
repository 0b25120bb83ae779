"""Addresses as Toxiproxy reads them, on loopback only, and ports that stay ours while nobody listens on them."""

import contextlib
import errno
import ipaddress
import os
import socket
import sys

from .refusals import cannot_listen

BACKLOG = 4096
Address = tuple[str, int]


class BadAddress(Exception):
    """An address that means nothing; the text is Go's."""


def split(text: str) -> tuple[str, str]:
    """Return host and port of ``host:port``, ``[v6]:port`` or ``:port``, as they are written."""
    host, colon, port = text.rpartition(":")
    if not colon or host.endswith(":") or (":" in host and not host.startswith("[")):
        raise BadAddress(f"address {text}: {'too many colons in' if colon else 'missing port in'} address")
    return host.removeprefix("[").removesuffix("]"), port


def resolve(text: str) -> Address:
    """Return the address that a ``listen`` means: no host is everywhere, a port may have a service's name.

    Raises:
        BadAddress: where it means none.
    """
    if not text:
        return "", 0
    host, port = split(text)
    return _ip(host), _port_number(port)


def written(address: Address) -> str:
    """Return an address as the API shows it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ip(host: str) -> str:
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    if not host:
        return ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise BadAddress(f"lookup {host}: no such host") from None
    return str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0])


def _port_number(port: str) -> int:
    try:
        number = int(port or 0)
    except ValueError:
        with contextlib.suppress(OSError):
            return socket.getservbyname(port, "tcp")
        raise BadAddress(f"lookup tcp/{port}: unknown port") from None
    if number not in range(65536):
        raise BadAddress(f"address {port}: invalid port")
    return number


class Port:
    """A port on loopback, bound for as long as this lives; listening or not."""

    def __init__(self, bound: socket.socket) -> None:
        self.socket = bound
        self.address: Address = bound.getsockname()[:2]

    @classmethod
    def bind(cls, text: str) -> "Port":
        """Take the port that a ``listen`` names; any host that means everywhere is taken for 127.0.0.1.

        Raises:
            Refusal: where that cannot be had, with the words of a real server.
        """
        try:
            host, number = resolve(text)
        except BadAddress as error:
            raise cannot_listen(f"listen tcp: {error}") from None
        if not host or ipaddress.ip_address(host).is_unspecified:
            host = "127.0.0.1"
        try:
            return cls(_bound(host, number))
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise cannot_listen(f"listen tcp {written((host, number))}: bind: {reason}") from None

    def listen(self) -> None:
        """Start to accept connections.

        Raises:
            Refusal: where somebody else listens there by now.
        """
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.socket.listen(BACKLOG)
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise cannot_listen(f"listen tcp {written(self.address)}: bind: {reason}") from None

    def rest(self) -> None:
        """Stop listening and keep the port: connecting is refused, and nobody else gets it.

        Linux keeps the port of a listening socket that is shut down; another system lets it go for the time being.
        """
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)

    def close(self) -> None:
        """Release the port."""
        self.socket.close()


def _bound(host: str, number: int) -> socket.socket:
    if not ipaddress.ip_address(host).is_loopback:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    if number or sys.platform != "linux":
        return _bind(host, number)
    # A port that Linux chose is lost when listening ends; one that was asked for is kept. So it is asked for.
    with _bind(host, 0) as chosen:
        return _bind(host, chosen.getsockname()[1])


def _bind(host: str, number: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        made.bind((host, number))
    except OSError:
        made.close()
        raise
    return made
