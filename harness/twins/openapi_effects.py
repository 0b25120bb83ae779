"""The change of a thing by an action such as ``POST /charges/{id}/refund``."""

import re
from typing import Any

from ..values.world import Row
from .openapi_document import Document
from .openapi_values import type_of

_OTHERWISE = {"pay": "paid", "send": "sent", "hold": "held", "begin": "begun", "make": "made", "withdraw": "withdrawn"}
_WHEN = "2024-01-01T00:00:00Z"


def acted(document: Document, schema: Any, row: Row, sent: Row, action: str) -> tuple[Row, bool]:
    """Return a thing after an action, and whether it shows that this was done.

    A sent value changes the property of its name. The name of the action is looked for in its properties:
    ``refund`` makes ``status`` "refunded" where that is one of its words, ``refunded`` true, ``refunded_at`` a time.
    """
    properties = document.properties(schema)
    parts = {name: document.flat(part) for name, part in properties.items()}
    after, shows = dict(row), False
    for name, part in parts.items():
        if name in sent and not part.get("readOnly") and name != "id" and document.fits(properties[name], sent[name]):
            after[name] = sent[name]
    for name, part in parts.items():
        value = _effect(name, part, action, row.get(name))
        if value is not None and document.fits(properties[name], value):
            after[name], shows = value, True
    return after, shows


def _effect(name: str, part: dict[str, Any], action: str, now: Any) -> Any:
    kind = type_of(part)
    undone = _plain(action).removeprefix("un") if _plain(action).startswith("un") else ""
    if kind == "string" and "enum" in part:
        words = [word for word in part["enum"] if isinstance(word, str)]
        before = [word for word in (part.get("default"), *words) if word is not None and not _means(undone, word)]
        is_undone = undone and isinstance(now, str) and _means(undone, now)
        return next((word for word in words if _means(action, word)), before[0] if is_undone and before else None)
    if kind == "boolean":
        return True if _means(action, name) else False if undone and _means(undone, name) else None
    stem = re.sub(r"(_at|_on|_time|At|On|Time)$", "", name)
    return _WHEN if stem != name and part.get("format") == "date-time" and _means(action, stem) else None


def _means(action: str, word: str) -> bool:
    """Return whether a word says that an action was done: cancel → canceled, cancelled; pay → paid; reopen → open."""
    verb, said = _plain(action), _plain(word).removeprefix("is")
    if said in (_OTHERWISE.get(verb), verb.removeprefix("re")):
        return True
    stem = verb.removesuffix("e").removesuffix("y")
    return (
        len(stem) > 2
        and said.startswith(stem)
        and said[len(stem) :] in (*("", "e", "d", "ed", "ied", "ing", "led", "ted", "ped", "ged"),)
    )


def _plain(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalpha())
