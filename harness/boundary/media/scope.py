"""The watched and private paths, and their readable names."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ...values.points import canonical

_readlink = os.readlink
_MANY_LINKS = 40  # on the way of one path: the kernel's own bound
_SIDE_FILES = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Root:
    """A watched or private path and its readable name."""

    path: str
    name: str
    private: bool


class Scope:
    """Turns paths and file descriptors into names such as ``shared/report.md``."""

    def __init__(self, roots: Sequence[Root], renamed: Callable[[str], str] = canonical) -> None:
        self._roots = [(alias, root) for root in roots for alias in {root.path, os.path.realpath(root.path)}]
        # The longest first: a source can lie within another one.
        self._roots.sort(key=lambda pair: -len(pair[0]))
        self.renamed = renamed
        self.pairs = {alias: root.name for alias, root in self._roots}

    def name(self, path: object, dir_fd: int | None = None, *, follow: bool = False) -> str | None:
        """Return the readable name of a path (or descriptor), or None where it is neither watched nor private.

        A path that leads in through a link elsewhere counts; `follow` says whether a link at its end is followed too.
        """
        full = self.full_path(path, dir_fd)
        if full is None:
            return None
        name = self._below(full)
        if name is None and not isinstance(path, int):
            folder, base = os.path.split(full)
            name = self._below(real_path(full, []) if follow else os.path.join(real_path(folder, []), base))
        return name

    def names(self, full: str) -> tuple[str, str] | None:
        """Return the name of an absolute path as it is and without its random parts, or None; no link is followed."""
        for alias, root in self._roots:
            if full == alias or full.removeprefix(alias) in _SIDE_FILES:
                return root.name, root.name
            if full.startswith(alias + os.sep):
                relative = full[len(alias) + 1 :]
                return f"{root.name}/{relative}", f"{root.name}/{self.renamed(relative)}"
        return None

    def _below(self, full: str) -> str | None:
        found = self.names(full)
        return None if found is None else found[1]

    def full_path(self, path: object, dir_fd: int | None = None) -> str | None:
        """Return the absolute path of a path or descriptor; None where it is no file."""
        if isinstance(path, int):
            return path_of_descriptor(path)
        if not isinstance(path, (str, bytes, os.PathLike)):
            return None
        text = os.fsdecode(path)
        if dir_fd is not None and not os.path.isabs(text):
            base = path_of_descriptor(dir_fd)
            return os.path.normpath(os.path.join(base, text)) if base else None
        return os.path.abspath(text)

    def database(self, database: object, uri: bool) -> str | None:
        """Return the readable name of what ``sqlite3.connect`` was given, or None where it is not in scope."""
        path = database_path(database, uri)
        return None if path is None else self.name(path)


def database_path(database: object, uri: bool) -> str | None:
    """Return the file that ``sqlite3.connect`` would open, or None for a database in memory."""
    if not isinstance(database, (str, bytes, os.PathLike)):
        return None
    text = os.fsdecode(database)
    if uri and text.startswith("file:"):
        if "mode=memory" in text:
            return None
        text = unquote(urlsplit(text).path)
    return None if text in ("", ":memory:") else text


def real_path(path: str, links: list[str]) -> str:
    """Resolve an absolute path, and append each link on its way to a list; uses functions that are not replaced."""
    done, rest = "", path.split(os.sep)[::-1]
    while rest:
        part = rest.pop()
        if part == os.pardir:
            done = os.path.dirname(done)
        elif part not in ("", os.curdir):
            here = f"{done}/{part}"
            try:
                target = _readlink(here)
            except OSError:
                done = here
                continue
            links.append(here)
            if len(links) > _MANY_LINKS:
                break
            done = "" if target.startswith(os.sep) else done
            rest.extend(target.split(os.sep)[::-1])
    return done or os.sep


def path_of_descriptor(fd: int) -> str | None:
    """Return the path behind an open file descriptor, or None for pipes, sockets and deleted files."""
    try:
        target = _readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return None
    return target if target.startswith("/") and not target.endswith(" (deleted)") else None


def is_sqlite_side_file(path: str) -> bool:
    """Return whether a path is a database's ``-wal``, ``-shm`` or ``-journal``."""
    return path.endswith(_SIDE_FILES)


def database_of(path: str) -> str | None:
    """Return the database that a path is the ``-wal``, ``-shm`` or ``-journal`` of, or None."""
    suffix = next((suffix for suffix in _SIDE_FILES if path.endswith(suffix)), None)
    return None if suffix is None else path.removesuffix(suffix)
