"""Server-sent events, as model providers stream their answers."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..values.http import HttpResponse, ModelAnswer

Event = tuple[str, Any]  # its name, or "" where it has none, and its data
DONE: Event = ("", "[DONE]")
_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_PIECE = 24


def streamed(events: Iterable[Event], answer: ModelAnswer, headers: dict[str, str]) -> HttpResponse:
    """Return a response that consists of `events` and ends as `answer` says."""
    broken = answer.ending if answer.ending in ("cut", "stalled") else ""
    return HttpResponse(200, {**_HEADERS, **headers}, b"".join(map(_encoded, events)), broken)


def is_stream(response: HttpResponse) -> bool:
    """Say whether a response consists of events."""
    return response.headers.get("content-type", "").startswith("text/event-stream")


def decoded(response: HttpResponse) -> list[Event]:
    """Return the events of a response; raises ValueError where it has none or others than `streamed` writes."""
    if not is_stream(response):
        raise ValueError("not a stream of events")
    return [_decoded(block) for block in response.body.decode().split("\n\n") if block]


def read(response: HttpResponse) -> list[Event]:
    """Return the events of any provider's stream, whatever its line ends; comments and numbers of events are left."""
    blocks = response.body.decode(errors="replace").replace("\r\n", "\n").split("\n\n")
    return [event for block in blocks if (event := _read(block)) is not None]


def pieces(text: str) -> Iterator[str]:
    """Yield a text in the parts in which it is streamed; nothing for an empty one."""
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))


def _encoded(event: Event) -> bytes:
    name, data = event
    line = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {line}\n\n".encode()


def _read(block: str) -> Event | None:
    fields = [line.partition(":") for line in block.split("\n")]
    name = next((value.strip() for field, _, value in fields if field == "event"), "")
    data = "\n".join(value.removeprefix(" ") for field, _, value in fields if field == "data")
    if not data:
        return None
    try:
        return name, json.loads(data)
    except ValueError:
        return name, data


def _decoded(block: str) -> Event:
    name, _, data = block.partition("data: ")
    return name.removeprefix("event: ").rstrip("\n"), data if data == DONE[1] else json.loads(data)
