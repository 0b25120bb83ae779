"""The order in which a folder's entries are listed: the file system's to choose, and here the seed's.

A disk in memory lists what came last first, others go by a hash of the name. What a restored folder looked like would
depend on how it was restored.
"""

import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any, Self

from .. import patching
from ..gate import Gate
from .scope import Scope

Linked = Callable[[Any, "os.DirEntry[Any]"], None]


def originals() -> list[object]:
    """Return the functions that agents may have imported by name."""
    return [os.listdir, os.scandir]


def install(gate: Gate, scope: Scope, seed: int, linked: Linked = lambda folder, link: None) -> None:
    """List folders in scope in the order that the seed gives. For a child process: there is no way back.

    Args:
        gate: of this process.
        scope: what is watched or private.
        seed: chooses the order.
        linked: is told of each link that is found while a folder is scanned.
    """

    def place(name: str | bytes) -> tuple[bytes, str]:
        text = os.fsdecode(name)
        return hashlib.blake2b(f"{seed}/{scope.renamed(text)}".encode("utf-8", "surrogateescape")).digest(), text

    def listing(original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        @functools.wraps(original)
        def listdir(path: Any = None) -> list[Any]:
            names = original(path)
            return sorted(names, key=place) if _is_in_scope(gate, scope, path) else names

        return listdir

    def scanning(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def scandir(path: Any = None) -> Any:
            found = original(path)
            if not _is_in_scope(gate, scope, path):
                return found
            with found:
                entries = sorted(found, key=lambda entry: place(entry.name))
            for entry in entries:
                if entry.is_symlink():
                    linked(path, entry)
            return _Entries(entries)

        return scandir

    patching.replace(os, "listdir", listing)
    patching.replace(os, "scandir", scanning)


def _is_in_scope(gate: Gate, scope: Scope, path: Any) -> bool:
    return gate.active and scope.name("." if path is None else path, follow=True) is not None


class _Entries(Iterator["os.DirEntry[Any]"]):
    """The result of ``os.scandir``: an iterator that can be closed."""

    def __init__(self, entries: "list[os.DirEntry[Any]]") -> None:
        self._entries = iter(entries)

    def __next__(self) -> "os.DirEntry[Any]":
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Yield nothing more."""
        self._entries = iter(())
