"""Texts of a report have nothing secret, and nothing that is another text in the next run."""

import os
import re
import tempfile
from collections.abc import Callable, Iterable

import pytest

from ..values.credentials import is_distinctive

_SECRET_NAME = re.compile(r"(?i)(key|token|secret|password|credentials?)$")
_NAME = r"(?:api_?key|authorization|password|secret|token)\\?[\"']\s*[:=]\s*\\?[\"']"
_LOOKS_LIKE_ONE = (
    re.compile(r"(?i)\b(?P<name>(?:bearer|x-api-key:) )(?P<secret>[\w.~+/=-]{8,})"),
    re.compile(r"\b(?P<name>)(?P<secret>sk-[\w-]{8,})"),
    re.compile(rf"(?P<name>{_NAME})(?P<secret>[^\"'\\]{{8,}})", re.IGNORECASE),
)
_DIFFERS = (
    (re.compile(r"\b0x[0-9a-fA-F]{6,}\b"), "0x…"),
    (re.compile(re.escape(tempfile.gettempdir()) + r"/pytest-of-[^/\s]+/pytest-\d+/[^/\s'\"]*"), "tmp"),
)


def cleaner(item: pytest.Item, secrets: Iterable[str]) -> Callable[[str], str]:
    """Return what takes secrets, temporary paths and addresses in memory out of a text.

    `secrets` are hidden besides what looks like a credential or stands in an environment variable that is called like
    one. Common words are left: a text with ``password`` in it is no secret.
    """
    hidden = {*secrets, *(value for name, value in os.environ.items() if _SECRET_NAME.search(name))}
    names = {value: "[secret]" for value in sorted(hidden, key=len, reverse=True) if is_distinctive(value)}
    own = (getattr(item, "funcargs", None) or {}).get("tmp_path")  # none any more after Ctrl-C
    names |= {str(own): "tmp"} if own else {}
    root = f"{item.config.rootpath}/"

    def clean(text: str) -> str:
        for found, shown in names.items():
            text = text.replace(found, shown)
        for looks in _LOOKS_LIKE_ONE:
            text = looks.sub(_hidden, text)
        for pattern, shown in _DIFFERS:
            text = pattern.sub(shown, text)
        return text.replace(root, "") if len(root) > 2 else text

    return clean


def _hidden(found: re.Match[str]) -> str:
    """Return the name of what was found with its value hidden, where that is no common word."""
    return f"{found['name']}[secret]" if is_distinctive(found["secret"]) else found[0]
