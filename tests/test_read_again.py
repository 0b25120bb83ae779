"""`storage.bit_flip` and `storage.truncated_file`: what the agent wrote comes back damaged when it is read again."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.values.exploration import Exploration

from .exploring import breaks, explored, only, options, replayed, two_folders

CONTENT = b"0123456789"
FILE = "file.read:own/kept#1:before"
DAMAGE = "storage.bit_flip", "storage.truncated_file"
FLIPPED = "storage.bit_flip.1"
EMPTY, CUT = "storage.truncated_file.1", "storage.truncated_file.2"


def by_piece(path: Path) -> bytes:
    """Read without a buffer, three bytes at a time."""
    with open(path, "rb", buffering=0) as file:
        return b"".join(iter(lambda: file.read(3), b""))


def from_the_middle(path: Path) -> bytes:
    """Begin in the middle, and go back."""
    with open(path, "rb") as file:
        file.seek(5)
        rest = file.read()
        file.seek(0)
        return file.read(5) + rest


def by_copy(path: Path) -> bytes:
    """Let the library copy it, which reads it once."""
    shutil.copyfile(path, path.with_name("copy"))
    with open(path.with_name("copy"), "rb") as file:
        return file.read()


def by_line(path: Path) -> bytes:
    """Read text line by line."""
    with path.open(encoding="utf-8", newline="") as file:
        return "".join(file).encode()


WAYS: tuple[Callable[[Path], bytes], ...] = (
    Path.read_bytes,
    lambda path: path.read_text().encode(),
    by_piece,
    from_the_middle,
    by_copy,
    by_line,
)


def agent(run: Callable[[Path, Path], object], check: Callable[[Any], object] = lambda world: None) -> Any:
    """Return an agent with a watched and a private folder, which were empty but for a file in each."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        (own / "given").write_bytes(CONTENT)
        chaos.invariant(check)
        chaos.explore(run=lambda: run(shared, own))

    return SimpleNamespace(explore=explore)


def shown(replayed: Exploration) -> None:
    """The run went on with what it read, which a check of the test's own has compared, and told it."""
    assert (replayed.drifted, replayed.errors) == ((), ())
    assert breaks(replayed) == {"all_or_nothing"}


@pytest.mark.parametrize(("fault", "expected"), [(FLIPPED, b"0133456789"), (CUT, b"01234"), (EMPTY, b"")])
def test_a_file_is_damaged_however_it_is_read(fault: str, expected: bytes, tmp_path: Path) -> None:
    """One digit is another, or the second half is missing, or all of it, each time that it is read."""

    def run(shared: Path, own: Path) -> None:
        (own / "kept").write_bytes(CONTENT)
        for number, read in enumerate(WAYS):
            (shared / str(number)).write_bytes(read(own / "kept"))

    def check(world: Any) -> None:
        assert set(world.files.values()) == {expected}
        assert len(world.files) == len(WAYS)

    shown(replayed(agent(run, check), tmp_path / "e", f"{fault}@{FILE}"))


def test_a_query_returns_one_value_that_is_damaged(tmp_path: Path) -> None:
    """It is the longest of the first row that has one, text or blob, in later queries too; all else is as it was."""

    def run(shared: Path, own: Path) -> None:
        with closing(sqlite3.connect(own / "own.db", isolation_level=None)) as database:
            database.row_factory = sqlite3.Row
            database.execute("CREATE TABLE kept (id INTEGER, name TEXT, content BLOB)")
            rows = [(1, "", None), (2, "one", CONTENT), (3, "two", CONTENT[::-1])]
            database.executemany("INSERT INTO kept VALUES (?, ?, ?)", rows)
            found = database.execute("SELECT id, name, content FROM kept ORDER BY id").fetchall()
            again = database.execute("SELECT content FROM kept WHERE id = 2").fetchone()
        (shared / "seen").write_text(repr([*map(tuple, found), tuple(again)]))

    def check(world: Any) -> None:
        rows = [(1, "", None), (2, "one", b"0133456789"), (3, "two", CONTENT[::-1]), (b"0133456789",)]
        assert world.files["seen"] == repr(rows).encode()

    shown(replayed(agent(run, check), tmp_path / "e", f"{FLIPPED}@sqlite.read:own/own.db:kept#1:before"))


def test_what_is_moved_on_stays_damaged_and_what_stays_is_put_back(tmp_path: Path) -> None:
    """What is read and then renamed is published damaged; what is left where it was is whole at the end."""

    def run(shared: Path, own: Path) -> None:
        for name in ("moved", "stays"):
            (shared / name).write_bytes(CONTENT)
            (shared / name).read_bytes()
        (shared / "moved").replace(shared / "page")

    def check(world: Any) -> None:
        assert world.files == {"shared/page": expected, "shared/stays": CONTENT}

    expected = b"0133456789"
    moved = replayed(agent(run, check), tmp_path / "moved", f"{FLIPPED}@file.read:shared/moved#1:before")
    shown(moved)
    expected = CONTENT
    stays = replayed(agent(run, check), tmp_path / "stays", f"{FLIPPED}@file.read:shared/stays#1:before")
    assert (breaks(stays), stays.drifted) == (set(), ())


def test_what_the_agent_did_not_write_is_left_alone(tmp_path: Path) -> None:
    """A file that was there before, one that is written, and a database of somebody else are no such points."""

    def run(shared: Path, own: Path) -> None:
        (shared / "seen").write_bytes((own / "given").read_bytes())
        with open(own / "kept", "w+b") as file:
            file.write(CONTENT)
            file.seek(0)
            file.read()

    tried = explored(agent(run), tmp_path / "tried", **only("process.kill", *DAMAGE))
    plain = explored(agent(run), tmp_path / "plain", **only("process.kill"))
    assert (tried.points, tried.schedules, tried.violations) == (plain.points, plain.schedules, ())


def publish_what_is_kept(shared: Path, own: Path) -> None:
    """Keep a text and publish it; only who finds it kept reads it."""
    text = CONTENT
    if (own / "kept").exists():
        text = (own / "kept").read_bytes()
    else:
        (own / "kept.tmp").write_bytes(text)
        (own / "kept.tmp").replace(own / "kept")
    (own / "page.tmp").write_bytes(text)
    (own / "page.tmp").replace(shared / "page")


def test_what_only_a_recovery_reads_is_damaged_after_a_crash(tmp_path: Path) -> None:
    """At depth 1: nothing reads it otherwise. It says that all is done, and only who asks again puts the page right."""
    one = agent(publish_what_is_kept)
    [found] = explored(one, tmp_path / "e", **only("process.kill", *DAMAGE)).violations
    assert set(found.invariants) == {"all_or_nothing", "recovery_idempotent"}
    crash, _, damage = found.schedule.partition(" + ")
    assert crash.startswith("process.kill@file.")
    assert damage.endswith(f"@recover/{FILE}")
    again = replayed(one, tmp_path / "again", found.schedule)
    assert [(finding.invariants, again.drifted) for finding in again.violations] == [(found.invariants, ())]


def test_reading_is_no_point_where_no_such_fault_is_selected(tmp_path: Path) -> None:
    """The usual faults have neither of them, and meet what they always met."""
    assert not {fault.name for fault in options().faults} & set(DAMAGE)
    result = explored(agent(publish_what_is_kept), tmp_path / "e")
    assert result.violations == ()
    assert not [cell for cell in result.cells if ".read" in str(cell)]
