"""The network under an agent, as tests use it: proxies that listen here, lead to a service, and break on demand.

Speaks to a real Toxiproxy server or to the embedded one through `toxiproxy-python`, and mends what that leaves open:
one server for a process, no time limit, ``HTTP_PROXY`` obeyed on the way to loopback, failures of the server ignored.
"""

import contextlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from ..values.errors import ChaosError, nearest
from .api import Api, Missing, Unreachable, parse
from .launching import HOST, Helper
from .toxics import ATTRIBUTES, deadly

Kind = Literal["embedded", "binary", "url"]
Stream = Literal["upstream", "downstream"]
BINARY = "toxiproxy-server"
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Traffic:
    """The traffic of one connection, in bytes; `ended` says what ended it first, and is empty before."""

    number: int
    client: str
    from_client: int
    to_upstream: int
    from_upstream: int
    to_client: int
    ended: str


class Toxiproxy:
    """One running server. `close` it, or use it as a context manager."""

    kind: Kind

    def __init__(self, kind: Kind, api: Api, helper: Helper | None, seed: int) -> None:
        self.kind, self._api, self._helper, self._seed = kind, api, helper, seed
        self._owner = os.getpid()
        self._prefix = own_prefix()
        self._proxies: list[Proxy] = []
        self._remover = Helper.remover(api.host, api.port, self._prefix) if kind == "url" else None

    @classmethod
    def start(cls, url: str | None = None, seed: int = 0) -> Self:
        """Take the server at `url`; or start the real one, if it is on PATH; or else the embedded one.

        `seed` is what the dice of toxics start from (toxicity, jitter, sizes of slices), together with a proxy's name;
        a real server has dice of its own.

        Raises:
            ChaosError: where there is none at `url`, or it does not start.
        """
        if url is not None:
            host, port = parse(url)
            api = Api(host, port)
            api.check(url)
            return cls("url", api, None, seed)
        binary = shutil.which(BINARY)
        helper = Helper.binary(binary) if binary else Helper.embedded(str(seed))
        return cls("binary" if binary else "embedded", Api(HOST, helper.port()), helper, seed)

    @classmethod
    def embedded(cls, seed: int = 0) -> Self:
        """Start the embedded server, whatever is on PATH."""
        helper = Helper.embedded(str(seed))
        return cls("embedded", Api(HOST, helper.port()), helper, seed)

    @property
    def url(self) -> str:
        """The URL of the server's API."""
        return f"http://{self._api.host}:{self._api.port}"

    @property
    def pid(self) -> int:
        """Return the pid of the process that was started for it; 0 for a server at a URL."""
        return self._helper.pid if self._helper is not None else 0

    def create(self, name: str, upstream: str) -> "Proxy":
        """Make a proxy that leads to `upstream`, ``host:port``, and listens on a free port of 127.0.0.1.

        Raises:
            ChaosError: where `name` or `upstream` cannot be one, or the name is taken: whoever has it keeps it.
        """
        if not _NAME.fullmatch(name):
            raise ChaosError(
                "toxiproxy-name", f"{name!r} cannot be the name of a proxy", "letters, digits and _ . - can"
            )
        if not re.fullmatch(r".+:\d+", upstream):
            raise ChaosError(
                "toxiproxy-upstream", f"{upstream!r} is no upstream", "type host:port, e.g. 127.0.0.1:5432"
            )
        # A real server ignores the seed. It leaves out the prefix, which is another one in each process.
        seed = f"{self._seed}/{name}"
        wanted = {"name": self._prefix + name, "upstream": upstream, "listen": f"{HOST}:0", "seed": seed}
        proxy = Proxy(self._api, self._api.post("/proxies", wanted), self._forget)
        self._proxies.append(proxy)
        return proxy

    def close(self) -> None:
        """Remove our proxies, and end the server if it is ours; do nothing in a fork of the process that started it."""
        if os.getpid() != self._owner:
            return
        try:
            for proxy in tuple(self._proxies):
                proxy.release()
                if self._helper is None:
                    with contextlib.suppress(Unreachable):
                        proxy.delete()
        finally:
            self._proxies.clear()
            for helper in (self._helper, self._remover):
                if helper is not None:
                    helper.end()
            self._helper = self._remover = None

    def _forget(self, proxy: "Proxy") -> None:
        if proxy in self._proxies:
            self._proxies.remove(proxy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Proxy:
    """One proxy of ours. Clients connect to `address`."""

    def __init__(self, api: Api, described: Mapping[str, object], forget: Callable[["Proxy"], None]) -> None:
        self._api, self._forget = api, forget
        self._path = api.path("proxies", str(described["name"]))
        self._count = 0
        self._held: list[socket.socket] = []
        self.address = self._address(described)

    def add(self, type: str, stream: Stream = "downstream", *, toxicity: float = 1.0, **attributes: int) -> str:
        """Add a toxic to one direction, for new and live connections, and return its name.

        Raises:
            ChaosError: where the toxic is not known, or an attribute makes no sense or would end the server.
        """
        check(type, stream, toxicity, attributes)
        self._count += 1
        name = f"{type}_{stream}_{self._count}"
        wanted = {"name": name, "type": type, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        self._api.post(f"{self._path}/toxics", wanted)
        return name

    def remove(self, toxic: str) -> None:
        """Take a toxic out by its name."""
        self._api.delete(f"{self._path}/{self._api.path('toxics', toxic)[1:]}")

    def clear(self) -> None:
        """Take all toxics out."""
        for toxic in self._api.get_list(f"{self._path}/toxics"):
            self.remove(str(toxic["name"]))

    def down(self) -> None:
        """Close all connections and refuse new ones; nobody is given the port meanwhile."""
        self._enable(False)
        self._held.append(socket.socket())
        with contextlib.suppress(OSError):  # the embedded server keeps it
            self._held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held[-1].bind(self.address)

    def up(self) -> None:
        """Accept connections again, at the same address."""
        self._enable(True)
        self.release()

    def delete(self) -> None:
        """Remove the proxy; one that is gone already stays so."""
        self.release()
        self._forget(self)
        self._api.delete(self._path, missing_ok=True)

    def connections(self) -> list[Traffic]:
        """Return the traffic of each connection so far, in the order they came; the embedded server counts it.

        Raises:
            ChaosError: where the server does not count.
        """
        try:
            return [Traffic(**one) for one in self._api.get_list(f"/rollproof{self._path}/connections")]
        except Missing:
            raise ChaosError(
                "toxiproxy-counts", f"the server of the proxy at {self.address} counts nothing", "the embedded one does"
            ) from None

    def release(self) -> None:
        """Release the port that is held while the proxy is down."""
        while self._held:
            self._held.pop().close()

    def _enable(self, enabled: bool) -> None:
        now = self._api.post(self._path, {"enabled": enabled})
        if now["enabled"] != enabled:
            raise ChaosError("toxiproxy-refused", f"the proxy at {self.address} is still {'down' if enabled else 'up'}")
        self.address = self._address(now)

    @staticmethod
    def _address(described: Mapping[str, object]) -> tuple[str, int]:
        host, _, port = str(described["listen"]).rpartition(":")
        return host.strip("[]"), int(port)


def own_prefix() -> str:
    """Return the prefix of the names of this process's proxies."""
    return f"rollproof-{os.getpid()}-{secrets.token_hex(4)}-"


def check(type: str, stream: str, toxicity: float, attributes: Mapping[str, int]) -> None:
    """Refuse a toxic that no server should be given; a real one ignores what it does not know, or dies of it.

    Raises:
        ChaosError: with what is wrong and what to type.
    """
    if type not in ATTRIBUTES:
        near = ", ".join(nearest(type, ATTRIBUTES))
        raise ChaosError("toxiproxy-toxic", f"no toxic is called {type!r}", f"nearest: {near}")
    if stream not in ("upstream", "downstream"):
        raise ChaosError("toxiproxy-toxic", f"{stream!r} is no stream", "type upstream or downstream")
    if not 0 <= toxicity <= 1:
        raise ChaosError("toxiproxy-toxic", f"toxicity is {toxicity!r}", "type a number from 0 to 1")
    for name, value in attributes.items():
        if name not in ATTRIBUTES[type]:
            known = ", ".join(ATTRIBUTES[type]) or "none"
            raise ChaosError("toxiproxy-toxic", f"{type} has no attribute {name!r}", f"its attributes: {known}")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ChaosError("toxiproxy-toxic", f"{name} of {type} is {value!r}", "type a whole number, 0 or more")
    wrong = deadly(type, {**dict.fromkeys(ATTRIBUTES[type], 0), **attributes})
    if wrong:
        raise ChaosError("toxiproxy-toxic", f"{type}: {wrong}", "a real Toxiproxy server ends when it is given that")
