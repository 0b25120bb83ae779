"""All proxies of a server, by name."""

import asyncio

from .bodies import Object, as_list, as_object
from .proxy import Proxy
from .refusals import Refusal, exists, missing_field, not_found


class Partly(Exception):
    """A populate that stopped: the proxies up to there, and why."""

    def __init__(self, done: list[Proxy], refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.done, self.refusal = done, refusal


class Proxies:
    """The collection that the API works on.

    Args:
        seed: what the dice of a proxy start from, together with its name, where the proxy brings no seed of its own.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._named: dict[str, Proxy] = {}
        self._lock = asyncio.Lock()

    def all(self) -> list[Proxy]:
        """Return all proxies, in the order of their names."""
        return [self._named[name] for name in sorted(self._named)]

    def named(self, name: str) -> Proxy:
        """Return the proxy of this name.

        Raises:
            Refusal: where there is none.
        """
        try:
            return self._named[name]
        except KeyError:
            raise not_found("proxy") from None

    async def create(self, body: Object) -> Proxy:
        """Add the proxy that a request describes, and start it unless it says otherwise."""
        proxy, enabled = self._described(body, "")
        async with self._lock:
            if proxy.name in self._named:
                raise exists("proxy")
            if enabled:
                await proxy.start()
            self._named[proxy.name] = proxy
        return proxy

    async def populate(self, body: object) -> list[Proxy]:
        """Add several; one that is there already is left alone if it is the same, and replaced if not.

        Raises:
            Partly: where one of them cannot listen.
        """
        described = [
            self._described(as_object(one), f" at proxy {number}") for number, one in enumerate(as_list(body), 1)
        ]
        done: list[Proxy] = []
        for proxy, enabled in described:
            try:
                done.append(await self._put(proxy, enabled))
            except Refusal as refusal:
                raise Partly(done, refusal) from None
        return done

    async def update(self, name: str, body: Object) -> Proxy:
        """Change where a proxy listens or leads, or whether it is enabled; its name stays."""
        proxy = self.named(name)
        listen, upstream = body.text("listen", proxy.listen), body.text("upstream", proxy.upstream)
        await proxy.update(listen, upstream, body.flag("enabled", proxy.enabled))
        return proxy

    async def remove(self, name: str) -> None:
        """End a proxy and forget it."""
        async with self._lock:
            await self.named(name).end("proxy deleted")
            del self._named[name]

    async def reset(self) -> None:
        """Start what is disabled, and take all toxics out, up to the first that cannot listen."""
        for proxy in self.all():
            await proxy.start()
            await proxy.toxics.clear()

    async def _put(self, proxy: Proxy, enabled: bool) -> Proxy:
        async with self._lock:
            before = self._named.get(proxy.name)
            if before is not None:
                if not before.differs(proxy.listen, proxy.upstream):
                    return before
                await before.end("proxy replaced")
            if enabled:
                await proxy.start()
            self._named[proxy.name] = proxy
            return proxy

    def _described(self, body: Object, where: str) -> tuple[Proxy, bool]:
        name, listen, upstream = (body.text(field, "") for field in ("name", "listen", "upstream"))
        enabled, seed = body.flag("enabled", True), body.text("seed", f"{self._seed}/{name}")
        for field, value in (("name", name), ("upstream", upstream)):
            if not value:
                raise missing_field(f"{field}{where}")
        return Proxy(name, listen, upstream, seed), enabled
