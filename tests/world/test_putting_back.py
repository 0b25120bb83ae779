"""Putting back stays in the declared place, removes nothing that it cannot put back, and says what it could not do."""

import contextlib
import fcntl
import os
import pickle
import socket
import subprocess
import sys

import pytest
from rollproof.values.errors import ChaosError
from rollproof.world.storage.disk import Disk, Source
from rollproof.world.storage.raw import DiskState

from .test_disk import build, in_child_without_privileges, open_folder, wipe  # noqa: F401

IMMUTABLE, APPEND_ONLY = 0x10, 0x20
SET_FLAGS = 0x40086602


def disk_of(*folders, **named) -> Disk:
    """Return a disk with these watched folders."""
    return Disk([Source(folder, folder.name, private=False) for folder in folders], **named)


def tree(folder) -> dict:
    """Return all names and contents below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def versions(tmp_path):
    """Two releases and a link to the first; what is watched lies below the link."""
    for version in ("v1", "v2"):
        build(tmp_path / version, {"data": {"own.txt": ("file", version.encode(), 0o644)}})
    (tmp_path / "current").symlink_to("v1")
    return tmp_path


def switch(folder, target: str) -> None:
    """Let the link lead elsewhere, as a deployment does."""
    (folder / "new").symlink_to(target)
    os.replace(folder / "new", folder / "current")


def test_a_switched_link_above_is_an_error_that_touches_nothing(versions):
    """What is watched is the folder that the link led to when it was declared."""
    disk = disk_of(versions / "current" / "data")
    saved = disk.capture()
    (versions / "v1" / "data" / "own.txt").write_text("changed")
    switch(versions, "v2")
    before = tree(versions)
    for act in (disk.capture, lambda: disk.restore(saved)):
        with pytest.raises(ChaosError, match=r"current is no longer the folder that was declared") as caught:
            act()
        assert caught.value.code == "moved"
    assert tree(versions) == before
    switch(versions, "v1")
    disk.restore(saved)
    assert disk.capture() == saved


def test_a_link_that_is_watched_itself_may_be_switched(versions):
    """A folder of releases that is watched as a whole is put back, and so is a source that lies in it."""
    inner = versions / "current" / "data"
    disk = Disk([Source(versions, "site", False), Source(inner, "data", True)])
    saved = disk.capture()
    (versions / "v1" / "data" / "own.txt").unlink()
    switch(versions, "v2")
    disk.restore(saved)
    assert os.readlink(versions / "current") == "v1"
    assert (inner / "own.txt").read_bytes() == b"v1"
    assert disk.capture() == saved


def test_a_parent_that_was_replaced_is_an_error(tmp_path):
    """A folder of the same name is another one; nothing in it is removed."""
    build(tmp_path / "work", {"out": {"a": ("file", b"1", 0o644)}})
    disk = disk_of(tmp_path / "work" / "out")
    saved = disk.capture()
    (tmp_path / "work").rename(tmp_path / "old")
    build(tmp_path / "work", {"out": {"precious": ("file", b"2", 0o644)}})
    with pytest.raises(ChaosError, match="no longer the folder"):
        disk.restore(saved)
    assert (tmp_path / "work" / "out" / "precious").read_bytes() == b"2"


@pytest.mark.parametrize("how", ["made anew", "replaced", "a link", "a file"])
def test_the_watched_folder_itself_may_be_replaced(tmp_path, how):
    """Agents remove it and make it anew, move another one there, or a link: what was there comes back, no more."""
    shared, outside = tmp_path / "shared", tmp_path / "outside"
    build(shared, {"a": ("file", b"1", 0o644), "b": {"c": ("file", b"2", 0o644)}})
    build(outside, {"precious": ("file", b"3", 0o644)})
    disk = disk_of(shared)
    saved = disk.capture()
    wipe(shared)
    if how == "made anew":
        build(shared, {"b": ("file", b"x", 0o644)})
    elif how == "replaced":
        build(tmp_path / "green", {"d": ("file", b"4", 0o644)})
        os.replace(tmp_path / "green", shared)
    elif how == "a link":
        shared.symlink_to(outside)
    else:
        shared.write_text("no folder any more")
    disk.restore(saved)
    assert tree(shared) == {"a": b"1", "b": None, "b/c": b"2"}
    assert tree(outside) == {"precious": b"3"}
    assert disk.capture() == saved


def test_a_folder_in_between_that_became_a_link_is_not_followed(tmp_path):
    """A source within another one is reached step by step; a link on the way is not the way."""
    build(tmp_path, {"all": {"x": {"own": {"b": ("file", b"1", 0o644)}}}, "elsewhere": {"own": {}}})
    (tmp_path / "elsewhere" / "own" / "precious").write_text("2")
    own = tmp_path / "all" / "x" / "own"
    disk = Disk([Source(tmp_path / "all", "all", False), Source(own, "own", True)])
    saved = disk.capture()
    wipe(tmp_path / "all" / "x")
    (tmp_path / "all" / "x").symlink_to(tmp_path / "elsewhere")
    assert (1, "") not in disk.capture().files
    disk.restore(saved)
    assert (own / "b").read_bytes() == b"1"
    assert tree(tmp_path / "elsewhere") == {"own": None, "own/precious": b"2"}


def test_a_state_can_be_put_back_by_another_process(versions):
    """Sources and state are plain data; where they lay goes with the state, though the link was switched meanwhile."""
    watched = versions / "v1" / "data"
    (watched / "big").write_bytes(b"x" * 200_000)
    disk = disk_of(watched)
    saved = disk.capture()
    (versions / "order").write_bytes(pickle.dumps((disk.sources, saved)))
    wipe(watched)
    program = (
        "import pickle, sys; from rollproof.world.storage.disk import Disk\n"
        "sources, state = pickle.load(open(sys.argv[1], 'rb')); Disk(sources).restore(state)"
    )
    subprocess.run([sys.executable, "-c", program, versions / "order"], check=True)
    assert disk.capture() == saved


def test_another_process_is_not_led_elsewhere(versions):
    """The folder that a state was taken of counts, not the one that the path leads to later."""
    disk = disk_of(versions / "current" / "data")
    saved = disk.capture()
    switch(versions, "v2")
    with pytest.raises(ChaosError, match="no longer the folder"):
        disk_of(versions / "current" / "data").restore(saved)
    assert (versions / "v2" / "data" / "own.txt").read_bytes() == b"v2"


@pytest.fixture
def service(tmp_path):
    """A watched folder with the socket of a service that runs, and a pipe."""
    build(tmp_path / "shared", {"a": ("file", b"1", 0o644)})
    os.mkfifo(tmp_path / "shared" / "pipe", 0o600)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "shared" / "service.sock"))
        server.listen()
        yield tmp_path / "shared"


def test_sockets_and_pipes_are_left_alone(service):
    """They are told, and are there afterwards: the same socket, which still answers."""
    disk = disk_of(service)
    saved = disk.capture()
    assert [note.partition(" is a ")[2] for note in disk.notes] == [
        "pipe: it is left alone, not put back",
        "socket: it is left alone, not put back",
    ]
    (service / "a").unlink()
    (service / "pipe").unlink()
    disk.restore(saved)
    assert (service / "a").read_bytes() == b"1"
    assert (service / "pipe").is_fifo()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(service / "service.sock"))


@pytest.mark.parametrize("replaced", [False, True])
def test_a_socket_that_the_agent_removed_is_told(service, replaced):
    """It cannot be made anew; everything else is as before."""
    disk = disk_of(service)
    saved = disk.capture()
    (service / "service.sock").unlink()
    if replaced:
        socket.socket(socket.AF_UNIX).bind(str(service / "service.sock"))
    (service / "a").write_text("changed")
    with pytest.raises(ChaosError, match=r"service\.sock: the socket that was there") as caught:
        disk.restore(saved)
    assert caught.value.code == "not-put-back"
    assert (service / "a").read_bytes() == b"1"


def flag(path, flags: int) -> None:
    """Set the attributes of ``chattr``; skips where nobody may."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, SET_FLAGS, flags.to_bytes(8, sys.byteorder))
    except OSError as error:
        pytest.skip(f"chattr is not possible here: {error}")
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("flags", [IMMUTABLE, APPEND_ONLY])
@pytest.mark.parametrize("name", ["a", "folder"])
def test_what_is_immutable_is_refused(tmp_path, flags, name):
    """It could not be put back: that is said before anything runs."""
    shared = tmp_path / "shared"
    build(shared, {"a": ("file", b"1", 0o644), "folder": {}})
    flag(shared / name, flags)
    try:
        with pytest.raises(ChaosError, match=f"{name} cannot be put back: immutable") as caught:
            disk_of(shared).capture()
        assert caught.value.code == "immutable"
    finally:
        flag(shared / name, 0)


def test_what_an_agent_made_immutable_is_told_and_the_rest_put_back(tmp_path):
    """One error names it; no link is followed and nothing else is left as it was."""
    shared = tmp_path / "shared"
    build(shared, {"a": ("file", b"1", 0o644), "b": ("file", b"2", 0o644)})
    disk = disk_of(shared)
    saved = disk.capture()
    (shared / "a").write_text("changed")
    (shared / "b").unlink()
    (shared / "new").write_text("x")
    flag(shared / "a", IMMUTABLE)
    try:
        with pytest.raises(ChaosError, match=r"everything else is as before:(.|\n)*shared/a: Operation not permitted"):
            disk.restore(saved)
        assert tree(shared) == {"a": b"changed", "b": b"2"}
    finally:
        flag(shared / "a", 0)
    disk.restore(saved)
    assert disk.capture() == saved


def test_a_link_whose_removal_is_refused_is_not_followed(open_folder):  # noqa: F811
    """In a folder with the sticky bit nobody removes another's link; what it points at keeps its files."""
    target, shared = open_folder / "target", open_folder / "shared"
    build(target, {"precious": ("file", b"1", 0o666)})
    build(shared, {})
    for path, mode in ((target, 0o777), (shared, 0o1777)):
        path.chmod(mode)
    (shared / "link").symlink_to(target)
    if os.geteuid() != 0:
        pytest.skip("only root can make files of two users")
    os.lchown(shared / "link", 12345, 12345)
    os.chown(shared, 12345, 12345)

    def action():
        with contextlib.suppress(ChaosError):
            disk_of(shared).restore(DiskState({}))

    assert in_child_without_privileges(action) == 0
    assert tree(target) == {"precious": b"1"}
    assert (shared / "link").is_symlink()


def test_files_of_another_user_are_refused(open_folder):  # noqa: F811
    """Who cannot give a file back to its owner does not begin."""
    if os.geteuid() != 0:
        pytest.skip("only root can make files of two users")
    shared = open_folder / "shared"
    build(shared, {"theirs": ("file", b"1", 0o666)})
    shared.chmod(0o777)

    def action():
        with pytest.raises(ChaosError, match=r"theirs belongs to another user") as caught:
            disk_of(shared).capture()
        assert caught.value.code == "foreign"

    assert in_child_without_privileges(action) == 0


def test_owners_are_put_back(tmp_path):
    """Where that is allowed, as for root: of files, folders and links, beside modes that a new owner takes away."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    shared = tmp_path / "shared"
    build(shared, {"a": ("file", b"1", 0o4755), "b": {}, "c": ("link", b"a", 0)})
    for number, name in enumerate("abc"):
        os.lchown(shared / name, 1000 + number, 2000 + number)
    (shared / "a").chmod(0o4755)
    disk = disk_of(shared)
    saved = disk.capture()
    wipe(shared)
    disk.restore(saved)
    found = {name: os.lstat(shared / name) for name in "abc"}
    assert [(status.st_uid, status.st_gid) for status in found.values()] == [(1000, 2000), (1001, 2001), (1002, 2002)]
    assert found["a"].st_mode & 0o7777 == 0o4755
    os.chown(shared / "a", 5, 5)
    disk.restore(saved)
    assert os.stat(shared / "a").st_uid == 1000


def test_extended_attributes_are_put_back(tmp_path):
    """Those of a file that was rewritten, of one whose attributes alone changed, and of a folder; new ones go."""
    shared = tmp_path / "shared"
    build(shared, {"a": ("file", b"1", 0o444), "b": ("file", b"2", 0o644), "c": {}})
    try:
        for name in "abc":
            os.setxattr(shared / name, "user.origin", name.encode())
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error}")
    disk = disk_of(shared)
    saved = disk.capture()
    (shared / "a").unlink()
    os.setxattr(shared / "b", "user.origin", b"changed")
    os.setxattr(shared / "b", "user.more", b"x")
    os.removexattr(shared / "c", "user.origin")
    disk.restore(saved)
    assert [os.getxattr(shared / name, "user.origin") for name in "abc"] == [b"a", b"b", b"c"]
    assert os.listxattr(shared / "b") == ["user.origin"]


@pytest.mark.parametrize("change", ["through one name", "one name replaced", "both removed", "one removed", "one more"])
def test_names_of_one_file_stay_names_of_one_file(tmp_path, change):
    """Hard links within what is watched are put back as such, whatever happened to them."""
    shared = tmp_path / "shared"
    build(shared, {"a": ("file", b"1", 0o644), "folder": {}, "c": ("file", b"3", 0o644)})
    os.link(shared / "a", shared / "folder" / "b")
    disk = disk_of(shared)
    saved = disk.capture()
    if change == "through one name":
        (shared / "a").write_text("changed")
    elif change == "one name replaced":
        (shared / "folder" / "new").write_text("1")
        os.replace(shared / "folder" / "new", shared / "folder" / "b")
    elif change == "one more":
        (shared / "c").unlink()
        os.link(shared / "a", shared / "c")
    else:
        (shared / "folder" / "b").unlink()
        if change == "both removed":
            (shared / "a").unlink()
    disk.restore(saved)
    assert tree(shared) == {"a": b"1", "c": b"3", "folder": None, "folder/b": b"1"}
    assert os.path.samefile(shared / "a", shared / "folder" / "b")
    assert (shared / "a").stat().st_nlink == 2
    assert (shared / "c").stat().st_nlink == 1
    assert disk.capture() == saved


def test_a_copy_that_became_a_hard_link_is_a_copy_again(tmp_path):
    """Two files of one content are not one file."""
    shared = tmp_path / "shared"
    build(shared, {"a": ("file", b"1", 0o644), "b": ("file", b"1", 0o644)})
    disk = disk_of(shared)
    saved = disk.capture()
    (shared / "b").unlink()
    os.link(shared / "a", shared / "b")
    disk.restore(saved)
    assert not os.path.samefile(shared / "a", shared / "b")
    assert disk.capture() == saved


def linked_to_the_outside(folder):
    """Return a watched folder in which ``a`` is another name of a file outside, that file, and the disk."""
    shared, outside = folder / "shared", folder / "outside"
    outside.write_text("1")
    shared.mkdir()
    os.link(outside, shared / "a")
    return shared, outside, disk_of(shared)


def test_a_write_through_a_hard_link_is_told_and_undone(tmp_path):
    """A file with a name outside is written in place: the other name has its content again, and is the same file."""
    shared, outside, disk = linked_to_the_outside(tmp_path)
    saved = disk.capture()
    assert not disk.linked
    (shared / "a").write_text("changed")
    disk.capture()
    assert list(disk.linked) == [f"{shared}/a by another name (hard link) that is outside"]
    disk.restore(saved)
    assert outside.read_text() == "1"
    assert os.path.samefile(outside, shared / "a")
    assert not disk.notes


def test_a_hard_link_to_the_outside_that_was_lost_is_told(tmp_path):
    """Nobody knows the other name: the content is put back, and it is said that they are two files now."""
    shared, outside, disk = linked_to_the_outside(tmp_path)
    saved = disk.capture()
    (shared / "new").write_text("2")
    os.replace(shared / "new", shared / "a")
    disk.restore(saved)
    assert (shared / "a").read_text() == outside.read_text() == "1"
    assert [note.partition(" had ")[2] for note in disk.notes] == ["another name (hard link) outside: it is lost"]


def test_a_large_folder_says_so(tmp_path):
    """By its entries or its bytes; a small one says nothing."""
    many, big, small = (tmp_path / name for name in ("many", "big", "small"))
    build(many, {str(number): ("file", b"", 0o644) for number in range(5_001)})
    build(small, {"a": ("file", b"", 0o644)})
    big.mkdir()
    with (big / "sparse").open("wb") as file:
        file.truncate((100 << 20) + 1)
    disk = disk_of(many, big, small)
    disk.capture()
    assert [note.partition(" is large ")[0] for note in disk.notes] == [str(many), str(big)]
    assert "(5,002 entries, 0 MB)" in next(iter(disk.notes))
