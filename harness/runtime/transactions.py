"""Database work and file work that end together: committed rows drive the moves of the files.

One process at a time works on a staging folder, since the next one settles what the one before has left: let it hold a
lease. Readers need none.

    from pathlib import Path
    from rollproof.runtime import FileTransactions, Store

    for name in ("files", "staging"):
        Path(name).mkdir()
    with Store("books.db") as store:
        files = FileTransactions(store, Path("files"), Path("staging"))
        with store.transaction():
            store.write("CREATE TABLE IF NOT EXISTS invoices (number INTEGER)")
        with files.transaction() as work:                   # one transaction of the database
            work.write("7.txt", b"12 EUR")                  # staged beside, nobody sees it
            store.write("INSERT INTO invoices VALUES (7)")  # rows of the application, in the same database
        assert Path("files/7.txt").read_bytes() == b"12 EUR"

States: staged files without a row (the transaction was not committed: `settle` deletes them) → committed, with a row in
`moves` for each file (`settle` moves them, as often as needed) → moved, no row. The commit is the only moment that
counts, so there is nothing to undo: before it nothing happened, after it everything will have.

Leaving the block settles. A process that dies before that leaves it to `settle` of the next one, which calls it first.
Between commit and move a reader finds the new row and the old file; who must not, reads through `content`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .canonical import sha256
from .files import (
    AnyPath,
    hash_of,
    inside,
    on_one_file_system,
    refuse_no_bytes,
    replace_durably,
    sync_folder,
    write_durably,
)
from .store import Storage


class TransactionError(Exception):
    """The files cannot follow the database; the text says why."""


class Work:
    """The files of one open transaction."""

    def __init__(self, store: Storage, folder: Path, staging: Path) -> None:
        """Begin with nothing staged."""
        self._store, self._folder, self._staging = store, folder, staging

    def write(self, name: str, content: bytes) -> None:
        """Write `name`, below the folder, once the transaction is committed."""
        refuse_no_bytes(name, content)
        staged = self._staging / f"{uuid.uuid4().hex}.staged"
        write_durably(staged, content)
        self._move(name, staged.name, sha256(content))

    def remove(self, name: str) -> None:
        """Remove `name` once the transaction is committed."""
        self._move(name, "", "")

    def _move(self, name: str, staged: str, digest: str) -> None:
        place = inside(self._folder, name)
        if not place.parent.is_dir():
            raise TransactionError(f"{place.parent} is no folder; make it first")
        put = "INSERT OR REPLACE INTO moves (place, staged, sha256) VALUES (?, ?, ?)"
        self._store.write(put, name, staged, digest)


class FileTransactions:
    """Files below one folder that change together with one database."""

    def __init__(self, store: Storage, folder: AnyPath, staging: AnyPath) -> None:
        """Name the folder of the files, and one for staged files, of this object alone, on the same file system."""
        self._store, self._folder, self._staging = store, Path(folder), Path(staging)

    @contextmanager
    def transaction(self) -> Iterator[Work]:
        """Change rows and files in the block together, or neither; earlier work is settled first.

        Raises:
            TransactionError: No move can be atomic here; said before anything happens.
        """
        if not on_one_file_system(self._folder, self._staging):
            raise TransactionError(f"{self._staging} and {self._folder} are on two file systems: no move is atomic")
        self.settle()
        try:
            with self._store.transaction():
                yield Work(self._store, self._folder, self._staging)
                sync_folder(self._staging)
        finally:
            self.settle()

    def settle(self) -> None:
        """Bring the files to the state of the database: make committed moves, delete staged files without one."""
        moves = self._store.read("SELECT place, staged, sha256 FROM moves ORDER BY place")
        for place, staged, digest in moves:
            self._carry_out(inside(self._folder, place), staged, digest)
        if moves:
            with self._store.transaction():
                for place, staged, _ in moves:
                    self._store.write("DELETE FROM moves WHERE place = ? AND staged = ?", place, staged)
        for orphan in sorted(self._staging.glob("*.staged")):
            orphan.unlink()

    def content(self, name: str) -> bytes | None:
        """Read a file as the database says it is, moved or not yet; None where it is gone."""
        for staged, digest in self._store.read("SELECT staged, sha256 FROM moves WHERE place = ?", name):
            waiting = self._staging / str(staged)
            if not staged:
                return None
            if hash_of(waiting) == digest:
                return waiting.read_bytes()
        place = inside(self._folder, name)
        return place.read_bytes() if place.exists() else None

    def _carry_out(self, place: Path, staged: str, digest: str) -> None:
        """Make one move, which may have been made already."""
        if not staged:
            place.unlink(missing_ok=True)
            sync_folder(place.parent)
            return
        source = self._staging / staged
        found = hash_of(source)
        if found == digest:
            replace_durably(source, place)
        elif found is not None or hash_of(place) != digest:
            raise TransactionError(f"{place}: the database has committed {digest[:12]}, and it is nowhere")
