"""What an agent knows in the middle of its work: its goal, its place in the plan, its variables.

A checkpoint is saved in the transaction that enters a step, so the journal and it never disagree. States of one: good,
or damaged (its checksum does not match, or it cannot be read). Older versions of a run stay, so a damaged one costs one
step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .canonical import canonical, sha256
from .store import Storage


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One agent's memory when it entered the step `position`.

    What it remembers of conversations and facts, and what it works with, are its `variables`. Everything is JSON, and
    no secrets belong there.
    """

    goal: str
    position: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Restored:
    """The newest good checkpoint, and the versions after it that are damaged, newest first."""

    checkpoint: Checkpoint | None
    damaged: tuple[int, ...]


class Checkpoints:
    """The checkpoints of one database."""

    def __init__(self, store: Storage) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store = store

    def save(self, run: str, checkpoint: Checkpoint) -> int:
        """Keep the next version inside the open transaction, and give its number, which starts at 1."""
        rows = self._store.read("SELECT max(version) FROM checkpoints WHERE run = ?", run)
        last = int(rows[0][0] or 0) if rows else 0
        body = canonical(
            {"goal": checkpoint.goal, "position": checkpoint.position, "variables": dict(checkpoint.variables)}
        )
        insert = "INSERT INTO checkpoints (run, version, body, sha256) VALUES (?, ?, ?, ?)"
        self._store.write(insert, run, last + 1, body, sha256(body))
        return last + 1

    def load(self, run: str) -> Restored:
        """Give the newest checkpoint that is whole, and say which ones are not."""
        damaged: list[int] = []
        query = "SELECT version, body, sha256 FROM checkpoints WHERE run = ? ORDER BY version DESC"
        for version, body, checksum in self._store.read(query, run):
            if sha256(body) == checksum:
                return Restored(Checkpoint(**json.loads(body)), tuple(damaged))
            damaged.append(version)
        return Restored(None, tuple(damaged))
