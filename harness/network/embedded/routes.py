"""The HTTP API: the function and the answer for each request."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from .bodies import as_object, first_value
from .proxies import Partly, Proxies
from .refusals import Refusal
from .toxics import document

VERSION = "2.12.0"
JSON, TEXT = "application/json", "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as far as the API needs it; `path` as it was sent, without its query."""

    method: str
    path: str
    body: bytes
    agent: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; one without a `media_type` has no body."""

    status: int
    body: bytes = b""
    media_type: str = ""
    location: str = ""


Handler = Callable[[Proxies, list[str], bytes], Awaitable[Response]]


async def answer(proxies: Proxies, request: Request) -> Response:
    """Carry a request out, and return its answer."""
    path = unquote_to_bytes(request.path).decode(errors="replace")
    if "//" in path or "/./" in path or "/../" in path:
        return Response(301, location=_clean(path))
    pattern, names = _matched(path)
    if not pattern:
        return Response(404, b"404 page not found\n", TEXT)
    handler = ROUTES[pattern].get(request.method)
    if handler is None:
        return Response(405)
    if request.agent.startswith("Mozilla/"):
        return Response(403, b"User agent not allowed\n", TEXT)
    try:
        return await handler(proxies, names, request.body)
    except Refusal as refusal:
        return Response(refusal.status, _json(refusal.document()) + b"\n", TEXT)


def _matched(path: str) -> tuple[str, list[str]]:
    """Return the pattern that a path matches, and the parts for its stars; an empty pattern if none matches."""
    parts = path.split("/")[1:]
    for pattern in ROUTES:
        wanted = pattern.split("/")[1:]
        if len(wanted) == len(parts) and all(w in ("*", p) and p for w, p in zip(wanted, parts, strict=True)):
            return pattern, [part for w, part in zip(wanted, parts, strict=True) if w == "*"]
    return "", []


def _clean(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts) + ("/" if path.endswith("/") and parts else "")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _answer(value: Any, status: int = 200) -> Response:
    return Response(status, _json(value), JSON)


async def _version(proxies: Proxies, names: list[str], body: bytes) -> Response:
    return Response(200, f'{{"version": "{VERSION}"}}\n'.encode(), "application/json;charset=utf-8")


async def _index(proxies: Proxies, names: list[str], body: bytes) -> Response:
    return _answer({proxy.name: proxy.document() for proxy in proxies.all()})


async def _create(proxies: Proxies, names: list[str], body: bytes) -> Response:
    return _answer((await proxies.create(as_object(first_value(body)))).document(), 201)


async def _populate(proxies: Proxies, names: list[str], body: bytes) -> Response:
    try:
        done = await proxies.populate(first_value(body))
    except Refusal as refusal:
        return _answer({**refusal.document(), "proxies": None}, refusal.status)
    except Partly as partly:
        shown = [proxy.document() for proxy in partly.done] or None
        return _answer({**partly.refusal.document(), "proxies": shown}, partly.refusal.status)
    return _answer({"proxies": [proxy.document() for proxy in done] or None}, 201)


async def _reset(proxies: Proxies, names: list[str], body: bytes) -> Response:
    await proxies.reset()
    return Response(204)


async def _show(proxies: Proxies, names: list[str], body: bytes) -> Response:
    return _answer(proxies.named(names[0]).document())


async def _update(proxies: Proxies, names: list[str], body: bytes) -> Response:
    proxies.named(names[0])
    return _answer((await proxies.update(names[0], as_object(first_value(body)))).document())


async def _delete(proxies: Proxies, names: list[str], body: bytes) -> Response:
    await proxies.remove(names[0])
    return Response(204)


async def _toxics(proxies: Proxies, names: list[str], body: bytes) -> Response:
    return _answer(proxies.named(names[0]).toxics.documents())


async def _add_toxic(proxies: Proxies, names: list[str], body: bytes) -> Response:
    toxics = proxies.named(names[0]).toxics
    return _answer(document(await toxics.add(as_object(first_value(body)))))


async def _show_toxic(proxies: Proxies, names: list[str], body: bytes) -> Response:
    return _answer(document(proxies.named(names[0]).toxics.named(names[1])))


async def _update_toxic(proxies: Proxies, names: list[str], body: bytes) -> Response:
    toxics = proxies.named(names[0]).toxics
    toxics.named(names[1])
    return _answer(document(await toxics.update(names[1], as_object(first_value(body)))))


async def _remove_toxic(proxies: Proxies, names: list[str], body: bytes) -> Response:
    await proxies.named(names[0]).toxics.remove(names[1])
    return Response(204)


async def _connections(proxies: Proxies, names: list[str], body: bytes) -> Response:
    return _answer([record.document() for record in proxies.named(names[0]).records])


ROUTES: dict[str, dict[str, Handler]] = {
    "/version": {"GET": _version},
    "/proxies": {"GET": _index, "POST": _create},
    "/populate": {"POST": _populate},
    "/reset": {"POST": _reset},
    "/proxies/*": {"GET": _show, "POST": _update, "PATCH": _update, "DELETE": _delete},
    "/proxies/*/toxics": {"GET": _toxics, "POST": _add_toxic},
    "/proxies/*/toxics/*": {
        "GET": _show_toxic,
        "POST": _update_toxic,
        "PATCH": _update_toxic,
        "DELETE": _remove_toxic,
    },
    "/rollproof/proxies/*/connections": {"GET": _connections},
}
"""The routes of Toxiproxy 2.12, and one of our own under a name that it does not know."""
