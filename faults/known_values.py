"""The values that a request tells a model: with the names of their fields, and words of its texts.

Read alike in all formats: JSON in a message, in the result of a tool, or in the arguments of an earlier call.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rollproof.values.http import HttpRequest

Scalar = str | int | float
_TOLD = ("system", "systemInstruction", "system_instruction", "instructions", "messages", "input", "contents", "prompt")
_CARRIED = ("args", "response")  # of Gemini's calls, and of what they returned
_PROTOCOL = frozenset(
    {"role", "type", "id", "name", "tool_call_id", "tool_use_id", "call_id", "status", "mimeType", "data", "image_url"}
)
_DRAWN = 8
_WORD = re.compile(r"[\w./:@-]*\d[\w./:@-]*")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Known:
    """A value that a request told; `name` is that of its field, "" for a word of a text."""

    name: str
    value: Scalar


def known_values(request: HttpRequest) -> list[Known]:
    """Return the values that a request told, in their order; none if it is no JSON."""
    try:
        document = request.json()
    except ValueError:
        return []
    if not isinstance(document, dict):
        return []
    return [known for name in _TOLD for known in _of_messages(document.get(name))]


def shape(value: Scalar) -> str:
    """Return what ids of one kind share: ``ord_0`` for ``ord_17``, ``uuid`` for one; "" for what is no id.

    Letters stay as they are, but in parts of eight and more that mix them with digits: those are drawn.
    """
    if not isinstance(value, str) or not _WORD.fullmatch(value) or value.isdigit():
        return ""
    return "uuid" if _UUID.fullmatch(value) else re.sub(r"[0-9a-zA-Z]+", _shape_of_part, value)


def _shape_of_part(found: re.Match[str]) -> str:
    part = found[0]
    is_drawn = len(part) >= _DRAWN and any(map(str.isdigit, part)) and not re.fullmatch(r"[a-zA-Z]*\d*", part)
    return "*" if is_drawn else re.sub(r"\d+", "0", part)


def _of_messages(part: Any) -> Iterator[Known]:
    """Yield what stands in a part of a request, without what only its format needs."""
    if isinstance(part, str):
        yield from _of_text(part)
    elif isinstance(part, list):
        for one in part:
            yield from _of_messages(one)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name in _CARRIED or (name == "input" and part.get("type") == "tool_use"):
                yield from _of_document("", value)
            elif name not in _PROTOCOL:
                yield from _of_messages(value)


def _of_text(text: str) -> Iterator[Known]:
    """Yield the fields of the JSON documents in a text, and the words with a digit in what is between them."""
    rest = 0
    for start in (found.start() for found in re.finditer(r"[{\[]", text)):
        if start < rest:
            continue
        try:
            document, end = _DECODER.raw_decode(text, start)
        except ValueError:
            continue
        yield from _words(text[rest:start])
        yield from _of_document("", document)
        rest = end
    yield from _words(text[rest:])


def _of_document(name: str, value: Any) -> Iterator[Known]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _of_document(str(key), one)
    elif isinstance(value, list):
        for one in value:
            yield from _of_document(name, one)
    elif isinstance(value, str) and value[:1] in ("{", "["):
        yield from _of_text(value)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield Known(name, value)
        if isinstance(value, str) and " " in value:
            yield from _words(value)


def _words(text: str) -> Iterator[Known]:
    return (Known("", word.rstrip(".:,")) for word in _WORD.findall(text))
