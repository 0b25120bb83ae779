"""The collection or the thing that the path of a REST request names."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from ..values.points import canonical
from .addresses import in_a_token

_ADDRESS = re.compile(r"api|v\d+(\.\d+)*")


@dataclass(frozen=True, slots=True)
class Place:
    """A collection, or one thing of it where `id` is not empty.

    Attributes:
        address: leading segments that belong to the service's address: ``api``, ``v1``.
        things: segments of the collection, names and ids in turn: ``("orders", "order_a1…", "items")``; empty where
            the path names nothing.
        id: id of one thing.
    """

    address: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    id: str = ""

    @classmethod
    def of(cls, path: str) -> "Place":
        """Read a path below the service's base."""
        segments = tuple(unquote(segment) for segment in path.split("/") if segment)
        n = next((n for n, segment in enumerate(segments) if not _ADDRESS.fullmatch(segment)), len(segments))
        address, things = segments[:n], segments[n:]
        return cls(address, things) if len(things) % 2 or not things else cls(address, things[:-1], things[-1])

    @property
    def collection(self) -> str:
        """Return the path of the collection below the base; ``""`` where the path names nothing."""
        return "/".join([*self.address, *self.things]) if self.things else ""

    @property
    def above(self) -> dict[str, str]:
        """Return the ids of the things above the collection: ``{"orders id": "order_a1…"}`` for ``orders/ID/items``."""
        return {f"{name} id": id for name, id in zip(self.things[:-1:2], self.things[1::2], strict=True)}

    @property
    def kind(self) -> str:
        """Return the path of the collection with every id as ``*``: all items of all orders are of one kind."""
        return "/".join([*self.address, *("*" if n % 2 else name for n, name in enumerate(self.things))])

    def includes(self, other: "Place") -> bool:
        """Say whether both are the same collection; one without an address means it at any address."""
        return (self.things, self.id) == (other.things, other.id) and self.address in ((), other.address)

    @property
    def target(self) -> str:
        """Return the place with every id as ``*``, safe inside a replay token."""
        names = ["*" if n % 2 else canonical(name) for n, name in enumerate(self.things)]
        return in_a_token("/".join([*self.address, *names, *(["*"] if self.id else [])]))
