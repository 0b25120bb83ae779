"""An ephemeral workspace, and the atomic way of its files to their place.

A set of files is written into a workspace of its own, next to a manifest with the SHA-256 of each, and moved to its
target as one folder, by one rename: readers see no set or the whole one. The way back is the same rename the other way
round.

States: no workspace → filling → filled → (rename) target there, workspace gone. Because the move *takes the workspace
away*, its absence is the proof that the move happened, and a process that sleeps through its own rollback has nothing
left to move. To replace a set that is there already, see `releases`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .canonical import canonical, sha256
from .files import on_one_file_system, sync_folder, write_durably

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
            write_durably(self.workspace / name, content)
        sync_folder(self.workspace)
        return sha256(manifest)

    def commit(self, digest: str) -> None:
        """Move the checked set to its target; repeating it after it happened is fine.

        Raises:
            StagingError: What is in the workspace is not the set that `digest` names, or something else is at the
            target.
        """
        if self.workspace.exists():
            check_set(self.workspace, digest)
            self._refuse_occupied()
            os.rename(self.workspace, self.target)
            sync_folder(self.target.parent)
        else:
            check_set(self.target, digest)

    def withdraw(self, digest: str) -> None:
        """Take the set back into the workspace, as one; a set that never was at its target, or no longer is, is fine.

        Raises:
            StagingError: What is there is not what was moved there: somebody works with it.
        """
        if self.target.exists() and not self.workspace.exists():
            check_set(self.target, digest)
            os.rename(self.target, self.workspace)
            sync_folder(self.target.parent)

    def discard(self) -> None:
        """Delete the workspace as a whole, whatever is in it; one that is gone is fine."""
        if self.workspace.exists():
            shutil.rmtree(self.workspace)

    def _refuse_impossible(self, files: Mapping[str, bytes]) -> None:
        wrong = sorted(name for name in files if name in ("", ".", "..", MANIFEST) or Path(name).name != name)
        if wrong:
            raise StagingError(f"{wrong[0]!r} cannot be staged: names are plain file names, and {MANIFEST!r} is ours")
        here, there = self.workspace.parent, self.target.parent
        if not on_one_file_system(here, there):
            raise StagingError(f"{here} and {there} are on two file systems, so no move is atomic; stage beside it")
        self._refuse_occupied()

    def _refuse_occupied(self) -> None:
        if os.path.lexists(self.target):
            raise StagingError(f"{self.target} exists; publish a new folder beside it, or use Releases")


def check_set(folder: Path, digest: str) -> None:
    """Compare a folder with the set that `digest` names, file by file.

    Raises:
        StagingError: Something is missing, changed or added.
    """
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
