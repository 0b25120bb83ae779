"""Hosts that no twin stands for: what an agent may ask of them without need."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from .sources import Twin

_LOOKS = ("GET", "HEAD")


def hosts_of(twins: Sequence[Twin]) -> frozenset[str]:
    """Return the hosts that twins stand for, in small letters."""
    return frozenset(urlsplit(twin.base_url).hostname or "" for twin in twins) - {""}


def is_look(method: str, host: str, declared: Iterable[str]) -> bool:
    """Say whether a request only looks at a host that has nothing to do with the declared ones.

    An agent can do without its answer: a library looks for a newer version of itself. Any other method changes
    something, and a host that is declared, or stands below one that is, was meant to be answered.
    """
    return method.upper() in _LOOKS and not any(host == known or host.endswith(f".{known}") for known in declared)


def told_of(asked: Iterable[str]) -> list[str]:
    """Return for each host that was asked, and refused, what to say of it; `asked` has ``host``, newline, line."""
    places: dict[str, str] = {}
    for text in asked:
        host, line = text.split("\n")
        places.setdefault(host, line)
    return [
        f'asked {host}{f" ({line})" if line else ""} and was refused: chaos.allow_network("{host}") is the real host'
        for host, line in places.items()
    ]
