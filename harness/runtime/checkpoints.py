"""Checkpoints: goal, place in the plan and variables of a run when it entered a step.

With several processes: a checkpoint is saved in the transaction that enters a step, under the run's lease, so journal
and checkpoint never disagree and no two processes save one version. Older versions of a run stay, so a damaged one
costs one step.

    from rollproof.runtime import Checkpoint, Checkpoints, Store

    with Store("agent.db") as store:
        checkpoints = Checkpoints(store)        # with big variables: Checkpoints(store, FolderContents("contents"))
        kept = checkpoints.keep(Checkpoint("a report", "write", {"sources": ["a"]}))    # slow: no lock is held
        with store.transaction():
            checkpoints.save("run-1", kept)     # a row that points to it
        assert checkpoints.load("run-1").checkpoint.position == "write"

States of one: good, or damaged (its checksum does not match, or its content is lost). Where contents are given, a body
is kept there before a row points to it; a row that was never committed leaves a content that nothing points to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from .calls import Invoker
from .canonical import canonical, sha256
from .contents import ContentLost, Contents
from .store import Storage, StoreError

IN_CONTENTS = "in contents"
"""The body in the row of a checkpoint whose real body is kept in contents; it is no JSON, so no body."""


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
class Kept:
    """A checkpoint that is ready to be saved: the body for its row, and the SHA-256 of the real body."""

    body: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Restored:
    """The newest good checkpoint, and the versions after it that are damaged, newest first."""

    checkpoint: Checkpoint | None
    damaged: tuple[int, ...]


class Checkpoints:
    """The checkpoints of one database."""

    def __init__(self, store: Storage, contents: Contents | None = None) -> None:
        """Use the database of `store`, and `contents` for the bodies; nothing is opened or written."""
        self._store, self._contents = store, contents

    @property
    def in_contents(self) -> bool:
        """Return whether bodies are kept in contents, so that `keep` and `restored` can block for long."""
        return self._contents is not None

    def keep(self, checkpoint: Checkpoint) -> Kept:
        """Keep a body in the contents, if there are any, before the transaction in which it is saved.

        A bucket can take seconds, and an open transaction keeps every other process from writing.
        """
        body = canonical(
            {"goal": checkpoint.goal, "position": checkpoint.position, "variables": dict(checkpoint.variables)}
        )
        if self._contents is None:
            return Kept(body, sha256(body))
        return Kept(IN_CONTENTS, self._contents.put(body.encode()))

    def save(self, run: str, checkpoint: Checkpoint | Kept) -> int:
        """Make it the next version inside the open transaction, and give its number, which starts at 1."""
        kept = checkpoint if isinstance(checkpoint, Kept) else self.keep(checkpoint)
        rows = self._store.read("SELECT max(version) FROM checkpoints WHERE run = ?", run)
        last = int(rows[0][0] or 0) if rows else 0
        insert = "INSERT INTO checkpoints (run, version, body, sha256) VALUES (?, ?, ?, ?)"
        self._store.write(insert, run, last + 1, kept.body, kept.sha256)
        return last + 1

    def load(self, run: str) -> Restored:
        """Return the newest whole checkpoint, and the versions of the damaged ones after it.

        Raises:
            StoreError: One is kept in contents, and none are given.
            Exception: What the contents raise where they cannot tell whether one is damaged.
        """
        return self.restored(self.rows(run))

    def rows(self, run: str) -> list[tuple[Any, ...]]:
        """Read the rows of a run for `restored`, newest first; this is the part of `load` that uses the database."""
        query = "SELECT version, body, sha256 FROM checkpoints WHERE run = ? ORDER BY version DESC"
        return self._store.read(query, run)

    def restored(self, rows: Sequence[tuple[Any, ...]]) -> Restored:
        """Return the newest whole checkpoint of some rows, and the versions of the damaged ones, as `load`.

        It uses the contents and no database, so it may be called in another thread than the store's.
        """
        damaged: list[int] = []
        for version, body, checksum in rows:
            whole = self._from_contents(checksum) if body == IN_CONTENTS else body
            if whole is not None and sha256(whole) == checksum:
                return Restored(Checkpoint(**json.loads(whole)), tuple(damaged))
            damaged.append(version)
        return Restored(None, tuple(damaged))

    def _from_contents(self, digest: str) -> bytes | None:
        """Return a body from the contents; None where it is lost."""
        if self._contents is None:
            raise StoreError(f"{self._store.path} has checkpoints in contents; give it the same contents=")
        try:
            return self._contents.get(digest)
        except ContentLost:
            return None


async def keep(checkpoints: Checkpoints, memory: Checkpoint, invoker: Invoker) -> Kept:
    """Keep a checkpoint, as `Checkpoints.keep`; contents may be far away, and block no event loop."""
    return (
        await invoker.block(partial(checkpoints.keep, memory)) if checkpoints.in_contents else checkpoints.keep(memory)
    )


async def load(checkpoints: Checkpoints, run: str, invoker: Invoker) -> Restored:
    """Return the newest checkpoint, as `Checkpoints.load`; contents may be far away, and block no event loop."""
    restore = partial(checkpoints.restored, checkpoints.rows(run))
    return await invoker.block(restore) if checkpoints.in_contents else restore()
