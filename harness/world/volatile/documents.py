"""Read the content of a file as what it is: JSON, JSON lines, text, or bytes."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from ..storage.remembering import remembered

_SCALAR = re.compile(r'"(?:[^"\\]|\\.)*"(?!\s*:)|-?\d[\d.eE+-]*|\b(?:true|false|null)\b|("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a file.

    `value` is the parsed JSON for "json", a list of parsed lines for "jsonl", a list of lines for "text" and the
    bytes themselves for "binary". `layout` is a JSON text without its values: white space and order of keys.
    """

    kind: Literal["json", "jsonl", "text", "binary"]
    value: Any
    layout: str = ""


@remembered(32 << 20)
def read_document(content: bytes, by_lines: bool = False) -> Document:
    """Parse `content`; `by_lines` where the name of the file promises JSON lines."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Document("binary", content)
    if "\0" in text:
        return Document("binary", content)
    if text.lstrip()[:1] in ("{", "["):
        if not by_lines and (value := read_json(text)) is not None:
            return Document("json", value, _layout(text))
        lines = text.split("\n")
        parsed = [read_json(line) for line in lines if line.strip()]
        if None not in parsed:
            return Document("jsonl", parsed, _layout(text))
    return Document("text", text.split("\n"))


def read_json(text: str) -> Any:
    """Return the object or array that `text` is as JSON, None for anything else."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _layout(text: str) -> str:
    return _SCALAR.sub(lambda match: match.group(1) or "_", text)
