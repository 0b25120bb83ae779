"""Versions of files: overwriting keeps the old content, restoring points back to it.

One process at a time changes the files of a folder: let it hold a lease, such as that of its saga; `checked(run.check)`
gives the files for that, which refuse what comes late. That goes for `settle`, too. Any number may read.

    from pathlib import Path
    from rollproof.runtime import FolderContents, Store, Versions

    for name in ("files", "staging", "contents"):
        Path(name).mkdir()
    with Store("agent.db") as store:
        files = Versions(store, FolderContents(Path("contents")), Path("files"), Path("staging"))
        files.settle()                                      # what a dead process left, under the lease
        files.save("price.txt", b"12", run="run-1")
        files.save("price.txt", b"14", run="run-2")
        files.restore("price.txt", 1, run="run-3")          # makes version 3; version 2 stays
        assert Path("files/price.txt").read_bytes() == files.content("price.txt", 3) == b"12"

Each name has a list of versions, numbered from 1, that only grows: restoring version 1 of three makes a fourth with the
hash of the first. Contents are kept by their hash, before the list points to them; the file that people see follows the
list, by one rename.

States of a name: the content is kept → the list points to it (the moment that counts) → the file follows. `settle`
brings files to where their lists are, after a crash in between.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .contents import ContentLost, Contents
from .files import (
    AnyPath,
    hash_of,
    inside,
    refuse_no_bytes,
    refuse_no_folder,
    refuse_two_file_systems,
    replace_durably,
    sync_folder,
    write_durably,
)
from .store import Storage

GONE = ""
"""The hash of a version in which there is no file."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a file: `number` from 1, `sha256` of its content or `GONE`, `run` that made it."""

    name: str
    number: int
    sha256: str
    run: str


class Trail(Protocol):
    """A part that keeps every change of a file."""

    def changed(self, run: str, name: str, before: str, after: str) -> None:
        """Keep one change inside the open transaction; hashes as in `Version`."""


class ChangedElsewhere(Exception):
    """Another program changed the file since its last version; nothing was overwritten."""


class UnknownVersion(LookupError):
    """There is no such version."""


class History:
    """The list of versions of each name, which only grows."""

    def __init__(self, store: Storage) -> None:
        """Use the database of `store`; nothing is opened or written."""
        self._store = store

    def names(self) -> list[str]:
        """Return every name that has a version."""
        return [name for (name,) in self._store.read("SELECT DISTINCT name FROM versions ORDER BY name")]

    def of(self, name: str) -> list[Version]:
        """Return all versions of a name, oldest first."""
        query = "SELECT name, version, sha256, run FROM versions WHERE name = ? ORDER BY version"
        return [Version(*row) for row in self._store.read(query, name)]

    def newest(self, name: str) -> str:
        """Return the hash of the newest version; `GONE` where there is none."""
        versions = self.of(name)
        return versions[-1].sha256 if versions else GONE

    def version(self, name: str, number: int) -> Version:
        """Return one version.

        Raises:
            UnknownVersion: The name never had it.
        """
        for version in self.of(name):
            if version.number == number:
                return version
        raise UnknownVersion(f"{name!r} has no version {number}, only 1 to {len(self.of(name))}")

    def add(self, name: str, digest: str, run: str) -> int:
        """Add a version inside the open transaction, and return its number."""
        number = len(self.of(name)) + 1
        insert = "INSERT INTO versions (name, version, sha256, run) VALUES (?, ?, ?, ?)"
        self._store.write(insert, name, number, digest, run)
        return number


class Versions:
    """The files below one folder with all their versions."""

    def __init__(
        self,
        store: Storage,
        contents: Contents,
        folder: AnyPath,
        staging: AnyPath,
        trail: Trail | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Name the folder of the files and, on the same file system, one for unfinished files of this object alone.

        `trail` is told of every change, inside the transaction that makes it; `check` is called there, too, and before
        a file follows, and raises where this process may touch nothing any more.
        """
        self._trail, self._check = trail, check
        self._store, self._contents, self._history = store, contents, History(store)
        self._folder, self._staging = Path(folder), Path(staging)

    def checked(self, check: Callable[[], None]) -> Versions:
        """Return the same files for the holder of a lease; `check` is such as `Run.check`."""
        return Versions(self._store, self._contents, self._folder, self._staging, self._trail, check)

    def save(self, name: str, content: bytes, run: str = "") -> Version:
        """Make this the newest version, and the file that people see.

        Raises:
            ChangedElsewhere: The file was changed by somebody else.
            FileNotFoundError: Its folder does not exist; nothing was kept.
        """
        refuse_no_bytes(name, content)
        refuse_no_folder(inside(self._folder, name))
        self._adopt(name)
        return self._point(name, self._contents.put(content), run)

    def remove(self, name: str, run: str = "") -> Version:
        """Record as the newest version that there is no file; the versions before it stay."""
        self._adopt(name)
        return self._point(name, GONE, run)

    def put_back(self, name: str, digest: str, run: str = "") -> None:
        """Point to a content by its hash, or to `GONE`; makes no version if the newest one is the same.

        Raises:
            ContentLost: It is gone or damaged; nothing was changed.
            ChangedElsewhere: The file was changed by somebody else.
            FileNotFoundError: Its folder does not exist; nothing was changed.
        """
        if digest != GONE:
            self._contents.get(digest)
            refuse_no_folder(inside(self._folder, name))
        self._adopt(name)
        if digest == self._history.newest(name):
            self._follow(name, digest)
        else:
            self._point(name, digest, run)

    def restore(self, name: str, number: int, run: str = "") -> Version:
        """Point to an earlier version; makes no version if the newest one is the same.

        Args:
            name: The file.
            number: Its version; 0 is the time before there was any.
            run: Who restores.

        Raises:
            UnknownVersion: The file never had it.
            ContentLost: Its content is gone or damaged; nothing was changed.
            ChangedElsewhere: The file was changed by somebody else.
        """
        self.put_back(name, GONE if number == 0 else self._history.version(name, number).sha256, run)
        return (self._history.of(name) or [Version(name, 0, GONE, run)])[-1]

    def history(self, name: str) -> list[Version]:
        """Return all versions of a file, oldest first."""
        return self._history.of(name)

    def content(self, name: str, number: int) -> bytes:
        """Return the content of one version.

        Raises:
            UnknownVersion: The file never had it, or it is one without a file.
            ContentLost: It is gone or damaged.
        """
        digest = self._history.version(name, number).sha256
        if digest == GONE:
            raise UnknownVersion(f"in version {number} of {name!r} there is no file")
        return self._contents.get(digest)

    def settle(self) -> None:
        """Delete unfinished files, and bring every file to its newest version.

        In this order, or a process that dies here again and again leaves more each time.
        """
        for path in sorted(self._staging.glob("*.staged")):
            path.unlink()
        for name in self._history.names():
            if self._is_ours(name):
                self._follow(name, self._history.newest(name))

    def _point(self, name: str, digest: str, run: str) -> Version:
        """Commit a version with a content that is kept, then write the file; from the commit on the change counts."""
        with self._store.transaction():
            self._check()
            before, number = self._history.newest(name), self._history.add(name, digest, run)
            if self._trail is not None:
                self._trail.changed(run, name, before, digest)
        self._follow(name, digest)
        return Version(name, number, digest, run)

    def _follow(self, name: str, digest: str) -> None:
        """Write the file as its newest version is."""
        place = inside(self._folder, name)
        if (hash_of(place) or GONE) == digest:
            return
        if digest == GONE:
            self._check()
            place.unlink(missing_ok=True)
            sync_folder(place.parent)
            return
        refuse_no_folder(place)
        staged = self._staging / f"{uuid.uuid4().hex}.staged"
        write_durably(staged, self._contents.get(digest))
        try:
            self._check()  # as late as can be: contents can be far away
        except Exception:
            staged.unlink()  # nobody else does: whoever has the files now has settled them already
            raise
        replace_durably(staged, place)

    def _adopt(self, name: str) -> None:
        """Make a file without versions its own first version; refuse a file that another program changed."""
        refuse_two_file_systems(self._staging, self._folder)
        found = hash_of(inside(self._folder, name)) or GONE
        if not self._history.of(name):
            if found != GONE:
                self._contents.put(inside(self._folder, name).read_bytes())
                with self._store.transaction():
                    self._check()
                    self._history.add(name, found, "")
        elif not self._is_ours(name):
            raise ChangedElsewhere(f"{name} is not as version {len(self._history.of(name))} says; somebody changed it")

    def _is_ours(self, name: str) -> bool:
        """Return whether the file is as its newest version, or after a crash still as the one before."""
        found = hash_of(inside(self._folder, name)) or GONE
        return found in [GONE, *(version.sha256 for version in self._history.of(name))][-2:]


__all__ = ["GONE", "ChangedElsewhere", "ContentLost", "UnknownVersion", "Version", "Versions"]
