"""Contents by their hash: a content that was kept stays for good, and is never replaced by another.

Several processes may put and get, the same contents too, and `FolderContents.clean` may run beside them: a content
appears under its name whole, by one rename or one request, and putting it twice is putting it once. What is read is
compared with its hash. An `AsyncSaga` calls `put` and `get` in other threads. Nothing deletes a content:
another process, which was just told that it is kept, may be about to point to it.

    from pathlib import Path
    from rollproof.runtime import Checkpoints, FolderContents, Store

    Path("contents").mkdir()
    contents = FolderContents("contents")       # or BucketContents(boto3.client("s3"), "agent", "contents/")
    digest = contents.put(b"panel;4")           # kept when this returns
    assert contents.get(digest) == b"panel;4"   # or ContentLost
    with Store("agent.db") as store:
        Checkpoints(store, contents)            # or Versions(store, contents, shared, own / "staging")

States of one: absent → kept. `ContentLost` says that it is absent or damaged; that it could not be told (a disk error,
a service that does not answer) is whatever the disk or the client raises.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any, Protocol

from .canonical import sha256
from .files import AnyPath, hash_of, replace_durably, sync_folder, write_durably


class ContentLost(Exception):
    """A content that was kept is gone or damaged."""


class Contents(Protocol):
    """A store of immutable contents."""

    def put(self, content: bytes) -> str:
        """Keep a content durably, and return its SHA-256; a damaged one is kept anew."""

    def get(self, digest: str) -> bytes:
        """Return the content of a SHA-256; raises `ContentLost`."""


class FolderContents:
    """Contents as files of one folder, each named by its hash."""

    def __init__(self, folder: AnyPath) -> None:
        """Name a folder that exists and is used for nothing else."""
        self._folder = Path(folder)

    def put(self, content: bytes) -> str:
        """Keep a content, durably, and give its SHA-256."""
        digest = sha256(content)
        if hash_of(self._folder / digest) == digest:
            sync_folder(self._folder)  # another process may have put it there and not come to this yet
            return digest
        while not self._is_written(digest, content):
            pass
        return digest

    def get(self, digest: str) -> bytes:
        """Return a content, compared with its hash.

        Raises:
            ContentLost: It is not there, or not what was kept.
        """
        _refuse_no_digest(digest)
        try:
            content = (self._folder / digest).read_bytes()
        except FileNotFoundError:
            raise ContentLost(f"{self._folder} has no content {digest}") from None
        return _checked(content, digest, self._folder / digest)

    def clean(self) -> None:
        """Delete unfinished files; a process that is still writing one notices, and writes it anew."""
        for path in sorted(self._folder.glob("*.part")):
            path.unlink(missing_ok=True)

    def _is_written(self, digest: str, content: bytes) -> bool:
        """Write a content to its place; False where another process cleaned it away on its way there."""
        unfinished = self._folder / f"{digest}.{uuid.uuid4().hex}.part"
        write_durably(unfinished, content)
        try:
            replace_durably(unfinished, self._folder / digest)
        except FileNotFoundError:
            return False
        return True


class Client(Protocol):
    """The part of a client of S3 that is used; one of boto3 has it, and raises errors that have a `response`."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> Any:
        """Keep an object, whole or not at all."""

    def get_object(self, *, Bucket: str, Key: str) -> Any:
        """Return `{"Body": …}`, a stream to be read once."""


class BucketContents:
    """Contents as objects of one bucket of S3 or of a service that speaks its protocol, each named by its hash.

    An object is put without a condition: it can only be replaced by itself, and one that is damaged is mended.
    """

    def __init__(self, client: Client, bucket: str, prefix: str = "") -> None:
        """Name a bucket that exists, and a prefix for the names of the contents; nothing is requested."""
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def put(self, content: bytes) -> str:
        """Keep a content, and give its SHA-256.

        Raises:
            Exception: What the client raises. The content may be kept nevertheless; putting it again is fine.
        """
        digest = sha256(content)
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + digest, Body=content)
        return digest

    def get(self, digest: str) -> bytes:
        """Return a content, compared with its hash.

        Raises:
            ContentLost: It is not there, or not what was kept.
            Exception: What the client raises where that cannot be told: no answer, no permission, no bucket.
        """
        _refuse_no_digest(digest)
        key = self._prefix + digest
        try:
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except Exception as error:
            if _code_of(error) != "NoSuchKey":
                raise
            raise ContentLost(f"{self._bucket} has no content {key}") from None
        return _checked(content, digest, f"{self._bucket}/{key}")


def _refuse_no_digest(digest: str) -> None:
    """Make sure that a digest is a SHA-256: a damaged one must not be a path to another file."""
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ContentLost(f"{digest!r} is no SHA-256, so no content has it")


def _code_of(error: Exception) -> str:
    """Return the code of an error of S3 as boto3 has it; a 404 alone would not tell a missing bucket from a content."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _checked(content: bytes, digest: str, place: Path | str) -> bytes:
    if sha256(content) != digest:
        raise ContentLost(f"{place} is damaged: its hash is {sha256(content)}")
    return content
