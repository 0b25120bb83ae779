"""A set of files, in folders, that replaces another: readers see the old set or the new one, never a mixture.

Any number of processes may read. One at a time may publish below one folder: let their sagas have the same `lock`. Each
run has a workspace of its own, and one that finds another's newer set shown refuses to replace it, and leaves it shown
when it goes back; without the lock another could publish between that look and the turn of the link.

    from pathlib import Path
    from rollproof.runtime import Releases

    site = Path("site")
    site.mkdir()
    for text in (b"old", b"new"):
        releases = Releases(site, Path(f"workspace-{text.decode()}"))   # one for each run
        release = releases.fill({"index.html": text})   # what a run keeps in its variables; nobody looks there
        releases.publish(release)                       # checked whole, then site/current shows it
    assert (site / "current" / "index.html").read_bytes() == b"new"
    releases.withdraw(release)                          # the way back
    assert (site / "current" / "index.html").read_bytes() == b"old"
    releases.discard()

The name that readers open is a symbolic link, `current`, to a folder that holds one whole set; the sets lie beside it,
each named by its manifest. Publishing moves a set there from its workspace, by one rename, and then turns the link, by
another (the way of Capistrano and of atomic deployments everywhere). Every set is kept until `prune`.

States: workspace → (rename) set there, link old → (replace) link new. A run that goes back turns the link back, if it
still shows the run's set, and takes its set away. A set that was there before the run is not the run's to take away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .files import AnyPath, sync_folder
from .staging import MANIFEST, Staging, StagingError, check_set

CURRENT = "current"


@dataclass(frozen=True, slots=True)
class Release:
    """The variables of a run that it needs to publish and to withdraw.

    Attributes:
        digest: of its set's manifest.
        before: the name of the set that it replaces; empty for none.
        kept: whether its set was there already, from an earlier run, which is then not taken away.
    """

    digest: str
    before: str
    kept: bool


class Releases:
    """The sets below one folder, and the link that shows one of them."""

    def __init__(self, folder: AnyPath, workspace: AnyPath) -> None:
        """Name a folder of sets, and a workspace that belongs to one run alone; nothing is touched."""
        self.folder, self.workspace = Path(folder), Path(workspace)
        self._pointer = self.workspace.with_name(f"{self.workspace.name}.pointer")

    @property
    def shown(self) -> str:
        """The name of the set that readers see; empty where there is none."""
        try:
            return os.readlink(self.folder / CURRENT)
        except FileNotFoundError:
            return ""

    def fill(self, files: Mapping[str, bytes]) -> Release:
        """Write the whole set into the workspace; return the `Release` for `publish` and `withdraw`.

        Raises:
            StagingError: It could not be moved to its place; said before anything is written.
        """
        digest = Staging(self.workspace, self.folder / "new").fill(files)
        return Release(digest, self.shown, self._place(digest).exists())

    def publish(self, release: Release) -> None:
        """Show the checked set, and leave no workspace, also where the set was there already; repeating it is fine.

        Raises:
            StagingError: The set is not as it was filled, or somebody published another one in the meantime.
        """
        place = self._place(release.digest)
        if self.shown not in (release.before, place.name):
            raise StagingError(f"{self.folder} shows {self.shown!r} by now, not {release.before!r}; stage again")
        if not place.exists():
            check_set(self.workspace, release.digest)
            os.rename(self.workspace, place)
            sync_folder(self.folder)
        check_set(place, release.digest)
        self._show(place.name)
        self.discard()

    def withdraw(self, release: Release) -> None:
        """Show the set before again, and take ours back into the workspace; a set that was never shown is fine.

        Raises:
            StagingError: Somebody changed the set, or deleted the one before; nothing is done.
        """
        place = self._place(release.digest)
        if self.shown == place.name and release.before and not (self.folder / release.before).is_dir():
            raise StagingError(f"{release.before} is gone from {self.folder}: there is nothing to go back to")
        ours = not release.kept and place.exists() and not self.workspace.exists()
        if ours:
            check_set(place, release.digest)
        if self.shown == place.name and place.name != release.before:
            self._show(release.before)
        if ours and self.shown != place.name:
            os.rename(place, self.workspace)
            sync_folder(self.folder)

    def discard(self) -> None:
        """Delete the workspace and the prepared link beside it; gone is fine."""
        self._pointer.unlink(missing_ok=True)
        if self.workspace.exists():
            shutil.rmtree(self.workspace)

    def prune(self, keep: int = 3) -> None:
        """Delete all but the newest sets; the shown one always stays."""
        sets = [path for path in self.folder.iterdir() if (path / MANIFEST).exists() and not path.is_symlink()]
        sets.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in [each for each in sets if each.name != self.shown][max(0, keep - 1) :]:
            shutil.rmtree(path)

    def _place(self, digest: str) -> Path:
        return self.folder / f"set-{digest}"

    def _show(self, name: str) -> None:
        """Turn the link, by one rename; an empty name takes it away."""
        if name == self.shown:
            return
        if name:
            self._pointer.unlink(missing_ok=True)
            os.symlink(name, self._pointer)
            os.replace(self._pointer, self.folder / CURRENT)
        else:
            (self.folder / CURRENT).unlink()
        sync_folder(self.folder)
