"""What is saved comes back exactly, whatever happened in between."""

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollproof.values.errors import ChaosError
from rollproof.values.protocol import FileDamaged
from rollproof.world.storage.disk import Disk, DiskState, Source

from .worlds import law

NAMES = st.sampled_from(["a", "b.txt", "c.db", "c.db-wal", ".hidden", "ü", "with space"])
LEAF = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=40), st.sampled_from([0o644, 0o600, 0o444, 0o755])),
    st.tuples(st.just("link"), st.sampled_from([b"a", b"../outside", b"nowhere"]), st.just(0)),
)
TREE = st.recursive(
    st.dictionaries(NAMES, LEAF, max_size=4), lambda inner: st.dictionaries(NAMES, LEAF | inner, max_size=4)
)


def build(folder: Path, tree: dict) -> None:
    """Write a drawn tree."""
    folder.mkdir(exist_ok=True)
    for name, item in tree.items():
        path = folder / name
        if isinstance(item, dict):
            build(path, item)
        elif item[0] == "link":
            path.symlink_to(os.fsdecode(item[1]))
        else:
            path.write_bytes(item[1])
            path.chmod(item[2])


def wipe(path: Path) -> None:
    """Remove a tree without following links."""
    if path.is_dir() and not path.is_symlink():
        for item in path.iterdir():
            wipe(item)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def times(state: DiskState) -> dict:
    """Return what equality of entries leaves out."""
    return {key: entry.mtime_ns for key, entry in state.files.items()}


@pytest.fixture
def disk(tmp_path):
    """A disk with one watched folder that does not exist yet."""
    return Disk([Source(tmp_path / "shared", "shared", private=False)])


@law
@given(before=st.none() | TREE, after=st.none() | TREE)
def test_restore_undoes_any_change(tmp_path, before, after):
    """Between any two trees, restore makes the first again: bytes, kinds, modes, targets, times, and absence."""
    shared = tmp_path / "shared"
    wipe(shared)
    disk = Disk([Source(shared, "shared", private=False)])
    if before is not None:
        build(shared, before)
    saved = disk.capture()
    wipe(shared)
    if after is not None:
        build(shared, after)
    disk.restore(saved)
    for reader in (disk, Disk(disk.sources)):
        found = reader.capture()
        assert found == saved
        assert times(found) == times(saved)


def test_a_state_taken_of_one_disk_fits_another(tmp_path, disk):
    """Nothing that restore needs lies in the cache."""
    build(tmp_path / "shared", {"a": ("file", b"1", 0o644)})
    saved = disk.capture()
    wipe(tmp_path / "shared")
    Disk(disk.sources).restore(saved)
    assert (tmp_path / "shared" / "a").read_bytes() == b"1"


def test_a_change_right_after_a_capture_is_seen(tmp_path, disk):
    """Same size, same inode, same tick of the kernel's clock, time put back: the content is read again."""
    build(tmp_path / "shared", {"a": ("file", b"old", 0o644)})
    path = tmp_path / "shared" / "a"
    first = disk.capture()
    for number in range(50):
        status = path.stat()
        content = b"%03d" % number
        with path.open("r+b") as file:
            file.write(content)
        os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
        found = disk.capture()
        assert found.files[0, "a"].content == content
        assert found != first


def test_unchanged_entries_are_shared(tmp_path, disk):
    """Two captures of the same file hold the same object, so that comparing them costs nothing."""
    build(tmp_path / "shared", {"a": ("file", b"1", 0o644), "b": {}})
    first, second = disk.capture(), disk.capture()
    assert all(second.files[key] is entry for key, entry in first.files.items())
    disk.restore(first)
    assert all(disk.capture().files[key] is entry for key, entry in first.files.items())


def test_a_source_that_did_not_exist_is_removed(tmp_path, disk):
    """Absence is a state as well."""
    nothing = disk.capture()
    build(tmp_path / "shared", {"a": {"b": ("file", b"1", 0o444)}})
    disk.restore(nothing)
    assert not (tmp_path / "shared").exists()


def test_a_file_source_owns_its_logs(tmp_path):
    """The -wal and -journal beside a database that is a source come and go with it; its -shm always goes."""
    base = tmp_path / "app.db"
    disk = Disk([Source(base, "app.db", private=True)])
    nothing = disk.capture()
    base.write_bytes(b"db")
    (tmp_path / "app.db-wal").write_bytes(b"wal")
    saved = disk.capture()
    (tmp_path / "app.db-wal").unlink()
    (tmp_path / "app.db-journal").write_bytes(b"hot")
    (tmp_path / "app.db-shm").write_bytes(b"index")
    disk.restore(saved)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.db", "app.db-wal"]
    disk.restore(nothing)
    assert list(tmp_path.iterdir()) == []


def test_shared_memory_is_left_out_and_removed(tmp_path, disk):
    """A stale -shm would mislead SQLite; a file that only ends so is kept."""
    build(tmp_path / "shared", {"app.db": ("file", b"", 0o644), "report-shm": ("file", b"mine", 0o644)})
    saved = disk.capture()
    assert (0, "report-shm") in saved.files
    (tmp_path / "shared" / "app.db-shm").write_bytes(b"x")
    assert disk.capture() == saved
    disk.restore(saved)
    assert not (tmp_path / "shared" / "app.db-shm").exists()


def test_sockets_and_pipes_are_no_state(tmp_path, disk):
    """What cannot be put back is left out, and gone after a restore."""
    build(tmp_path / "shared", {})
    saved = disk.capture()
    os.mkfifo(tmp_path / "shared" / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "shared" / "s"))
    assert disk.capture().files.keys() == saved.files.keys()
    disk.restore(saved)
    assert list((tmp_path / "shared").iterdir()) == []


def test_links_are_never_followed(tmp_path, disk):
    """A link out of the source is saved as a link; what it points at is neither read nor touched."""
    outside = tmp_path / "outside"
    build(outside, {"precious": ("file", b"1", 0o644)})
    build(tmp_path / "shared", {})
    empty = disk.capture()
    (tmp_path / "shared" / "out").symlink_to(outside)
    linked = disk.capture()
    assert linked.files[0, "out"].content == os.fsencode(outside)
    assert len(linked.files) == 2
    disk.restore(empty)
    assert (outside / "precious").read_bytes() == b"1"


def test_a_source_below_another_belongs_to_itself(tmp_path):
    """Watching a folder with the agent's own folder in it does not watch that twice."""
    build(tmp_path / "all", {"a": ("file", b"1", 0o644), "own": {"b": ("file", b"2", 0o644)}})
    disk = Disk([Source(tmp_path / "all", "all", False), Source(tmp_path / "all" / "own", "own", True)])
    saved = disk.capture()
    assert set(saved.files) == {(0, ""), (0, "a"), (1, ""), (1, "b")}
    wipe(tmp_path / "all")
    disk.restore(saved)
    assert disk.capture() == saved


def in_child_without_privileges(action) -> int:
    """Run `action` in a child that is not root and return its exit code; permissions mean nothing to root."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            action()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture
def open_folder(tmp_path):
    """A folder that any user may write to and reach."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    for path in folder.parents:
        mode = stat.S_IMODE(path.stat().st_mode)
        if not mode & 0o001 and path.stat().st_uid == os.geteuid():
            path.chmod(mode | 0o111)
    return folder


@pytest.mark.parametrize("mode", [0o444, 0o000])
def test_a_file_that_nobody_may_write_is_damaged_and_put_back(open_folder, mode):
    """Its mode stays: a disk that lies asks no permission."""
    path = open_folder / "kept"
    damaged = FileDamaged(str(path), b"whole", b"whomf")

    def action():
        path.write_bytes(b"whole")
        path.chmod(mode)
        found = []
        for change in (damaged.repeat, damaged.put_back):
            assert change()
            assert stat.S_IMODE(path.stat().st_mode) == mode
            path.chmod(0o600)
            found.append(path.read_bytes())
            path.chmod(mode)
        assert found == [b"whomf", b"whole"]

    assert in_child_without_privileges(action) == 0


def test_read_only_folders_are_put_back(open_folder):
    """An agent may close folders behind it; restore opens them, and closes those that were closed."""
    shared = open_folder / "shared"

    def action():
        disk = Disk([Source(shared, "shared", False)])
        build(shared, {"closed": {"a": ("file", b"1", 0o444)}, "b": {}})
        (shared / "closed").chmod(0o555)
        saved = disk.capture()
        (shared / "closed").chmod(0o755)
        (shared / "closed" / "a").unlink()
        build(shared / "b", {"deep": {"x": ("file", b"2", 0o000)}})
        for path in (shared / "b" / "deep", shared / "b", shared / "closed", shared):
            path.chmod(0o000)
        disk.restore(saved)
        assert disk.capture() == saved
        assert stat.S_IMODE((shared / "closed").stat().st_mode) == 0o555
        disk.restore(DiskState({}))
        assert not shared.exists()

    assert in_child_without_privileges(action) == 0


def test_an_unreadable_file_is_refused_by_name(open_folder):
    """Half a state would be worse than none: the error says which path, and what to do."""
    shared = open_folder / "shared"

    def action():
        build(shared, {"secret": ("file", b"1", 0o000)})
        with pytest.raises(ChaosError, match=r"secret is watched or private and cannot be read"):
            Disk([Source(shared, "shared", False)]).capture()

    assert in_child_without_privileges(action) == 0


def test_what_nobody_may_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent took away its own right to read: that is said of the path, and is no empty file."""
    (tmp_path / "secret.txt").write_text("x")
    opened = os.open

    def refused(path: str, *arguments: int, **named: int) -> int:
        if str(path).endswith("secret.txt"):  # root, whom nothing is refused, runs this test too
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *arguments, **named)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(ChaosError, match=r"secret\.txt .* cannot be read: Permission denied") as caught:
        Disk([Source(tmp_path, "shared", private=False, ignore=())]).capture()
    assert caught.value.code == "unreadable"
