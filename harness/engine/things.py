"""Things outside in words: a mail to 'all', an order 'panel', a row of a table, a file."""

import re
from collections.abc import Mapping
from typing import Any

from ..values.points import canonical

_LABELS = (
    *("to", "name", "title", "subject", "number", "what", "item", "sku", "product", "about", "for", "of"),
    *("text", "content", "body", "message", "question"),
)
"""Columns that tell people which thing it is, the best first; any other text comes after these."""
_PREPOSITIONS = ("of", "for", "to", "by", "in")
_SHORT = 24
_PLURALS = ((r"ies$", "y"), (r"(ss|x|ch|sh)es$", r"\1"), (r"([^s])s$", r"\1"))
_SENT = re.compile(r"mail|message|notice|notification|letter|sms|invitation|reminder", re.IGNORECASE)
_DONE = re.compile(r"payment|charge|transfer|refund|booking|payout|withdrawal", re.IGNORECASE)
_TIMES = {2: "twice", 3: "three times"}


def singular(collection: str) -> str:
    """Return the name for one thing of a collection: ``mail`` for ``api.mail.test/mails``."""
    name = re.split(r"[/:]", collection)[-1].replace("_", " ")
    for plural, one in _PLURALS:
        if re.search(plural, name):
            return re.sub(plural, one, name)
    return name


def some_of(collection: str, part: tuple[int, int]) -> str:
    """Return how many of the things of a collection there are, with the verb: ``1 of 2 rooms is``."""
    there, all_of_them = part
    name = re.split(r"[/:]", collection)[-1].replace("_", " ")
    return f"{there} of {all_of_them} {name} {'is' if there == 1 else 'are'}"


def label(row: Mapping[str, Any]) -> str:
    """Return words that tell a row or resource from others: ``to 'all'``, ``'panel'``; "" if there are none."""
    texts = {key: value for key, value in row.items() if isinstance(value, str) and _says_something(key, value)}
    key = next((key for key in _LABELS if key in texts), next(iter(texts), ""))
    if not key:
        numbers = [key for key, value in row.items() if type(value) is int and key not in ("id", "cents")]
        of = "" if numbers and numbers[0] in _PREPOSITIONS else "with "
        return f"{of}{numbers[0]} {row[numbers[0]]}" if numbers else ""
    value = " ".join(texts[key].split())
    value = value if len(value) <= _SHORT else value[: _SHORT - 1] + "…"
    return f"to '{value}'" if key == "to" else f"'{value}'"


def _says_something(key: str, value: str) -> bool:
    drawn = canonical(value) != value or re.search(r"[0-9a-f]{12}", value)
    return bool(value.strip()) and key != "id" and not key.endswith(("_id", "_at")) and not drawn


def one_of(collection: str, row: Mapping[str, Any]) -> str:
    """Return one thing of a collection in words: ``mail to 'all'``, ``order 'panel'``."""
    return " ".join(filter(None, (singular(collection), label(row))))


def comes(collection: str, copies: int) -> str:
    """Return how a thing comes too often: ``goes out twice``."""
    name = singular(collection)
    verb = "goes out" if _SENT.search(name) else "is made" if _DONE.search(name) else "is there"
    return f"{verb} {_TIMES.get(copies, f'{copies} times')}"


def path(name: str, most: int = 44) -> str:
    """Return a path with its random parts as ``*``, of a long one its end."""
    name = canonical(name)
    if len(name) <= most:
        return name
    _, slash, end = name[-most + 1 :].partition("/")
    return f"…/{end}" if slash else f"…{name[-most + 1 :]}"


def said(text: str, most: int) -> str:
    """Return a run's result if it is short and says something; "" otherwise."""
    return text if len(text) <= most and text not in ("True", "False") else ""
