"""The bytes of a file: small ones in memory, larger ones in a file of their own that is read when it is asked for."""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

SMALL_BYTES = 64 << 10
"""Up to this size contents are held in memory."""
LEGIBLE_BYTES = 4 << 20
"""Larger contents are compared as a whole: nobody masks a line of them."""
_CHUNK_BYTES = 1 << 20
_LETTERS = bytes.maketrans(b"0123456789abcdef", b"ghijklmnopqrstuv")


@dataclass(frozen=True, slots=True)
class Stored:
    """Contents that lie in the file `path`, which nobody changes; two are equal where digest and size are."""

    digest: str
    size: int
    path: str = field(compare=False)

    def chunks(self) -> Iterator[bytes]:
        """Yield all of it, a MiB at a time."""
        with open(self.path, "rb") as file:
            while part := file.read(_CHUNK_BYTES):
                yield part


Content = bytes | Stored


def all_of(content: Content) -> bytes:
    """Return all bytes, read anew where they are stored."""
    return content if isinstance(content, bytes) else b"".join(content.chunks())


def size_of(content: Content) -> int:
    """Return the number of bytes, without reading them."""
    return len(content) if isinstance(content, bytes) else content.size


def start_of(content: Content, size: int) -> bytes:
    """Return the first bytes, up to `size` of them."""
    return part_of(content, 0, size)


def part_of(content: Content, at: int, size: int) -> bytes:
    """Return bytes from `at` on, up to `size` of them."""
    if isinstance(content, bytes):
        return content[at : at + size]
    with open(content.path, "rb") as file:
        file.seek(at)
        return file.read(size)


def is_large(content: Content) -> bool:
    """Return whether contents are only compared as a whole."""
    return size_of(content) > LEGIBLE_BYTES


def legible(content: Content) -> bytes:
    """Return the form to read, mask and compare: all bytes, or for large contents a name that equal ones share.

    The name is binary, has no digits and no words that look generated: no mask and no renaming hides a part of it.
    """
    if not isinstance(content, Stored) or not is_large(content):
        return all_of(content)
    return b"\0large " + content.digest.encode().translate(_LETTERS)


def begins_with(whole: Content, start: Content) -> bool:
    """Return whether `start` is how `whole` begins; of stored contents a MiB at a time is in memory."""
    if isinstance(whole, bytes) and isinstance(start, bytes):
        return whole.startswith(start)
    if size_of(start) > size_of(whole):
        return False
    at = 0
    ours = _pieces(whole)
    for part in _pieces(start):
        if not next(ours, b"").startswith(part):
            return False
        at += len(part)
    return at == size_of(start)


def _pieces(content: Content) -> Iterator[bytes]:
    if isinstance(content, Stored):
        yield from content.chunks()
    else:
        yield from (content[at : at + _CHUNK_BYTES] for at in range(0, len(content), _CHUNK_BYTES))


def contains(content: Content, text: bytes) -> bool:
    """Return whether `text` stands in the contents."""
    return text in content if isinstance(content, bytes) else _stored_contains(content, text)


def matches(content: Content, pattern: re.Pattern[bytes]) -> bool:
    """Return whether a pattern is found in the contents."""
    if isinstance(content, bytes):
        return pattern.search(content) is not None
    return _stored_matches(content, pattern)


@lru_cache(maxsize=4096)
def _stored_contains(content: Stored, text: bytes) -> bool:
    with open(content.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return mapped.find(text) >= 0


@lru_cache(maxsize=4096)
def _stored_matches(content: Stored, pattern: re.Pattern[bytes]) -> bool:
    with open(content.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return pattern.search(mapped) is not None
