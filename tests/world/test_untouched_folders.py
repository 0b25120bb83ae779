"""Folders that nobody touched are not listed again, and each look is what a whole one would be."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollproof.world.storage.disk import Disk, DiskState, Source

pytestmark = pytest.mark.skipif(not hasattr(os, "listxattr"), reason="only Linux tells which folders are touched")

_FOLDERS = ("a", "a/b", "c", "c/d")
_NAMES = ("x", "y", "z")
_PATHS = st.builds("{}/{}".format, st.sampled_from(_FOLDERS), st.sampled_from(_NAMES))
_ANY = st.one_of(st.sampled_from(_FOLDERS), _PATHS)


class _Tree:
    """A folder with others in it, a disk that has looked at it until it lists nothing, and counts what it lists."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.listed = folder / "watched", 0
        for path in (f"{folder}/{name}" for folder in _FOLDERS for name in _NAMES):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(path)
        scandir: Callable[..., Any] = os.scandir

        def counted(at: int) -> Any:
            self.listed += 1
            return scandir(at)

        monkeypatch.setattr("rollproof.world.storage.scanning.os.scandir", counted)
        self.sources = [Source(self.root, "watched", private=False)]
        self.disk = Disk(self.sources)
        self.first = self.disk.capture()
        while self.lists():  # it reads files that are too young to tell, and a file that is open may be written
            self.disk.restore(self.first)

    def lists(self) -> int:
        """Look, and return how many folders were listed."""
        before = self.listed
        self.disk.capture()
        return self.listed - before

    def whole(self) -> DiskState:
        """Return what one who never looked before sees."""
        with closing(Disk(self.sources)) as other:
            return other.capture()

    def do(self, what: str, one: str, other: str) -> None:
        """Change something, where that is possible."""
        with suppress(OSError, ValueError):
            getattr(self, f"_{what}")(self.root / one, self.root / other)

    def _write(self, one: Path, other: Path) -> None:
        one.write_text(f"{one.read_text() if one.exists() else ''}more")

    def _remove(self, one: Path, other: Path) -> None:
        shutil.rmtree(one) if one.is_dir() else one.unlink()

    def _make(self, one: Path, other: Path) -> None:
        one.mkdir(parents=True)

    def _rename(self, one: Path, other: Path) -> None:
        one.rename(other)

    def _exchange(self, one: Path, other: Path) -> None:
        aside = self.root.parent / "aside"
        one.rename(aside)
        other.rename(one)
        aside.rename(other)

    def _mode(self, one: Path, other: Path) -> None:
        one.chmod(0o700)

    def _time(self, one: Path, other: Path) -> None:
        os.utime(one, (1, 1))

    def _point(self, one: Path, other: Path) -> None:
        one.symlink_to(other)

    def _link(self, one: Path, other: Path) -> None:
        one.hardlink_to(other)

    def _put_back(self, one: Path, other: Path) -> None:
        self.disk.restore(self.first)


_DOINGS = [name[1:] for name, value in vars(_Tree).items() if name[0] == "_" and name[1] != "_" and callable(value)]


@contextmanager
def _tree(folder: Path) -> Iterator[_Tree]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        tree = _Tree(folder, monkeypatch)
        with closing(tree.disk):
            yield tree


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=st.lists(st.tuples(st.sampled_from(_DOINGS), _ANY, _ANY), max_size=8))
def test_a_look_is_what_a_whole_one_would_be(
    done: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever was done since the last look, by whichever way."""
    with _tree(tmp_path_factory.mktemp("tree")) as tree:
        for one in done:
            tree.do(*one)
            tree.disk.capture()
        found, whole = tree.disk.capture(), tree.whole()
        assert {key: (entry, entry.stamp()) for key, entry in found.files.items()} == {
            key: (entry, entry.stamp()) for key, entry in whole.files.items()
        }


def test_only_folders_that_were_touched_are_listed(tmp_path: Path) -> None:
    """Each look lists one in which a file was opened, which may be written by a memory map; a write is seen at once."""
    with _tree(tmp_path) as tree:
        with open(tree.root / "c" / "y", "r+b"):
            pass
        assert [tree.lists(), tree.lists()] == [1, 1]
        (tree.root / "a" / "b" / "x").write_text("new")
        assert tree.lists() == 2
        assert tree.disk.capture().files[0, "a/b/x"].content == b"new"


def test_a_change_that_nothing_tells_of_is_found_later(tmp_path: Path) -> None:
    """A write by a name outside is found by the next whole look, and from then on all folders are listed."""
    with _tree(tmp_path) as tree:
        os.link(tree.root / "a" / "x", tmp_path / "outside")
        (tmp_path / "outside").write_text("new")
        while tree.disk.capture().files[0, "a/x"].content != b"new":
            pass
        assert tree.lists() == tree.lists() == 1 + len(_FOLDERS)
