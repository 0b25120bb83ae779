"""A record holds all that lay there, and putting it back takes nothing from anybody."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from rollproof.guard import record
from rollproof.values.errors import ChaosError
from rollproof.world.storage.disk import Disk, Source


class Place:
    """A watched folder and a record of it."""

    def __init__(self, folder: Path) -> None:
        self.data, self.copies, self._record = folder / "data", folder / "copies", folder / "records" / "1"
        self._record.parent.mkdir()
        self.data.mkdir()

    def write(self) -> None:
        """Write the record."""
        sources = [Source(self.data, "data", False)]
        record.write(self._record, sources, Disk(sources).capture())

    def put_back(self, until_ns: int | None = None) -> list[str]:
        """Put it back; returns what was left alone, relative to the folder."""
        sources, left = record.put_back(self._record, until_ns, self.copies)
        assert sources == [str(self.data)]
        record.tidy(self._record.parent)
        assert not any(self._record.parent.iterdir())
        return sorted(os.path.relpath(path, self.data) for path in left)

    def now_ns(self) -> int:
        """Return the kernel's time of a change that comes before every later one."""
        return later_than(self.data.parent / "clock", 0)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Provide an empty one."""
    return Place(tmp_path)


def later_than(path: Path, time_ns: int, text: str = "") -> int:
    """Write to a path until the kernel stamps it later than that; returns its stamp."""
    path.write_text(text)
    while path.stat().st_ctime_ns <= time_ns:
        path.write_text(text)
    return path.stat().st_ctime_ns


def everything(folder: Path) -> dict[str, tuple[int, int, object]]:
    """Return mode, time and content of all below a folder."""
    found: dict[str, tuple[int, int, object]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found


def test_all_of_it_is_back(place: Place) -> None:
    """Files, links, empty folders, modes, times and names that are no UTF-8."""
    (place.data / "folder" / "empty").mkdir(parents=True)
    (place.data / "folder" / "a").write_bytes(bytes(range(256)))
    (place.data / "link").symlink_to("nowhere")
    (place.data / os.fsdecode(b"\xff")).write_text("")
    (place.data / "folder" / "a").chmod(0o640)
    os.utime(place.data / "folder" / "a", ns=(1, 2))
    before = everything(place.data)
    place.write()
    (place.data / "folder" / "a").unlink()
    (place.data / "folder" / "a").mkdir()
    (place.data / "link").unlink()
    (place.data / "more").write_text("of the agent")
    assert place.put_back() == []
    assert everything(place.data) == before


def test_what_somebody_else_changed_later_is_left_alone(place: Place) -> None:
    """Theirs stays, ours goes, and how theirs lay before is where the message says."""
    for name in ("ours", "theirs", "gone"):
        (place.data / name).write_text("before")
    place.write()
    (place.data / "ours").write_text("agent")
    (place.data / "gone").unlink()
    (place.data / "made").mkdir()
    (place.data / "made" / "agents").write_text("agent")
    until = place.now_ns()
    later_than(place.data / "theirs", until, "later")
    later_than(place.data / "made" / "new", until, "later")
    os.utime(place.data / "theirs", ns=(1, 1))  # only the kernel's own stamp tells
    assert place.put_back(until) == ["made/new", "theirs"]
    lies = {str(path.relative_to(place.data)): path.read_text() for path in place.data.rglob("*") if path.is_file()}
    assert lies == {"ours": "before", "gone": "before", "theirs": "later", "made/new": "later"}
    assert (place.copies / "data" / "theirs").read_text() == "before"


def test_a_folder_that_somebody_made_a_file_is_left_alone(place: Place) -> None:
    """What lay in it has no place any more, and is kept as a copy."""
    (place.data / "it").mkdir()
    (place.data / "it" / "inside").write_text("before")
    place.write()
    (place.data / "it" / "inside").unlink()
    (place.data / "it").rmdir()
    later_than(place.data / "it", until := place.now_ns(), "later")
    assert place.put_back(until) == ["it", "it/inside"]
    assert (place.data / "it").read_text() == "later"
    assert (place.copies / "data" / "it" / "inside").read_text() == "before"


def test_a_database_and_its_log_are_one(place: Place) -> None:
    """A database that was changed later keeps its log: with that of before it would be another one."""
    with closing(sqlite3.connect(place.data / "a.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        place.write()
        assert (place.data / "a.db-wal").stat().st_size
    until = place.now_ns()
    (place.data / "a.db").touch()
    while (place.data / "a.db").stat().st_ctime_ns <= until:
        (place.data / "a.db").touch()
    assert place.put_back(until) == ["a.db", "a.db-wal"]
    assert not (place.data / "a.db-wal").exists()
    with closing(sqlite3.connect(place.copies / "data" / "a.db")) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_a_watched_file_of_its_own(tmp_path: Path) -> None:
    """A source need not be a folder; its log lies beside it."""
    data, folder = tmp_path / "a.db", tmp_path / "record"
    data.write_text("before")
    record.write(folder, [Source(data, "a.db", False)], Disk([Source(data, "a.db", False)]).capture())
    until = later_than(tmp_path / "clock", 0)
    later_than(data, until, "later")
    (tmp_path / "a.db-journal").write_text("of the agent")
    _, left = record.put_back(folder, until, tmp_path / "copies")
    assert left == [str(data), f"{data}-journal"]
    assert data.read_text() == "later"
    assert (tmp_path / "copies" / "a.db").read_text() == "before"


def test_a_record_of_another_version_is_refused(place: Place) -> None:
    """What it means is not known: nothing is touched."""
    (place.data / "a").write_text("before")
    place.write()
    manifest = place.data.parent / "records" / "1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    (place.data / "a").write_text("after")
    with pytest.raises(ChaosError, match="another version"):
        place.put_back()
    assert (place.data / "a").read_text() == "after"
