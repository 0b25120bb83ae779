"""The state of the disk as plain data: any process that can read the stored contents can put it back."""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...values.contents import Content, all_of

Key = tuple[int, str]
SIBLINGS = ("-wal", "-journal")
"""How the names of the files end that SQLite keeps beside a database, and that belong to it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A path that is external state, or the agent's own where `private`; `ignore` are globs of what is not compared.

    With `anything` it may be a folder that is refused otherwise: a home, a project, one with an environment in it.
    """

    path: Path
    name: str
    private: bool
    ignore: tuple[str, ...] = ()
    anything: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a source: `name` below `folder`, which is known by its device and inode.

    Attributes:
        folder: resolved path of the deepest folder above it that is in no source.
        name: path from there; of a source within another one it has several steps.
        device: of `folder`, 0 where there is none.
        inode: of `folder`.
        root_device: of the source itself: another one is a file system that was mounted there.
        spelled: the declared path of its parent; "" within another source, which puts the way there back.
    """

    folder: str
    name: str
    device: int
    inode: int
    root_device: int
    spelled: str

    @property
    def root(self) -> str:
        """The resolved path of the source."""
        return os.path.join(self.folder, self.name)


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One path as it lies on disk. Equality means kind, permissions and content: what a person would compare.

    Attributes:
        kind: "other" is a socket, a pipe or a device, which `held` tells; it is never removed nor compared.
        mode: permission bits.
        held: content of a file, target of a link; where on disk it is kept if it is larger.
        mtime_ns: time of last change.
        owner: numbers of user and group.
        attributes: extended attributes and their values.
        inode: of a file with several names (hard links), and of an "other"; those of one state with the same are one.
        names: how many names it has, those outside of what is watched included.
    """

    kind: Literal["file", "dir", "link", "other"]
    mode: int
    held: Content
    mtime_ns: int = field(compare=False)
    owner: tuple[int, int] = field(default=(-1, -1), compare=False)
    attributes: tuple[tuple[str, bytes], ...] = field(default=(), compare=False)
    inode: int = field(default=0, compare=False)
    names: int = field(default=1, compare=False)

    @property
    def content(self) -> bytes:
        """All bytes of a file, the target of a link."""
        return all_of(self.held)

    def stamp(self) -> tuple[object, ...]:
        """Return the attributes that are put back beside kind and content."""
        return self.mode, self.mtime_ns, self.owner, self.attributes


@dataclass(frozen=True)
class DiskState:
    """All sources at one time, by the index of the source and the posix path below it.

    ``""`` is the source itself, missing where it did not exist; for a source that is a file, ``"-wal"`` and
    ``"-journal"`` are the files beside it. `places` says where the sources lay. `described` is where
    `describe.world_of` keeps what it worked out.
    """

    files: Mapping[Key, RawEntry]
    places: tuple[Place, ...] = field(default=(), compare=False, repr=False)
    described: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)


def folder_of(key: Key) -> Key:
    """Return the source and the folder in it that a path lies in; a source lies in none, which is ``"/"``."""
    index, relative = key
    if not relative:
        return index, "/"
    return index, relative.rpartition("/")[0]


def places_of(sources: Sequence[Source]) -> tuple[Place, ...]:
    """Resolve where sources lie, once: links above them are followed now and never again."""
    parents = [os.path.dirname(os.path.abspath(source.path)) for source in sources]
    roots = [
        os.path.join(os.path.realpath(parent), os.path.basename(os.path.abspath(source.path)))
        for parent, source in zip(parents, sources, strict=True)
    ]
    return tuple(_place(root, parent, roots) for root, parent in zip(roots, parents, strict=True))


def _place(root: str, parent: str, roots: Sequence[str]) -> Place:
    outermost = min((other for other in roots if root.startswith(other + os.sep)), key=len, default=root)
    folder = os.path.dirname(outermost)
    status = _status(folder)
    own = _status(root)
    return Place(
        folder,
        os.path.relpath(root, folder),
        status.st_dev if status else 0,
        status.st_ino if status else 0,
        own.st_dev if own and stat.S_ISDIR(own.st_mode) else status.st_dev if status else 0,
        parent if outermost == root else "",
    )


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None
