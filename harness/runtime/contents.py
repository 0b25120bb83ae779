"""Contents by their hash: what was kept once is there for good, and never another.

`Contents` is what the parts need; a bucket can stand behind it as well as a folder. States of one: absent → kept. A
torn one cannot appear under its name: it is written beside and renamed, and what is read is compared with its hash.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Protocol

from .canonical import sha256
from .files import replace_durably, write_durably


class ContentLost(Exception):
    """A content that was kept is gone or damaged."""


class Contents(Protocol):
    """A store of immutable contents."""

    def put(self, content: bytes) -> str:
        """Keep a content, and give its SHA-256."""

    def get(self, digest: str) -> bytes:
        """Give the content of a SHA-256; raises `ContentLost`."""


class FolderContents:
    """Contents as files of one folder, each named by its hash."""

    def __init__(self, folder: Path) -> None:
        """Name a folder that exists and is used for nothing else."""
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep a content, durably, and give its SHA-256; keeping it twice is keeping it once."""
        digest = sha256(content)
        place = self._folder / digest
        if not place.exists():
            unfinished = self._folder / f"{digest}.{uuid.uuid4().hex}.part"
            write_durably(unfinished, content)
            replace_durably(unfinished, place)
        return digest

    def get(self, digest: str) -> bytes:
        """Give a content, compared with its hash.

        Raises:
            ContentLost: It is not there, or not what was kept.
        """
        try:
            content = (self._folder / digest).read_bytes()
        except FileNotFoundError:
            raise ContentLost(f"{self._folder} has no content {digest}") from None
        if sha256(content) != digest:
            raise ContentLost(f"{self._folder / digest} is damaged: its hash is {sha256(content)}")
        return content

    def clean(self) -> None:
        """Delete what processes that died have left unfinished."""
        for path in sorted(self._folder.glob("*.part")):
            os.unlink(path)
