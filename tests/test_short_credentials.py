"""Tests have keys such as `k` or `test`: they leave texts readable, and are a leak only where they are called one."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.values.exploration import Exploration
from rollproof.values.known_secrets import placeholder

from .exploring import breaks, explored, only, two_folders

API = "https://api.shop.test"


def exploration(tmp_path: Path, key: str, work: Callable[[Path, str], None]) -> Exploration:
    """Explore an agent that sends the key, and then works in its own folder."""

    def run(own: Path) -> None:
        httpx.get(f"{API}/orders", headers={"Authorization": f"Bearer {key}"}).raise_for_status()
        work(own, key)

    def explore(chaos: Any, folder: Path) -> None:
        _, own = two_folders(chaos, folder)
        chaos.api(API, token=key)
        chaos.explore(run=lambda: run(own), recover=lambda: None)

    return explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill"))


def told(result: Exploration) -> str:
    """Return all that is said of what was found."""
    return "\n".join(text for found in result.violations for text in (found.message, *found.diff, found.actual))


def locked_work(own: Path, key: str) -> None:
    """Leave a lock, which says by which key, to whoever comes after a crash."""
    os.mkdir(own / f"{key} task.lock")
    os.rmdir(own / f"{key} task.lock")


def test_a_key_of_one_letter_is_not_looked_for_in_words(tmp_path: Path) -> None:
    """`task.lock` is called so; it was `tas<the credential for api.shop.test>.loc<…>`."""
    result = exploration(tmp_path, "k", locked_work)
    assert "own/k task.lock" in told(result)
    assert "credential" not in told(result)
    assert "credential_hygiene" not in breaks(result)


def test_a_long_key_is_hidden(tmp_path: Path) -> None:
    """In every text, and in the replay tokens."""
    result = exploration(tmp_path, "sk-1f9c07b2a46d58e3", locked_work)
    assert f"own/{placeholder('sk-1f9c07b2a46d58e3')} task.lock" in told(result)
    assert "sk-1f9c" not in told(result)


def words(own: Path, key: str) -> None:
    """Write words that happen to be the key, and take them away again."""
    (own / "notes").write_text(f"a {key} of the {key}\n")
    (own / "notes").write_text("")


def token(own: Path, key: str) -> None:
    """Write the key as what it is."""
    (own / "request.json").write_text(json.dumps({"url": API, "token": key}))
    (own / "request.json").write_text("{}")


def row(own: Path, key: str) -> None:
    """Write the key into a table."""
    with sqlite3.connect(own / "app.db", isolation_level=None) as database:
        database.execute("CREATE TABLE IF NOT EXISTS settings (id INTEGER PRIMARY KEY, token TEXT)")
        database.execute("INSERT OR REPLACE INTO settings VALUES (1, ?)", (key,))
        database.execute("UPDATE settings SET token = ''")


@pytest.mark.parametrize(("work", "found"), [(words, False), (token, True), (row, True)])
def test_a_common_word_is_a_leak_where_it_is_called_a_credential(
    tmp_path: Path, work: Callable[[Path, str], None], found: bool
) -> None:
    """A crash leaves it there; the run itself takes it away again."""
    assert ("credential_hygiene" in breaks(exploration(tmp_path, "test", work))) is found
