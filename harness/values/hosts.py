"""Hosts that no twin stands for: what a test permits of them, and what an agent may ask of them without need."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .errors import ChaosError
from .sources import Twin

_LOOKS = ("GET", "HEAD")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Hosts:
    """The real hosts that a test names: those that may be reached, and those that may only be asked (`offline`)."""

    allowed: set[str] = field(default_factory=set)
    offline: set[str] = field(default_factory=set)

    def allow(self, host: str) -> None:
        """Permit a host to be reached."""
        self.allowed.add(_named(host, "allow_network"))

    def keep_away(self, host: str) -> None:
        """Permit a host to be asked, and not to be reached."""
        self.offline.add(_named(host, "offline"))

    def check(self, declared: Iterable[str]) -> None:
        """Raise ChaosError for a host that is offline and declared, or allowed, too."""
        for host in sorted(self.offline & {*declared, *self.allowed}):
            why = "chaos.allow_network permits it" if host in self.allowed else "it has a twin"
            hint = "leave one of the two out: a host that is offline answers nobody"
            raise ChaosError("contradictory", f"chaos.offline({host!r}), and {why}", hint)


def _named(host: str, call: str) -> str:
    """Return a host in small letters; raises ChaosError for what is none."""
    if not isinstance(host, str) or not host or "/" in host or host.count(":") == 1:
        hint = f'name the host alone: chaos.{call}("api.example.com")'
        raise ChaosError("bad-host", f"{host!r} is no host", hint)
    return host.lower()


def hosts_of(twins: Sequence[Twin]) -> frozenset[str]:
    """Return the hosts that twins stand for, in small letters."""
    reached = (urlsplit(twin.base_url).hostname for twin in twins if not getattr(twin, "command", ()))
    return frozenset(host for host in reached if host)


def stands_for(twins: Sequence[Twin], host: str, port: object) -> bool:
    """Return whether a twin stands for the server at this host, on this machine that at this port.

    A name is looked up without a port; then another name than this machine's own says enough.
    """
    urls = [urlsplit(twin.base_url) for twin in twins if not getattr(twin, "command", ())]
    if host in _LOOPBACK:
        return any(url.hostname in _LOOPBACK and port == (url.port or _PORTS[url.scheme]) for url in urls)
    return any(url.hostname == host.lower() for url in urls)


def is_look(method: str, host: str, declared: Iterable[str]) -> bool:
    """Return whether a request only looks at a host that has nothing to do with the declared ones.

    An agent can do without its answer: a library looks for a newer version of itself. Any other method changes
    something, and a host that is declared, or stands below one that is, was meant to be answered.
    """
    return method.upper() in _LOOKS and not any(host == known or host.endswith(f".{known}") for known in declared)


def told_of(asked: Iterable[str]) -> list[str]:
    """Return a sentence for each host that was asked and refused; `asked` has ``host``, newline, line."""
    places: dict[str, str] = {}
    for text in asked:
        host, line = text.split("\n")
        places.setdefault(host, line)
    return [
        f'asked {host}{f" ({line})" if line else ""} and was refused: chaos.offline("{host}") says that this is meant'
        for host, line in places.items()
    ]
