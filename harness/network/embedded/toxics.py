"""The toxics of one proxy: described by requests, put into its connections, taken out again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from ..toxics import ATTRIBUTES, deadly
from .bodies import Object
from .link import STREAMS, Link, Stream, Toxic
from .refusals import Refusal, bad_body, exists, not_found


class Toxics:
    """The toxics of a proxy, in order; a change goes through all live connections before it is answered.

    Args:
        links: returns one direction of all live connections.
    """

    def __init__(self, links: Callable[[Stream], Iterator[Link]]) -> None:
        self.lock = asyncio.Lock()
        self._links = links
        self._chains: dict[Stream, list[Toxic]] = {stream: [] for stream in STREAMS}

    def all(self) -> list[Toxic]:
        """Return all toxics: upstream first, each stream in the order they were added."""
        return [toxic for stream in STREAMS for toxic in self._chains[stream]]

    def documents(self) -> list[dict[str, object]]:
        """Return all toxics as the API shows them."""
        return [document(toxic) for toxic in self.all()]

    def named(self, name: str) -> Toxic:
        """Return the toxic of this name.

        Raises:
            Refusal: where there is none.
        """
        for toxic in self.all():
            if toxic.name == name:
                return toxic
        raise not_found("toxic")

    async def add(self, body: Object) -> Toxic:
        """Add the toxic that a request describes."""
        async with self.lock:
            toxic = self._described(body)
            self._chains[toxic.direction].append(toxic)
            await self._everywhere(toxic, lambda link: link.add(toxic))
            return toxic

    async def update(self, name: str, body: Object) -> Toxic:
        """Change attributes and toxicity, and nothing else."""
        async with self.lock:
            toxic = self.named(name)
            attributes = _attributes(toxic.type, body, toxic.attributes)
            toxic.toxicity = body.number("toxicity", toxic.toxicity)
            toxic.attributes = attributes
            await self._everywhere(toxic, lambda link: link.update(toxic))
            return toxic

    async def remove(self, name: str) -> None:
        """Take the toxic of this name out."""
        async with self.lock:
            await self._remove(self.named(name))

    async def clear(self) -> None:
        """Take all of them out."""
        async with self.lock:
            for toxic in self.all():
                await self._remove(toxic)

    async def _remove(self, toxic: Toxic) -> None:
        self._chains[toxic.direction].remove(toxic)
        await self._everywhere(toxic, lambda link: link.remove(toxic))

    async def _everywhere(self, toxic: Toxic, change: Callable[[Link], Awaitable[None]]) -> None:
        await asyncio.gather(*(change(link) for link in self._links(toxic.direction)))

    def _described(self, body: Object) -> Toxic:
        type, stream = body.text("type", ""), body.text("stream", "downstream")
        name, toxicity = body.text("name", "") or f"{type}_{stream}", body.number("toxicity", 1.0)
        body.within("attributes")
        directions: dict[str, Stream] = {one: one for one in STREAMS}
        if stream.lower() not in directions:
            raise Refusal(400, "stream was invalid, can be either upstream or downstream")
        if type not in ATTRIBUTES:
            raise Refusal(400, "invalid toxic type")
        if any(toxic.name == name for toxic in self.all()):
            raise exists("toxic")
        return Toxic(name, type, stream, directions[stream.lower()], toxicity, _attributes(type, body, {}))


def document(toxic: Toxic) -> dict[str, object]:
    """Return a toxic as the API shows it."""
    return {
        "attributes": toxic.attributes,
        "name": toxic.name,
        "type": toxic.type,
        "stream": toxic.stream,
        "toxicity": int(toxic.toxicity) if toxic.toxicity.is_integer() else toxic.toxicity,
    }


def _attributes(type: str, body: Object, before: dict[str, int]) -> dict[str, int]:
    given = body.within("attributes")
    found = {name: given.integer(name, before.get(name, 0)) for name in ATTRIBUTES[type]}
    wrong = deadly(type, found)
    if wrong:
        raise bad_body(wrong)
    return found
