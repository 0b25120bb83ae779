"""An ephemeral workspace, and the atomic way of its files to their place.

A set of files is written into a workspace of its own, next to a manifest with the SHA-256 of each, and moved to its
target as one folder, by one rename: readers see no set or the whole one. The way back is the same rename the other way
round.

States: no workspace → filling → filled → (rename) target there, workspace gone. Because the move *takes the workspace
away*, its absence is the proof that the move happened, and a process that sleeps through its own rollback has nothing
left to move. To replace a set, publish a new folder beside the old one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .canonical import canonical, sha256

MANIFEST = "manifest.json"
"""The file in each set that names the others: `{"files": {name: sha256}}`."""


class StagingError(Exception):
    """The set cannot be staged, moved or taken back without harm; nothing was done."""


class Staging:
    """The workspace of one run, and the folder that its files become."""

    def __init__(self, workspace: Path, target: Path) -> None:
        """Name a workspace that belongs to this run alone, and a target whose parent exists; nothing is touched."""
        self.workspace = workspace
        self.target = target

    def fill(self, files: Mapping[str, bytes]) -> str:
        """Write the whole set and its manifest, durably, and give the manifest's SHA-256, which names the set.

        Raises:
            StagingError: The set cannot be moved to its target; said before anything is written.
        """
        self._refuse_impossible(files)
        manifest = canonical({"files": {name: sha256(content) for name, content in files.items()}}).encode()
        self.workspace.mkdir()
        for name, content in {**files, MANIFEST: manifest}.items():
            _write_durably(self.workspace / name, content)
        return sha256(manifest)

    def commit(self, digest: str) -> None:
        """Move the checked set to its target; repeating it after it happened is fine.

        Raises:
            StagingError: What is in the workspace is not the set that `digest` names, or something else is at the
            target.
        """
        if self.workspace.exists():
            _check(self.workspace, digest)
            self._refuse_occupied()
            os.rename(self.workspace, self.target)
            _sync_folder(self.target.parent)
        else:
            _check(self.target, digest)

    def withdraw(self, digest: str) -> None:
        """Take the set back into the workspace, as one; a set that never was at its target, or no longer is, is fine.

        Raises:
            StagingError: What is there is not what was moved there: somebody works with it.
        """
        if self.target.exists() and not self.workspace.exists():
            _check(self.target, digest)
            os.rename(self.target, self.workspace)
            _sync_folder(self.target.parent)

    def discard(self) -> None:
        """Delete the workspace as a whole, whatever is in it; one that is gone is fine."""
        if self.workspace.exists():
            shutil.rmtree(self.workspace)

    def _refuse_impossible(self, files: Mapping[str, bytes]) -> None:
        wrong = sorted(name for name in files if name in ("", ".", "..", MANIFEST) or Path(name).name != name)
        if wrong:
            raise StagingError(f"{wrong[0]!r} cannot be staged: names are plain file names, and {MANIFEST!r} is ours")
        here, there = self.workspace.parent, self.target.parent
        if here.stat().st_dev != there.stat().st_dev:
            raise StagingError(f"{here} and {there} are on two file systems, so no move is atomic; stage beside it")
        self._refuse_occupied()

    def _refuse_occupied(self) -> None:
        if os.path.lexists(self.target):
            raise StagingError(f"{self.target} exists; publish a new folder beside it")


def _write_durably(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check(folder: Path, digest: str) -> None:
    """Compare a folder with the set that `digest` names, file by file; nothing may be missing, changed or added."""
    manifest = folder / MANIFEST
    content = manifest.read_bytes() if manifest.exists() else b""
    if sha256(content) != digest:
        raise StagingError(f"{manifest} is not the manifest of this run's set")
    found = {path.name: sha256(path.read_bytes()) for path in folder.iterdir() if path != manifest and path.is_file()}
    others = {path.name for path in folder.iterdir() if not path.is_file()}
    expected = json.loads(content)["files"]
    if found != expected or others:
        names = sorted({name for name, _ in found.items() ^ expected.items()} | others)
        raise StagingError(f"{folder} is not as it was staged: {', '.join(names)}")
