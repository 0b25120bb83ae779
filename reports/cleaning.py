"""Texts of Allure's report have nothing that is another text in the next run, and no secret of the test's item."""

import os
import re
import tempfile
from collections.abc import Callable, Iterable

import pytest

from ..values.cleaning import Cleaner

_DIFFERS = (
    (re.compile(r"\b0x[0-9a-fA-F]{6,}\b"), "0x…"),
    (re.compile(re.escape(tempfile.gettempdir()) + r"/pytest-of-[^/\s]+/pytest-\d+/[^/\s'\"]*"), "tmp"),
)


def cleaner(item: pytest.Item, secrets: Iterable[str]) -> Callable[[str], str]:
    """Return what takes secrets, temporary paths and addresses in memory out of a text.

    `secrets` are hidden besides those that `Cleaner` knows by their form or from the environment.
    """
    secret = Cleaner(secrets, os.environ)
    own = (getattr(item, "funcargs", None) or {}).get("tmp_path")  # none any more after Ctrl-C
    root = f"{item.config.rootpath}/"

    def clean(text: str) -> str:
        text = secret.clean(text)
        text = text.replace(str(own), "tmp") if own else text
        for pattern, shown in _DIFFERS:
            text = pattern.sub(shown, text)
        return text.replace(root, "") if len(root) > 2 else text

    return clean
