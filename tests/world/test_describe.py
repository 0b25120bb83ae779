"""Bytes become names that a person understands."""

import sqlite3

import pytest
from rollproof.values.world import Entry
from rollproof.world.storage.describe import world_of
from rollproof.world.storage.disk import Disk, Source


@pytest.fixture
def shared(tmp_path):
    """A watched folder with a file, a folder, a link and a database."""
    folder = tmp_path / "shared"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_bytes(b"text")
    (folder / "a.md").chmod(0o640)
    (folder / "sub" / "tmp.log").write_bytes(b"log")
    (folder / "link").symlink_to("a.md")
    with sqlite3.connect(folder / "app.db") as connection:
        connection.executescript("CREATE TABLE orders (id INTEGER PRIMARY KEY, item, token); CREATE TABLE log (x);")
        connection.execute("INSERT INTO orders VALUES (1, 'book', 't')")
    connection.close()
    return folder


def look(*sources: Source):
    """Return the world these sources are in."""
    disk = Disk(sources)
    return world_of(disk.sources, disk.capture(), {})


def test_names_and_kinds(shared):
    """Paths are named below their source, the source is an entry, a database is tables and no entry."""
    world = look(Source(shared, "shared", private=False))
    assert world.entries["shared/a.md"] == Entry("file", 0o640, b"text")
    assert world.entries["shared/link"].content == b"a.md"
    assert sorted(world.entries) == ["shared", "shared/a.md", "shared/link", "shared/sub", "shared/sub/tmp.log"]
    assert world.tables == {
        "shared/app.db:log": [],
        "shared/app.db:orders": [{"id": 1, "item": "book", "token": "t"}],
    }
    assert world.shapes["shared/app.db:orders"].key == "id"
    assert world.files["a.md"] == b"text"


def test_private_is_kept_apart(shared):
    """The agent's own state has its own mappings."""
    world = look(Source(shared, "own", private=True))
    assert not world.entries
    assert not world.tables
    assert "own/a.md" in world.private_entries
    assert "own/app.db:orders" in world.private_tables


@pytest.mark.parametrize("glob", ["*.log", "sub", "sub/", "sub/*", "tmp.*", "sub/tmp.log"])
def test_ignored_paths_do_not_appear(shared, glob):
    """A glob matches the whole path, its last part, or a folder above."""
    world = look(Source(shared, "shared", private=False, ignore=(glob,)))
    assert "shared/sub/tmp.log" not in world.entries
    assert "shared/a.md" in world.entries


def test_ignored_tables_and_columns(shared):
    """`table` and `table.column` are left out of every database of the source."""
    world = look(Source(shared, "shared", private=False, ignore=("log", "orders.tok*")))
    assert world.tables == {"shared/app.db:orders": [{"id": 1, "item": "book"}]}


def test_logs_are_no_paths_of_their_own(shared):
    """-wal and -journal belong to their database, even when that is gone; other files may end so."""
    for name in ("app.db-wal", "app.db-journal", "gone.db-journal", "my-journal"):
        (shared / name).write_bytes(b"")
    world = look(Source(shared, "shared", private=False))
    assert [name for name in world.entries if name.endswith(("-wal", "-journal"))] == ["shared/my-journal"]


def test_a_corrupt_database_is_a_file(shared):
    """So that it is still seen."""
    (shared / "app.db").write_bytes((shared / "app.db").read_bytes()[:700])
    world = look(Source(shared, "shared", private=False))
    assert len(world.entries["shared/app.db"].content) == 700
    assert not world.tables


def test_a_database_that_is_a_source(shared):
    """It has the name of the source; before it exists there is nothing."""
    world = look(Source(shared / "app.db", "app.db", False), Source(shared / "new.db", "new.db", False))
    assert set(world.tables) == {"app.db:log", "app.db:orders"}
    assert not world.entries


def test_a_missing_folder_is_no_entry(tmp_path):
    """A watched folder that the agent removed shows."""
    assert not look(Source(tmp_path / "none", "none", private=False)).entries


def test_a_state_is_described_once(shared):
    """The same state gives the very same rows and entries, whatever services hold."""
    disk = Disk([Source(shared, "shared", private=False)])
    state = disk.capture()
    first, second = world_of(disk.sources, state, {}), world_of(disk.sources, state, {"h/things": [{"id": "1"}]})
    assert first.entries is second.entries
    assert first.tables is second.tables
    assert second.resources == {"h/things": [{"id": "1"}]}
