# ruff: noqa: SIM115  (the many ways of opening are what is tested)
"""Files: whatever of Python's many ways an agent takes, its effects are points, once each."""

import builtins
import csv
import gzip
import io
import json
import os
import pathlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from os import replace as early_replace
from pathlib import Path as EarlyPath
from typing import Any

import pytest

from .stage import Stage, short

Way = Callable[[pathlib.Path], Any]


def _with(opened: Callable[[], Any], data: Any) -> None:
    with opened() as file:
        file.write(data)


WRITING: dict[str, Way] = {
    "open": lambda p: _with(lambda: open(p / "a", "w"), "xy"),
    "builtins.open": lambda p: _with(lambda: builtins.open(str(p / "a"), mode="w"), "xy"),
    "io.open": lambda p: _with(lambda: io.open(p / "a", "w", encoding="utf-8"), "xy"),  # noqa: UP020
    "bytes path": lambda p: _with(lambda: open(os.fsencode(p / "a"), "wb"), b"xy"),
    "relative path": lambda p: (os.chdir(p), _with(lambda: open("a", "w"), "xy")),
    "dots in the path": lambda p: _with(lambda: open(p / ".." / p.name / "a", "w"), "xy"),
    "pathlib.write_text": lambda p: (p / "a").write_text("xy"),
    "pathlib.write_bytes": lambda p: (p / "a").write_bytes(b"xy"),
    "pathlib.open": lambda p: _with(lambda: (p / "a").open("w"), "xy"),
    "early Path": lambda p: EarlyPath(p / "a").write_text("xy"),
    "unbuffered": lambda p: _with(lambda: open(p / "a", "wb", buffering=0), b"xy"),
    "x": lambda p: _with(lambda: open(p / "a", "x"), "xy"),
    "xb+": lambda p: _with(lambda: open(p / "a", "xb+"), b"xy"),
    "w+": lambda p: _with(lambda: open(p / "a", "w+"), "xy"),
    "append": lambda p: _with(lambda: open(p / "a", "a"), "xy"),
    "json.dump": lambda p: _with_json(p / "a"),
    "print": lambda p: _printed(p / "a"),
    "csv": lambda p: _with_csv(p / "a"),
    "opener": lambda p: _with(lambda: open(p / "a", "w", opener=lambda n, f: os.open(n, f, 0o600)), "xy"),
    "os.open and os.write": lambda p: _descriptor(p, lambda fd: os.write(fd, b"xy")),
    "os.fdopen": lambda p: _with(lambda: os.fdopen(os.open(p / "a", os.O_WRONLY | os.O_CREAT), "w"), "xy"),
    "open of a descriptor": lambda p: _with(lambda: open(os.open(p / "a", os.O_WRONLY | os.O_CREAT), "wb"), b"xy"),
    "os.pwrite": lambda p: _descriptor(p, lambda fd: os.pwrite(fd, b"xy", 0)),
    "os.writev": lambda p: _descriptor(p, lambda fd: os.writev(fd, [b"x", b"y"])),
    "a duplicated descriptor": lambda p: _descriptor(p, lambda fd: os.write(os.dup(fd), b"xy")),
    "dir_fd": lambda p: _by_directory(p),
    "gzip": lambda p: _with(lambda: gzip.GzipFile(p / "a", "wb", mtime=0), b"x"),
}


def _with_json(path: pathlib.Path) -> None:
    with open(path, "w") as file:
        json.dump({"many": ["small", "pieces", 1, 2, {"x": None}]}, file, indent=1)


def _printed(path: pathlib.Path) -> None:
    with open(path, "w") as file:
        print("one", "two", 3, file=file)


def _with_csv(path: pathlib.Path) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([[1, 2], [3, 4]])


def _descriptor(folder: pathlib.Path, write: Callable[[int], Any]) -> None:
    fd = os.open(folder / "a", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write(fd)
    finally:
        os.close(fd)


def _by_directory(folder: pathlib.Path) -> None:
    directory = os.open(folder, os.O_RDONLY)
    fd = os.open("a", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=directory)
    os.write(fd, b"xy")
    os.close(fd)
    os.close(directory)


@pytest.mark.parametrize("way", WRITING)
def test_a_new_file_is_an_open_and_one_write(way: str, stage: Stage) -> None:
    """A write is a point when it reaches the operating system: not one for each piece of `json.dump`."""
    assert short(stage.points(lambda: WRITING[way](stage.shared))) == ["open shared/a", "write shared/a"]


@pytest.mark.parametrize("way", WRITING)
def test_what_is_written_is_what_python_writes_alone(way: str, stage: Stage) -> None:
    """The same bytes and mode as without the harness, torn in two parts or not."""
    WRITING[way](stage.elsewhere)
    os.chdir(stage.folder)
    expected, mode = (stage.elsewhere / "a").read_bytes(), (stage.elsewhere / "a").stat().st_mode
    for trace in (True, False):
        stage.run_process(lambda: WRITING[way](stage.shared), trace=trace)
        written = stage.shared / "a"
        assert written.read_bytes() == expected
        assert written.stat().st_mode == mode
        written.unlink()


EXISTING: dict[str, tuple[Way, list[str]]] = {
    "r+": (lambda p: _with(lambda: open(p / "a", "r+"), "XY"), ["write shared/a"]),
    "rb+ unbuffered": (lambda p: _with(lambda: open(p / "a", "rb+", buffering=0), b"XY"), ["write shared/a"]),
    "append": (lambda p: _with(lambda: open(p / "a", "a"), "XY"), ["write shared/a"]),
    "overwrite": (lambda p: (p / "a").write_text("XY"), ["open shared/a", "write shared/a"]),
    "touch": (lambda p: (p / "new").touch(), ["open shared/new"]),
    "unlink": (lambda p: (p / "a").unlink(), ["remove shared/a"]),
    "os.remove": (lambda p: os.remove(p / "a"), ["remove shared/a"]),
    "os.unlink keyword": (lambda p: os.unlink(path=p / "a"), ["remove shared/a"]),
    "rename": (lambda p: (p / "a").rename(p / "b"), ["rename shared/b"]),
    "replace": (lambda p: (p / "a").replace(p / "b"), ["replace shared/b"]),
    "os.renames": (
        lambda p: os.renames(p / "a", p / "n" / "b"),
        [
            "mkdir shared/n",
            "rename shared/n/b",
            "rmdir shared",
        ],
    ),
    "early replace": (lambda p: early_replace(p / "a", p / "b"), ["replace shared/b"]),
    "replace by keyword": (lambda p: os.replace(src=p / "a", dst=p / "b"), ["replace shared/b"]),
    "replace out": (lambda p: os.replace(p / "a", p.parent / "elsewhere" / "b"), ["replace shared/a"]),
    "replace by directory": (lambda p: _replaced_by_directory(p), ["replace shared/b"]),
    "mkdir": (lambda p: (p / "n").mkdir(), ["mkdir shared/n"]),
    "makedirs": (lambda p: os.makedirs(p / "n" / "m"), ["mkdir shared/n", "mkdir shared/n/m"]),
    "mkdir parents": (
        lambda p: (p / "n" / "m").mkdir(parents=True),
        [
            "mkdir shared/n/m",
            "mkdir shared/n",
            "mkdir shared/n/m",
        ],
    ),
    "rmdir": (lambda p: (p / "empty").rmdir(), ["rmdir shared/empty"]),
    "removedirs": (
        lambda p: os.removedirs(p / "outer" / "inner"),
        [
            "rmdir shared/outer/inner",
            "rmdir shared/outer",
            "rmdir shared",
        ],
    ),
    "symlink": (lambda p: (p / "l").symlink_to(p / "a"), ["symlink shared/l"]),
    "hard link": (lambda p: (p / "l").hardlink_to(p / "a"), ["link shared/l"]),
    "chmod": (lambda p: (p / "a").chmod(0o600), ["chmod shared/a"]),
    "os.truncate": (lambda p: os.truncate(p / "a", 1), ["truncate shared/a"]),
    "file.truncate": (lambda p: _truncated(p), ["truncate shared/a"]),
    "os.ftruncate": (lambda p: _ftruncated(p), ["truncate shared/a"]),
    "copy": (lambda p: shutil.copyfile(p / "a", p / "b"), ["open shared/b", "write shared/b"]),
    "copy2": (lambda p: shutil.copy2(p / "a", p / "b"), ["open shared/b", "write shared/b", "chmod shared/b"]),
    "shutil.move": (lambda p: shutil.move(p / "a", p / "b"), ["rename shared/b"]),
    "flush and fsync": (lambda p: _synced(p), ["write shared/a", "fsync shared/a"]),
    "os.open of what is there": (
        lambda p: _with(lambda: os.fdopen(os.open(p / "a", os.O_RDWR), "w"), "XY"),
        ["write shared/a"],
    ),
    "a read": (lambda p: (p / "a").read_text(), []),
    "a copy out": (lambda p: shutil.copyfile(p / "a", p.parent / "elsewhere" / "b"), []),
    "seek, read, write": (lambda p: _updated(p), ["write shared/a"]),
    "line buffered": (lambda p: _lines(p), ["write shared/a", "write shared/a"]),
}


def _replaced_by_directory(folder: pathlib.Path) -> None:
    directory = os.open(folder, os.O_RDONLY)
    os.replace("a", "b", src_dir_fd=directory, dst_dir_fd=directory)
    os.close(directory)


def _truncated(folder: pathlib.Path) -> None:
    with open(folder / "a", "r+") as file:
        file.truncate(1)


def _ftruncated(folder: pathlib.Path) -> None:
    with open(folder / "a", "r+") as file:
        os.ftruncate(file.fileno(), 1)


def _synced(folder: pathlib.Path) -> None:
    with open(folder / "a", "a") as file:
        file.write("x")
        file.flush()
        os.fsync(file.fileno())


def _updated(folder: pathlib.Path) -> None:
    with open(folder / "a", "r+b") as file:
        file.read(1)
        file.seek(0)
        file.write(b"Z")


def _lines(folder: pathlib.Path) -> None:
    with open(folder / "a", "a", buffering=1) as file:
        file.write("one\n")
        file.write("two\n")


@pytest.mark.parametrize("way", EXISTING)
def test_every_change_of_what_is_there_is_a_point(way: str, stage: Stage) -> None:
    """Each effect under the path that it changes, an attempt that fails too; what only reads is none."""
    (stage.shared / "a").write_text("xy")
    (stage.shared / "empty").mkdir()
    (stage.shared / "outer" / "inner").mkdir(parents=True)
    (stage.shared / "keep").touch()
    act, expected = EXISTING[way]
    assert short(stage.points(lambda: act(stage.shared))) == expected


def test_a_tree_is_removed_piece_by_piece(stage: Stage) -> None:
    """`shutil.rmtree` works with directory descriptors: names are the paths all the same."""
    (stage.shared / "t" / "u").mkdir(parents=True)
    (stage.shared / "t" / "u" / "f").write_text("x")
    points = short(stage.points(lambda: shutil.rmtree(stage.shared / "t")))
    assert points == ["remove shared/t/u/f", "rmdir shared/t/u", "rmdir shared/t"]


def test_a_tree_is_copied_piece_by_piece(stage: Stage) -> None:
    """`shutil.copytree` into a watched folder."""
    (stage.elsewhere / "t").mkdir()
    (stage.elsewhere / "t" / "f").write_text("xy")
    points = short(stage.points(lambda: shutil.copytree(stage.elsewhere / "t", stage.shared / "t")))
    assert points[:3] == ["mkdir shared/t", "open shared/t/f", "write shared/t/f"]


def test_a_move_from_another_file_system_is_seen(stage: Stage) -> None:
    """A move of a file into a watched folder is a rename there."""
    (stage.elsewhere / "f").write_text("xy")
    points = short(stage.points(lambda: shutil.move(stage.elsewhere / "f", stage.shared / "f")))
    assert points == ["rename shared/f"]


def test_a_zip_file_is_seen(stage: Stage) -> None:
    """`zipfile` writes through the same seam; its content is whole."""

    def run() -> None:
        with zipfile.ZipFile(stage.shared / "z.zip", "w") as archive:
            archive.writestr("a.txt", "x" * 100)

    points = short(stage.points(run))
    assert points[0] == "open shared/z.zip"
    assert set(points[1:]) == {"write shared/z.zip"}
    assert zipfile.ZipFile(stage.shared / "z.zip").read("a.txt") == b"x" * 100


TEMPORARY: dict[str, Way] = {
    "NamedTemporaryFile": lambda p: _with(lambda: tempfile.NamedTemporaryFile("w", dir=p, delete=False), "xy"),
    "mkstemp": lambda p: _with(lambda: os.fdopen(tempfile.mkstemp(dir=p)[0], "w"), "xy"),
    "a rolled over SpooledTemporaryFile": lambda p: _spooled(p),
}


def _spooled(folder: pathlib.Path) -> None:
    with tempfile.SpooledTemporaryFile(max_size=1, mode="w", dir=folder) as file:
        file.write("xy" * 10)


@pytest.mark.parametrize("way", ["NamedTemporaryFile", "mkstemp"])
def test_temporary_files_are_named_without_their_random_part(way: str, stage: Stage) -> None:
    """The name is the same in every run."""
    points = short(stage.points(lambda: TEMPORARY[way](stage.shared)))
    assert points == ["open shared/tmp*", "write shared/tmp*"]


def test_a_temporary_file_that_is_deleted_is_removed_at_a_point(stage: Stage) -> None:
    """Also where its deletion is tempfile's own work."""

    def run() -> None:
        with tempfile.NamedTemporaryFile("w", dir=stage.shared) as file:
            file.write("xy")

    assert short(stage.points(run)) == ["open shared/tmp*", "write shared/tmp*", "remove shared/tmp*"]


def test_temporary_folders_are_made_and_removed_at_points(stage: Stage) -> None:
    """`mkdtemp` and `TemporaryDirectory`."""

    def run() -> None:
        tempfile.mkdtemp(dir=stage.shared)
        with tempfile.TemporaryDirectory(dir=stage.own) as folder:
            pathlib.Path(folder, "f").touch()

    assert short(stage.points(run)) == [
        "mkdir shared/tmp*",
        "mkdir own/tmp*",
        "open own/tmp*/f",
        "remove own/tmp*/f",
        "rmdir own/tmp*",
    ]


def test_a_file_without_a_name_is_nothing_outside(stage: Stage) -> None:
    """A spooled file that rolls over into a watched folder never has a path: the outside does not change."""
    process = stage.run_process(lambda: TEMPORARY["a rolled over SpooledTemporaryFile"](stage.shared))
    assert process.outcome.kind == "returned", process.outcome.traceback
    assert list(stage.shared.iterdir()) == []
    assert process.unintercepted == []


@pytest.mark.parametrize(
    ("mode", "buffering", "expected"),
    [
        ("w", -1, "TextIOWrapper"),
        ("wb", -1, "BufferedWriter"),
        ("wb+", -1, "BufferedRandom"),
        ("wb", 0, "FileIO"),
        ("r+", -1, "TextIOWrapper"),
        ("ab", -1, "BufferedWriter"),
        ("w", 1, "TextIOWrapper"),
        ("w+", 100, "TextIOWrapper"),
    ],
)
def test_types_and_attributes_stay_true(mode: str, buffering: int, expected: str, stage: Stage) -> None:
    """An agent that looks at what `open` returned sees what Python returns."""
    for folder in (stage.shared, stage.elsewhere):
        (folder / "a").write_text("content")

    def look(path: pathlib.Path) -> list[Any]:
        with open(path, mode, buffering) as file:
            raw = getattr(file, "buffer", file)
            raw = getattr(raw, "raw", raw)
            attributes = [getattr(file, name, None) for name in ("mode", "encoding", "line_buffering", "newlines")]
            known = type(file).__name__, type(file).__module__, isinstance(file, io.IOBase), type(raw).__name__
            return [
                *known,
                *attributes,
                file.name == str(path),
                file.readable(),
                file.writable(),
                file.seekable(),
                file.tell(),
                repr(file).replace(str(path), "PATH"),
                raw.mode,
                raw.closefd,
                isinstance(raw, io.FileIO),
            ]

    real = look(stage.elsewhere / "a")
    assert stage.returned(lambda: look(stage.shared / "a")) == real
    assert real[0] == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ("w", -1, None, None, "bad"),
        ("wz",),
        ("rw",),
        ("w", 0),
        ("wb", -1, "utf-8"),
        ("",),
        ("wbt",),
        ("w", -1, "no-such"),
    ],
)
def test_what_python_refuses_is_refused_in_its_words(arguments: tuple[Any, ...], stage: Stage) -> None:
    """Wrong arguments of `open` raise the same error, and the file is as Python leaves it."""

    def refused(path: pathlib.Path) -> str:
        try:
            open(path, *arguments).close()  # type: ignore[call-overload]
        except (ValueError, LookupError) as error:
            return f"{error!r}"
        return "accepted"

    assert stage.returned(lambda: refused(stage.shared / "a")) == refused(stage.elsewhere / "a") != "accepted"
    assert (stage.shared / "a").exists() == (stage.elsewhere / "a").exists()


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda p: open(p / "none" / "a", "w"), "FileNotFoundError"),
        (lambda p: open(p / "there", "x"), "FileExistsError"),
        (lambda p: open(p, "w"), "IsADirectoryError"),
        (lambda p: os.mkdir(p), "FileExistsError"),
        (lambda p: os.remove(p / "none"), "FileNotFoundError"),
        (lambda p: os.open(p / "there", os.O_CREAT | os.O_EXCL), "FileExistsError"),
    ],
)
def test_errors_of_the_system_are_the_agents_own(act: Way, error: str, stage: Stage) -> None:
    """What fails without the harness fails with it in the same way."""
    (stage.shared / "there").write_text("x")
    assert stage.run_process(lambda: act(stage.shared)).outcome.error.partition(":")[0] == error


def test_a_link_that_leads_out_changes_what_is_outside(stage: Stage) -> None:
    """Writing through a link inside a watched folder is a point, for the agent means that path."""
    (stage.elsewhere / "real").write_text("old")
    (stage.shared / "link").symlink_to(stage.elsewhere / "real")
    points = short(stage.points(lambda: (stage.shared / "link").write_text("new")))
    assert points[0] == "open shared/link"
    (stage.elsewhere / "real").write_text("old")
    assert stage.run_process(lambda: (stage.shared / "link").write_text("new")).unwatched == [
        str(stage.elsewhere / "real")
    ]


def test_a_link_that_leads_in_is_seen(stage: Stage) -> None:
    """Writing a watched file by a path that leads there through a link outside is a point of the watched file."""
    (stage.elsewhere / "door").symlink_to(stage.shared)
    points = short(stage.points(lambda: (stage.elsewhere / "door" / "a").write_text("xy")))
    assert points == ["open shared/a", "write shared/a"]


def test_what_is_neither_watched_nor_private_is_listed_and_no_point(stage: Stage) -> None:
    """A durable write elsewhere is named, so that nobody forgets to watch it."""
    process = stage.run_process(lambda: (stage.elsewhere / "a").write_text("x"))
    assert process.points == ()
    assert process.unwatched == [str(stage.elsewhere / "a")]
    assert process.unintercepted == []


UNSEEN: dict[str, Way] = {
    "FileIO": lambda p: _with(lambda: io.FileIO(p / "a", "w"), b"xy"),
    "mmap": lambda p: _mapped(p),
    "posix": lambda p: __import__("posix").mkdir(p / "n"),
}


def _mapped(folder: pathlib.Path) -> None:
    import mmap

    with open(folder / "there", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[0:1] = b"X"
    (folder / "later").touch()


@pytest.mark.parametrize("way", UNSEEN)
def test_what_slips_by_is_counted(way: str, stage: Stage) -> None:
    """An effect that no wrapper saw is counted by the audit hook, or because the world differs."""
    (stage.shared / "there").write_text("xy")
    assert stage.run_process(lambda: UNSEEN[way](stage.shared)).unintercepted != []


def test_what_slips_by_at_the_end_is_counted(stage: Stage) -> None:
    """Also where no point follows that could show it."""
    (stage.shared / "there").write_text("xy")

    def run() -> None:
        import mmap

        with open(stage.shared / "there", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            memory[0:1] = b"X"

    assert stage.run_process(run).unintercepted != []


def test_a_pid_among_the_digits_of_a_generated_name_changes_nothing(stage: Stage) -> None:
    """The name is one generated part, whichever process made it; it was two where a pid stood in it by chance."""

    def run() -> None:
        (stage.shared / f"a{os.getpid()}b".ljust(32, "c")).touch()

    assert short(stage.points(run)) == ["open shared/*"]
