"""Durable writes and moves of files, for the parts that keep files.

A reader in another process sees the old file or the new one. Two writers of one place need a lock: the parts say whose.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .canonical import sha256

AnyPath = str | os.PathLike[str]


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that has no reader yet, and wait until it survives a loss of power."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_durably(source: Path, target: Path) -> None:
    """Move a file to its place by one rename: readers see the old content or the new."""
    os.replace(source, target)
    sync_folder(target.parent)


def hash_of(path: Path) -> str | None:
    """Return the SHA-256 of a file's content; None where there is no file."""
    try:
        return sha256(path.read_bytes())
    except FileNotFoundError:
        return None


def refuse_no_bytes(name: str, content: object) -> None:
    """Make sure, before anything is written, that a content can be.

    Raises:
        TypeError: It is text, or something else; it is named.
    """
    if not isinstance(content, bytes | bytearray | memoryview):
        text = ": encode it, text.encode()" if isinstance(content, str) else ""
        raise TypeError(f"the content of {name!r} is {type(content).__name__}, not bytes{text}")


def refuse_no_folder(place: Path) -> None:
    """Make sure, before anything is written, that a file has a folder to lie in.

    Raises:
        FileNotFoundError: It has none; the folder is named.
    """
    if not place.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder; make it first", str(place.parent))


def refuse_two_file_systems(one: Path, other: Path) -> None:
    """Make sure, before anything happens, that files can be moved from one folder to the other atomically.

    Raises:
        OSError: EXDEV; both folders are named.
    """
    if not on_one_file_system(one, other):
        raise OSError(errno.EXDEV, f"{one} and {other} are on two file systems, so no move is atomic")


def on_one_file_system(one: Path, other: Path) -> bool:
    """Return whether a rename from one folder to the other can be atomic."""
    return one.stat().st_dev == other.stat().st_dev


def inside(folder: Path, name: str) -> Path:
    """Return the path of `name` below a folder.

    Raises:
        ValueError: It is absolute, or leads out of the folder.
    """
    path = Path(os.path.normpath(folder / name))
    if not name or Path(name).is_absolute() or path == folder or not path.is_relative_to(os.path.normpath(folder)):
        raise ValueError(f"{name!r} does not lie below {folder}")
    return path
