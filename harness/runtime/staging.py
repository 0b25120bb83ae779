"""An ephemeral workspace, and the atomic way of its files to their place.

A workspace belongs to one run. Of several processes that move to one target one gets there and the others get an error;
readers see no set or the whole one, since it moves by one rename. A process that sleeps through its own rollback has
nothing left to move: the move *takes the workspace away*, so its absence is the proof that the move happened.

    from pathlib import Path
    from rollproof.runtime import Staging

    staging = Staging("staging-run-1", "site")      # in a step: f"staging-{run.id}"
    digest = staging.fill({"index.html": b"<p>", "css/site.css": b"p {}"})      # where nobody looks
    staging.commit(digest)                          # checked whole, then moved
    assert Path("site/css/site.css").read_bytes() == b"p {}"
    staging.withdraw(digest)                        # the way back: the same rename the other way round
    staging.discard()
    assert not Path("site").exists()

A set is files in folders, next to a manifest with the SHA-256 of each. It is checked whole: what is missing, changed or
added is found, a link or an empty folder too. States: no workspace → filling → filled → (rename) target there,
workspace gone. To replace a set that is there already, see `releases`.
"""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from .canonical import canonical, sha256
from .files import AnyPath, on_one_file_system, refuse_no_bytes, sync_folder, write_durably

MANIFEST = "manifest.json"
"""The file in each set that names the others: `{"files": {"css/site.css": sha256}}`."""


class StagingError(Exception):
    """The set cannot be staged, moved or taken back without harm; nothing was done."""


class Staging:
    """The workspace of one run, and the folder that its files become."""

    def __init__(self, workspace: AnyPath, target: AnyPath) -> None:
        """Name a workspace of this run alone, and a target whose parent exists; nothing is touched."""
        self.workspace, self.target = Path(workspace), Path(target)

    def fill(self, files: Mapping[str, bytes]) -> str:
        """Write the whole set and its manifest, durably, and give the manifest's SHA-256, which names the set.

        Args:
            files: The contents by name; a name may have folders, divided by `/`.

        Raises:
            StagingError: A name cannot be in a set, or the set cannot be moved to its target; said before anything is
                written.
            TypeError: A content is text, and not bytes; so is that.
        """
        self._refuse_impossible(files)
        manifest = canonical({"files": {name: sha256(content) for name, content in files.items()}}).encode()
        folders = sorted(_folders(files))
        self.workspace.mkdir()
        for folder in folders:
            (self.workspace / folder).mkdir()
        for name, content in {**files, MANIFEST: manifest}.items():
            write_durably(self.workspace / name, content)
        for folder in [*reversed(folders), "."]:
            sync_folder(self.workspace / folder)
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
        """Delete the workspace with all its files; gone is fine."""
        if self.workspace.exists():
            shutil.rmtree(self.workspace)

    def _refuse_impossible(self, files: Mapping[str, bytes]) -> None:
        wrong = next(_impossible(files), None)
        if wrong is not None:
            raise StagingError(wrong)
        for name, content in files.items():
            refuse_no_bytes(name, content)
        here, there = self.workspace.parent, self.target.parent
        if not on_one_file_system(here, there):
            raise StagingError(f"{here} and {there} are on two file systems, so no move is atomic; stage beside it")
        self._refuse_occupied()

    def _refuse_occupied(self) -> None:
        if os.path.lexists(self.target):
            raise StagingError(f"{self.target} exists; publish a new folder beside it, or use Releases")


def check_set(folder: Path, digest: str) -> None:
    """Make sure that a folder holds exactly the set that a manifest's SHA-256 names: its files, in its folders.

    Raises:
        StagingError: Something is missing, changed or added; a link is no file and no folder of a set.
    """
    manifest = folder / MANIFEST
    content = manifest.read_bytes() if manifest.is_file() else b""
    if sha256(content) != digest or folder.is_symlink() or manifest.is_symlink():
        raise StagingError(f"{manifest} is not the manifest of this run's set")
    expected = json.loads(content)["files"]
    found, others = _found(folder)
    del found[MANIFEST]
    others ^= _folders(expected)
    if found != expected or others:
        names = sorted({name for name, _ in found.items() ^ expected.items()} | others)
        raise StagingError(f"{folder} is not as it was staged: {', '.join(names)}")


def _found(folder: Path) -> tuple[dict[str, str], set[str]]:
    """Return the hash of each file below a folder, by its name in the set, and the names of all other entries."""
    hashes, others = {}, set()
    for at, folders, names in os.walk(folder):
        for path in (Path(at, name) for name in [*folders, *names]):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and not path.is_symlink():
                hashes[name] = sha256(path.read_bytes())
            else:
                others.add(name if path.is_dir() and not path.is_symlink() else f"{name} (no file and no folder)")
    return hashes, others


def _folders(names: Collection[str]) -> set[str]:
    """Return the folders that names lie in, those around them included."""
    return {str(folder) for name in names for folder in PurePosixPath(name).parents} - {"."}


def _impossible(names: Collection[str]) -> Iterator[str]:
    """Yield the reasons why names cannot be in one set on every file system, also on one that folds case or accents."""
    for name in sorted(names):
        if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name or name == MANIFEST:
            yield f"{name!r} cannot be staged: names are as 'index.html' or 'css/site.css', and {MANIFEST!r} is ours"
    kinds = {MANIFEST: "file"} | dict.fromkeys(sorted(names), "file")
    places: dict[str, tuple[str, str]] = {}
    for place in [*kinds.items(), *((name, "folder") for name in sorted(_folders(names)))]:
        other = places.setdefault(_folded(place[0]), place)
        if other != place:
            yield f"the {place[1]} {place[0]!r} cannot be staged beside the {other[1]} {other[0]!r}: they may be one"


def _folded(name: str) -> str:
    """Return a name as the least distinguishing file system sees it: no case, no form of accents, no ignorables.

    This is Unicode's caseless matching (D145), as macOS and ext4 with `casefold` have it.
    """
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
    return "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
