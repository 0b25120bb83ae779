"""The state of a REST service: collections of resources, and first answers by idempotency key."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from ..values.http import HttpRequest, HttpResponse
from ..values.world import Row

_PLURALS = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("ss", "ss"), ("s", ""))


def singular(collection: str) -> str:
    """Return the name of one thing of a collection: ``v1/mails`` → ``mail``."""
    word = collection.rpartition("/")[2].lower()
    for plural, one in _PLURALS:
        if word.endswith(plural):
            return word.removesuffix(plural) + one
    return word


def generated_id(collection: str, salt: str, n: int) -> str:
    """Return the id of the n-th thing of a collection, e.g. ``mail_c41e0b…``.

    A letter and a digit come first, so that it always reads as a random part (see `values.points.canonical`) and
    never as a number or a word.
    """
    digest = sha256(f"{salt}/{collection}/{n}".encode()).digest()
    return f"{singular(collection)}_{'abcdef'[digest[0] % 6]}{digest[1] % 10}{digest[2:11].hex()}"


class KeyReused(ValueError):
    """An idempotency key comes with another request than the first time; `key` is it."""

    def __init__(self, key: str) -> None:
        super().__init__(f"The idempotency key {key!r} was used for another request.")
        self.key = key


class FirstAnswers:
    """The first answers to requests with an ``Idempotency-Key``: the same request gets its own again.

    Args:
        kept: plain data by key, which is read and changed: the request, and status, headers and body of its answer.
    """

    def __init__(self, kept: dict[str, Any]) -> None:
        self._kept = kept

    def answer(self, request: HttpRequest, content: object, act: Callable[[], HttpResponse]) -> HttpResponse:
        """Return what `act` answers, or the first answer where this request, a POST, came with its key before.

        `content` is what the request says. An error that `act` raises uses no key up. Raises KeyReused where the key
        came with another path or content.
        """
        key = request.headers.get("idempotency-key", "") if request.method.upper() == "POST" else ""
        asked = json.dumps([request.path, content], sort_keys=True)
        if key in self._kept:
            first = self._kept[key]
            if first["asked"] != asked:
                raise KeyReused(key)
            headers = {**first["headers"], "idempotent-replayed": "true"}
            return HttpResponse(first["status"], headers, first["body"].encode("latin-1"))
        answer = act()
        if key:
            # An ETag is a hash of the body: it would tell states apart that differ in how a time or an id reads.
            headers = {name: text for name, text in answer.headers.items() if name != "etag"}
            # Bytes as characters: JSON has no bytes, and a body need be no text.
            body = answer.body.decode("latin-1")
            self._kept[key] = {"asked": asked, "status": answer.status, "headers": headers, "body": body}
        return answer

    def rows(self) -> list[Row]:
        """Return them as rows, each with its key."""
        return [{"key": key, **first} for key, first in self._kept.items()]


class Store:
    """The memory of a service.

    Attributes:
        collections: path of the collection → id → resource, in the order of creation; a collection is here while
            something is in it.
        created: path of the collection → how many were ever created there. It never goes back, so no id is used twice.
        replies: the first answers by idempotency key, as `FirstAnswers` keeps them.
        hidden: ``collection/id`` → how many further requests there are before lists show it.
    """

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Row]] = {}
        self.created: dict[str, int] = {}
        self.replies: dict[str, Any] = {}
        self.hidden: dict[str, int] = {}

    def listable(self, collection: str) -> tuple[list[Row], list[Row]]:
        """Return the resources of a collection that lists show already, and those that they do not show yet."""
        rows: tuple[list[Row], list[Row]] = [], []
        for id, row in self.collections.get(collection, {}).items():
            rows[f"{collection}/{id}" in self.hidden].append(row)
        return rows

    def age(self) -> None:
        """Count a request: hidden resources are shown that much sooner."""
        self.hidden = {name: left - 1 for name, left in self.hidden.items() if left > 1}

    def create(self, collection: str, content: Row, salt: str) -> Row:
        """Add a resource under an id of its own and return it."""
        n = self.created[collection] = self.created.get(collection, 0) + 1
        return self.put(collection, generated_id(collection, salt, n), content)

    def put(self, collection: str, id: str, content: Row) -> Row:
        """Store `content` as the resource `id`, whatever `content` says its id is, and return it."""
        row = {"id": id, **{key: content[key] for key in sorted(content) if key != "id"}}
        self.collections.setdefault(collection, {})[id] = row
        return row

    def get(self, collection: str, id: str) -> Row | None:
        """Return a live resource."""
        return self.collections.get(collection, {}).get(id)

    def delete(self, collection: str, id: str) -> None:
        """Remove a resource and all that is below it."""
        del self.collections[collection][id]
        self.hidden.pop(f"{collection}/{id}", None)
        below = f"{collection}/{id}/"
        kept = {name: rows for name, rows in self.collections.items() if rows and not name.startswith(below)}
        self.collections = kept

    def is_orphan(self, collection: str) -> bool:
        """Say whether the collection is below a resource that is not there.

        Where nothing was ever created in the parent collection (``/users/me/drafts``), it is part of the address.
        """
        parent, _, _ = collection.rpartition("/")
        above, _, id = parent.rpartition("/")
        return above in self.created and self.get(above, id) is None

    def dump(self) -> bytes:
        """Return the whole state as JSON; equal states give equal bytes."""
        state = {
            "collections": _sorted(self.collections),
            "created": _sorted(self.created),
            "replies": _sorted(self.replies),
            **({"hidden": _sorted(self.hidden)} if self.hidden else {}),
        }
        return json.dumps(state, separators=(",", ":")).encode()

    @classmethod
    def load(cls, state: bytes) -> "Store":
        """Build the store whose `dump` returned `state`."""
        document = json.loads(state)
        store = cls()
        store.collections = document["collections"]
        store.created = document["created"]
        store.replies = document["replies"]
        store.hidden = document.get("hidden", {})
        return store


def _sorted(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: mapping[key] for key in sorted(mapping)}
