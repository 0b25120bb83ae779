"""Larger contents lie on disk, once each, and are compared, shown and put back without being read into memory."""

import os
import re
import sqlite3
import tracemalloc

import pytest
from rollproof.values.contents import (
    LEGIBLE_BYTES,
    SMALL_BYTES,
    Stored,
    begins_with,
    contains,
    legible,
    matches,
    part_of,
)
from rollproof.values.world import Entry, World
from rollproof.world.comparing.compare import Masks, difference, learn
from rollproof.world.storage.describe import world_of
from rollproof.world.storage.disk import Disk, Source
from rollproof.world.volatile.fingerprint import Moment, fingerprint

LARGE = LEGIBLE_BYTES + 1


@pytest.fixture
def shared(tmp_path):
    """A watched folder."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def disk(shared):
    """A disk of that folder; what it keeps is removed."""
    disk = Disk([Source(shared, "shared", private=False)])
    yield disk
    disk.close()


def world(disk: Disk) -> World:
    """Return what is there now, as a person sees it."""
    return world_of(disk.sources, disk.capture(), {})


def test_the_same_content_is_kept_once(shared, disk):
    """Two files and two moments with one content: one file in the store, which is private and not in memory."""
    (shared / "a").write_bytes(b"x" * LARGE)
    (shared / "b").write_bytes(b"x" * LARGE)
    first = disk.capture().files[0, "a"].held
    (shared / "a").write_bytes(b"y" * LARGE)
    disk.capture()
    (shared / "a").write_bytes(b"x" * LARGE)
    found = disk.capture().files
    assert isinstance(first, Stored)
    assert found[0, "a"].held == found[0, "b"].held == first
    store = os.path.dirname(first.path)
    assert len(os.listdir(store)) == 2
    assert os.stat(store).st_mode & 0o777 == 0o700
    assert not store.startswith("/dev/shm")
    disk.close()
    assert not os.path.exists(store)


@pytest.mark.parametrize("size", [SMALL_BYTES, SMALL_BYTES + 1, LEGIBLE_BYTES, LARGE])
def test_any_size_is_put_back(shared, disk, size):
    """Small or large, the bytes, times and modes come back, and a change in the middle is seen."""
    path = shared / "a"
    content = os.urandom(size)
    path.write_bytes(content)
    saved = disk.capture()
    changed = content[: size // 2] + bytes([content[size // 2] ^ 1]) + content[size // 2 + 1 :]
    path.write_bytes(changed)
    assert disk.capture() != saved
    path.unlink()
    disk.restore(saved)
    assert path.read_bytes() == content
    assert disk.capture() == saved
    assert Disk(disk.sources).capture() == saved


def test_a_sparse_file_stays_sparse(shared, disk):
    """Ten GiB of holes are neither read nor written; written zeros and holes are the same content."""
    path = shared / "image"
    with path.open("wb") as file:
        file.truncate(10 << 30)
        file.seek(5 << 30)
        file.write(b"data")
    tracemalloc.start()
    saved = disk.capture()
    path.unlink()
    disk.restore(saved)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20
    assert path.stat().st_size == 10 << 30
    assert path.stat().st_blocks * 512 < 16 << 20
    with path.open("r+b") as file:
        file.seek(5 << 30)
        assert file.read(4) == b"data"
        file.seek(1 << 30)
        file.write(bytes(1 << 20))
    assert disk.capture() == saved


def test_a_growing_file_does_not_grow_in_memory(shared, disk):
    """Each state has another version of the file; what they hold together stays small."""
    path = shared / "log"
    states = []
    tracemalloc.start()
    for _ in range(50):
        with path.open("ab") as file:
            file.write(os.urandom(200_000))
        states.append(disk.capture())
        world_of(disk.sources, states[-1], {})
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len({state.files[0, "log"].held for state in states}) == 50
    assert held < 8 << 20


def test_a_large_file_is_compared_as_a_whole(shared, disk):
    """Another byte is a difference and another world; what is shown says how much there is, not what."""
    path = shared / "big.txt"
    path.write_bytes(b"line\n" * LARGE)
    before = world(disk)
    path.write_bytes(b"line\n" * LARGE + b"more")
    after = world(disk)
    assert [str(change) for change in difference(before, after, Masks())] == [
        "~ shared/big.txt: 4 bytes more at its end: 'more'"
    ]
    assert [str(change) for change in difference(after, before, Masks())] == [
        f"~ shared/big.txt: first {5 * LARGE} of {5 * LARGE + 4} bytes"
    ]
    path.write_bytes(b"wine\n" * LARGE)
    other = world(disk)
    assert "other content" in str(difference(before, other, Masks())[0])
    names = {fingerprint(each, Moment(0.0), Masks(), {}) for each in (before, after, other)}
    assert len(names) == 3


def test_a_volatile_large_file_is_masked_as_a_whole(shared, disk):
    """Two runs that wrote other bytes say nothing about the content; a file that is missing still shows."""
    path = shared / "big.bin"
    worlds = []
    for _ in range(2):
        path.write_bytes(os.urandom(LARGE))
        worlds.append(world(disk))
    masks = learn(worlds)
    assert masks.lines() == ("shared/big.bin: content",)
    path.write_bytes(os.urandom(LARGE))
    assert difference(worlds[0], world(disk), masks) == ()
    path.unlink()
    assert difference(worlds[0], world(disk), masks) != ()


def test_the_name_of_a_large_content_has_nothing_that_a_mask_hides(shared, disk):
    """Worlds with other large contents are never taken for one, whatever their digests look like."""
    names = set()
    for number in range(20):
        (shared / "big").write_bytes(b"%d" % number * LARGE)
        name = legible(disk.capture().files[0, "big"].held)
        assert not any(letter in b"0123456789" for letter in name)
        names.add(name)
    assert len(names) == 20


def test_a_large_database_is_compared_by_rows(shared, disk):
    """A database that is kept on disk is read there: by rows, its log included, and it can be put back."""
    path = shared / "app.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO t (text) VALUES (?)", [("x" * 1000,)] * 6000)
        connection.commit()
        open_log = world(disk)
        saved = disk.capture()
        assert isinstance(saved.files[0, "app.db-wal"].held, Stored)
    connection.close()
    closed = world(disk)
    assert isinstance(disk.capture().files[0, "app.db"].held, Stored)
    assert len(closed.tables["shared/app.db:t"]) == 6000
    assert closed.tables == open_log.tables
    disk.restore(saved)
    assert world(disk).tables == closed.tables


def test_files_of_a_world_are_read_when_they_are_asked_for(shared, disk):
    """A check sees bytes, whatever the size, under the full and the short name, and can compare all of them."""
    (shared / "big").write_bytes(b"b" * LARGE)
    (shared / "small").write_bytes(b"s")
    files = world(disk).files
    assert files["shared/big"] == files["big"] == b"b" * LARGE
    assert files.get("missing") is None
    assert sorted(files) == ["shared/big", "shared/small"]
    assert dict(files) == {"shared/big": b"b" * LARGE, "shared/small": b"s"} == files
    assert {name: len(content) for name, content in files.items()} == {"shared/big": LARGE, "shared/small": 1}
    assert files != {"shared/big": b"", "shared/small": b"s"}
    entry = world(disk).entries["shared/big"]
    assert (entry.size, entry.content) == (LARGE, b"b" * LARGE)


def test_parts_of_stored_contents(shared, disk):
    """Beginnings and words are found without reading all; equal to what bytes say."""
    content = os.urandom(LARGE) + b" sk-secret "
    (shared / "big").write_bytes(content)
    held = disk.capture().files[0, "big"].held
    for whole in (held, content):
        assert begins_with(whole, held)
        assert begins_with(whole, content[:SMALL_BYTES])
        assert not begins_with(whole, content[1:])
        assert not begins_with(whole, content + b"x")
        assert contains(whole, b"sk-secret")
        assert matches(whole, re.compile(rb"\bsk"))
        assert not matches(whole, re.compile(rb"\bk-secret"))
        assert part_of(whole, LARGE, 3) == b" sk"


def test_entries_are_made_of_bytes_as_ever():
    """Who makes a world by hand gives bytes."""
    assert Entry("file", 0o644, b"x").content == b"x"
    assert World({"s/a": Entry("file", 0o644, b"x")}).files == {"s/a": b"x"}
