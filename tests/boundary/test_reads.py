# ruff: noqa: SIM115, PTH  (the many ways of asking are what is tested)
"""Reads: whatever of Python's many ways an agent takes to ask, its footprint says what it asked for, and no more."""

import ctypes
import filecmp
import fileinput
import glob
import io
import json
import linecache
import logging
import logging.handlers
import mmap
import multiprocessing
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import zipfile
from collections.abc import Callable
from os import lstat as early_lstat
from os import open as early_open
from os import replace as early_replace
from os import scandir as early_scandir
from os import stat as early_stat
from os import unlink as early_unlink
from os.path import exists as early_exists
from os.path import getsize as early_getsize
from pathlib import Path as EarlyPath
from typing import Any

import pytest
from rollproof.engine.process_runs import BIRTH, FIRST_STREAM, RawState, Role
from rollproof.values.reads import EVERYTHING, Footprint

from .stage import Stage, short

Way = Callable[[pathlib.Path], Any]

PRESENCE, SIZE, TIME, STATUS, CONTENT, LISTING = (
    {"presence"},
    {"size"},
    {"time"},
    {"size", "time"},
    {"content"},
    {"listing"},
)


class EarlyHolder:
    """Keeps a function as many a class does."""

    stat = os.stat
    exists = staticmethod(os.path.exists)


def _early_default(path: pathlib.Path, stat: Callable[..., Any] = os.stat) -> None:
    stat(path)


def _closing(file: Any) -> None:
    file.close()


def _descriptor(path: pathlib.Path, flags: int, act: Callable[[int], Any] = lambda fd: None) -> None:
    fd = os.open(path, flags)
    try:
        act(fd)
    finally:
        os.close(fd)


def _by_directory(folder: pathlib.Path, act: Callable[[int], Any]) -> None:
    _descriptor(folder, os.O_RDONLY, act)


def _mapped(path: pathlib.Path) -> None:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        assert memory[0:1]


def _connected(path: pathlib.Path, **how: Any) -> None:
    sqlite3.connect(path, **how).close()


# what an agent does with ``a`` (a file), ``d/e`` (a file in a folder), ``empty`` (a folder), ``l`` (a link to ``a``),
# ``dl`` (a link to ``d``), ``data.db`` and ``none`` (nothing), and what it has asked for then
ASKING: dict[str, tuple[Way, dict[str, set[str]]]] = {
    "open": (lambda p: _closing(open(p / "a")), {"a": CONTENT}),
    "open, not there": (lambda p: _fails(lambda: open(p / "none")), {"none": CONTENT}),
    "io.open": (lambda p: _closing(io.open(str(p / "a"), "rb")), {"a": CONTENT}),  # noqa: UP020
    "io.FileIO": (lambda p: _closing(io.FileIO(p / "a")), {"a": CONTENT}),
    "io.open_code": (lambda p: _closing(io.open_code(str(p / "a"))), {"a": CONTENT}),
    "r+": (lambda p: _closing(open(p / "a", "r+")), {"a": CONTENT}),
    "a+": (lambda p: _closing(open(p / "a", "a+")), {"a": CONTENT}),
    "w": (lambda p: _closing(open(p / "a", "w")), {"a": SIZE}),
    "w+": (lambda p: _closing(open(p / "a", "w+")), {"a": SIZE}),
    "x": (lambda p: _closing(open(p / "none", "x")), {"none": PRESENCE}),
    "an opener": (lambda p: _closing(open(p / "a", opener=lambda n, f: os.open(n, f))), {"a": CONTENT}),
    "Path.read_text": (lambda p: (p / "a").read_text(), {"a": CONTENT}),
    "early Path": (lambda p: EarlyPath(p / "a").read_bytes(), {"a": CONTENT}),
    "Path.write_text": (lambda p: (p / "a").write_text("x"), {"a": SIZE}),
    "a relative path": (lambda p: (os.chdir(p / "d"), open("e").close()), {"d": PRESENCE, "d/e": CONTENT}),
    "dots": (lambda p: _closing(open(p / "d" / ".." / "a")), {"a": CONTENT}),
    "bytes": (lambda p: _closing(open(os.fsencode(p / "a"))), {"a": CONTENT}),
    "os.open": (lambda p: _descriptor(p / "a", os.O_RDONLY, lambda fd: os.read(fd, 1)), {"a": CONTENT}),
    "os.open to read and write": (lambda p: _descriptor(p / "a", os.O_RDWR), {"a": CONTENT}),
    "os.open to write": (lambda p: _descriptor(p / "a", os.O_WRONLY), {"a": SIZE}),
    "O_TRUNC": (lambda p: _descriptor(p / "a", os.O_WRONLY | os.O_TRUNC), {"a": SIZE}),
    "O_EXCL": (lambda p: _descriptor(p / "none", os.O_RDWR | os.O_CREAT | os.O_EXCL), {"none": PRESENCE}),
    "os.open of a folder": (lambda p: _descriptor(p / "d", os.O_RDONLY), {"d": PRESENCE}),
    "os.fdopen": (lambda p: _closing(os.fdopen(os.open(p / "a", os.O_RDONLY))), {"a": CONTENT}),
    "mmap": (lambda p: _mapped(p / "a"), {"a": CONTENT}),
    "fstat": (lambda p: _descriptor(p / "a", os.O_RDONLY, os.fstat), {"a": CONTENT | TIME}),
    "stat of a descriptor": (lambda p: _descriptor(p / "a", os.O_RDONLY, os.stat), {"a": CONTENT | TIME}),
    "dir_fd": (
        lambda p: _by_directory(p / "d", lambda fd: os.close(os.open("e", os.O_RDONLY, dir_fd=fd))),
        {"d": PRESENCE, "d/e": CONTENT},
    ),
    "stat by dir_fd": (
        lambda p: _by_directory(p / "d", lambda fd: os.stat("e", dir_fd=fd)),
        {"d": PRESENCE, "d/e": STATUS},
    ),
    "json.load": (lambda p: _fails(lambda: json.load(open(p / "a"))), {"a": CONTENT}),
    "linecache": (lambda p: linecache.getlines(str(p / "a")), {"a": CONTENT | TIME}),
    "fileinput": (lambda p: list(fileinput.input([str(p / "a")])), {"a": CONTENT}),
    "filecmp": (lambda p: filecmp.cmp(p / "a", p / "d" / "e", shallow=False), {"a": STATUS, "d/e": STATUS}),
    "zipfile.is_zipfile": (lambda p: zipfile.is_zipfile(p / "a"), {"a": CONTENT}),
    "os.stat": (lambda p: os.stat(p / "a"), {"a": STATUS}),
    "os.lstat": (lambda p: os.lstat(p / "a"), {"a": STATUS}),
    "Path.stat": (lambda p: (p / "a").stat(), {"a": STATUS}),
    "Path.lstat": (lambda p: (p / "a").lstat(), {"a": STATUS}),
    "stat of what is not there": (lambda p: _fails(lambda: os.stat(p / "none")), {"none": STATUS}),
    "early stat": (lambda p: early_stat(p / "a"), {"a": STATUS}),
    "early open": (lambda p: os.close(early_open(p / "a", os.O_RDWR)), {"a": CONTENT}),
    "early replace": (lambda p: early_replace(p / "a", p / "none"), {"a": CONTENT, "none": PRESENCE}),
    "early unlink": (lambda p: early_unlink(p / "a"), {"a": PRESENCE}),
    "early lstat": (lambda p: early_lstat(p / "a"), {"a": STATUS}),
    "early stat in a class": (lambda p: EarlyHolder.stat(p / "a"), {"a": STATUS}),
    "early stat in a default": (lambda p: _early_default(p / "a"), {"a": STATUS}),
    "getsize": (lambda p: os.path.getsize(p / "a"), {"a": SIZE}),
    "early getsize": (lambda p: early_getsize(p / "a"), {"a": SIZE}),
    "getmtime": (lambda p: os.path.getmtime(p / "a"), {"a": TIME}),
    "os.access": (lambda p: os.access(p / "a", os.R_OK), {"a": PRESENCE}),
    "os.path.exists": (lambda p: os.path.exists(p / "a"), {"a": PRESENCE}),
    "exists, not there": (lambda p: os.path.exists(p / "none"), {"none": PRESENCE}),
    "early exists": (lambda p: early_exists(p / "a"), {"a": PRESENCE}),
    "early exists in a class": (lambda p: EarlyHolder.exists(p / "a"), {"a": PRESENCE}),
    "isfile": (lambda p: os.path.isfile(p / "a"), {"a": PRESENCE}),
    "isdir": (lambda p: os.path.isdir(p / "a"), {"a": PRESENCE}),
    "islink": (lambda p: os.path.islink(p / "l"), {"l": PRESENCE}),
    "lexists": (lambda p: os.path.lexists(p / "l"), {"l": PRESENCE}),
    "samefile": (lambda p: os.path.samefile(p / "a", p / "d"), {"a": PRESENCE, "d": PRESENCE}),
    "Path.exists": (lambda p: (p / "a").exists(), {"a": PRESENCE}),
    "Path.is_file": (lambda p: (p / "a").is_file(), {"a": PRESENCE}),
    "Path.is_dir": (lambda p: (p / "d").is_dir(), {"d": PRESENCE}),
    "Path.is_symlink": (lambda p: (p / "l").is_symlink(), {"l": PRESENCE}),
    "an agent's own exists": (lambda p: _own_exists(p / "a"), {"a": STATUS}),
    "readlink": (lambda p: os.readlink(p / "l"), {"l": CONTENT}),
    "Path.readlink": (lambda p: (p / "l").readlink(), {"l": CONTENT}),
    "a link": (lambda p: _closing(open(p / "l")), {"l": CONTENT, "a": CONTENT}),
    "a link on the way": (lambda p: (p / "dl" / "e").read_text(), {"dl": CONTENT, "d/e": CONTENT}),
    "exists by a link": (lambda p: os.path.exists(p / "l"), {"l": CONTENT, "a": PRESENCE}),
    "a link that was moved": (
        lambda p: (os.path.exists(p / "l"), os.replace(p / "l", p / "m"), os.path.exists(p / "l")),
        {"l": CONTENT, "a": PRESENCE, "m": PRESENCE},
    ),
    "a link that leads elsewhere now": (
        lambda p: (os.path.exists(p / "l"), os.unlink(p / "l"), os.symlink("d/e", p / "l"), os.stat(p / "l")),
        {"l": CONTENT, "a": PRESENCE, "d/e": STATUS},
    ),
    "from outside": (lambda p: (p.parent / "elsewhere" / "door" / "a").read_text(), {"a": CONTENT}),
    "from outside by links": (
        lambda p: (p.parent / "elsewhere" / "key").read_text(),
        {"l": CONTENT, "a": CONTENT},
    ),
    "listdir": (lambda p: os.listdir(p / "d"), {"d": LISTING}),
    "listdir of the working folder": (lambda p: (os.chdir(p / "d"), os.listdir()), {"d": LISTING}),
    "listdir of a descriptor": (lambda p: _by_directory(p / "d", os.listdir), {"d": LISTING}),
    "os.walk": (lambda p: list(os.walk(p / "d")), {"d": LISTING}),
    "glob": (lambda p: glob.glob(f"{p}/d/*"), {"d": LISTING}),
    "remove": (lambda p: os.remove(p / "a"), {"a": PRESENCE}),
    "unlink": (lambda p: (p / "a").unlink(), {"a": PRESENCE}),
    "unlink of a link": (lambda p: (p / "l").unlink(), {"l": PRESENCE}),
    "rmdir": (lambda p: (p / "empty").rmdir(), {"empty": LISTING}),
    "mkdir": (lambda p: (p / "none").mkdir(), {"none": PRESENCE}),
    "makedirs": (lambda p: os.makedirs(p / "none", exist_ok=True), {"none": PRESENCE, "": PRESENCE}),
    "symlink": (lambda p: (p / "none").symlink_to("a"), {"none": PRESENCE}),
    "chmod": (lambda p: (p / "a").chmod(0o600), {"a": PRESENCE}),
    "utime": (lambda p: os.utime(p / "a"), {"a": PRESENCE}),
    "truncate to nothing": (lambda p: os.truncate(p / "a", 0), {"a": PRESENCE}),
    "truncate": (lambda p: os.truncate(p / "a", 1), {"a": CONTENT}),
    "rename": (lambda p: os.rename(p / "a", p / "none"), {"a": CONTENT, "none": PRESENCE}),
    "replace": (lambda p: (p / "a").replace(p / "d" / "e"), {"a": CONTENT, "d/e": PRESENCE}),
    "replace by dir_fd": (
        lambda p: _by_directory(p / "d", lambda fd: os.replace("e", "f", src_dir_fd=fd, dst_dir_fd=fd)),
        {"d": PRESENCE, "d/e": CONTENT, "d/f": PRESENCE},
    ),
    "hard link": (lambda p: os.link(p / "a", p / "none"), {"a": CONTENT, "none": PRESENCE}),
    "copyfile": (lambda p: shutil.copyfile(p / "a", p / "none"), {"a": CONTENT, "none": SIZE}),
    "a copy out": (lambda p: shutil.copyfile(p / "a", p.parent / "elsewhere" / "b"), {"a": CONTENT}),
    "rmtree": (
        lambda p: shutil.rmtree(p / "d"),
        {"d": LISTING, "d/e": PRESENCE},
    ),
    "sqlite": (lambda p: _connected(p / "data.db"), {"data.db": CONTENT}),
    "sqlite by uri": (lambda p: _connected(f"file:{p}/data.db?mode=ro", uri=True), {"data.db": CONTENT}),  # type: ignore[arg-type]
    "what lies beside a database": (
        lambda p: os.path.exists(p / "data.db-wal"),
        {"data.db-wal": PRESENCE, "data.db": CONTENT},
    ),
    "append": (lambda p: _closing(open(p / "a", "a")), {}),
    "append to something new": (lambda p: _append(p / "none"), {}),
    "append bytes": (lambda p: _closing(open(p / "a", "ab", buffering=0)), {}),
    "append in lines": (lambda p: _append(p / "a"), {}),
    "append by a descriptor": (
        lambda p: _descriptor(p / "a", os.O_WRONLY | os.O_APPEND, lambda fd: os.write(fd, b"x")),
        {},
    ),
    "append by a link": (lambda p: _append(p / "l"), {"l": CONTENT}),
    "append, tell": (lambda p: _append(p / "a", lambda file: file.tell()), {"a": SIZE}),
    "append bytes, tell": (lambda p: _told(p / "a"), {"a": SIZE}),
    "append, seek": (lambda p: _append(p / "a", lambda file: file.seek(0, 2)), {"a": SIZE}),
    "append, fstat": (lambda p: _append(p / "a", lambda file: os.fstat(file.fileno())), {"a": STATUS}),
    "append, truncate": (lambda p: _append(p / "a", lambda file: file.truncate(1)), {"a": CONTENT}),
    "append by a descriptor, lseek": (
        lambda p: _descriptor(p / "a", os.O_WRONLY | os.O_APPEND, lambda fd: os.lseek(fd, 0, os.SEEK_END)),
        {"a": SIZE},
    ),
    "logging": (lambda p: _logged(logging.FileHandler(p / "a")), {}),
    "logging to something new": (lambda p: _logged(logging.FileHandler(p / "none")), {}),
    "nothing": (lambda p: None, {}),
    "elsewhere": (lambda p: (p.parent / "elsewhere" / "real").read_text(), {}),
    "an import": (lambda p: __import__("this"), {}),
}


def _fails(act: Callable[[], Any]) -> None:
    with pytest.raises((OSError, ValueError)):
        act()


def _own_exists(path: pathlib.Path) -> bool:
    try:
        return os.stat(path).st_mode > 0
    except OSError:
        return False


def _append(path: pathlib.Path, ask: Callable[[Any], Any] = lambda file: None) -> None:
    with open(path, "a", encoding="utf-8", buffering=1) as file:
        ask(file)
        file.write("one\n")
        file.flush()
        print("two", file=file)


def _told(path: pathlib.Path) -> None:
    with open(path, "ab") as file:
        file.tell()


def _logged(handler: logging.Handler) -> None:
    logger = logging.Logger("agent")
    logger.addHandler(handler)
    logger.warning("one")
    logger.warning("two")
    handler.close()


@pytest.fixture
def asked(stage: Stage) -> Stage:
    """The outside that `ASKING` is written for."""
    (stage.shared / "a").write_text("a file\n")
    (stage.shared / "d").mkdir()
    (stage.shared / "d" / "e").write_text("another\n")
    (stage.shared / "empty").mkdir()
    (stage.shared / "l").symlink_to("a")
    (stage.shared / "dl").symlink_to(stage.shared / "d")
    sqlite3.connect(stage.shared / "data.db").execute("create table t (x)").connection.close()
    (stage.elsewhere / "real").write_text("x")
    (stage.elsewhere / "door").symlink_to(stage.shared)
    (stage.elsewhere / "key").symlink_to(stage.shared / "l")
    return stage


def footprint(stage: Stage, run: Callable[[], Any]) -> Footprint:
    """Return what `run` asked for, where it returned."""
    process = stage.run_process(run, trace=False)
    assert process.outcome.kind == "returned", process.outcome
    return process.footprint


def shown(footprint: Footprint) -> dict[str, set[str]]:
    """Return the aspects by the path below the source, without those that another one tells besides."""
    found: dict[str, set[str]] = {}
    for path, aspect in footprint.asked:
        found.setdefault(path.partition("/")[2], set()).add(aspect)
    for aspects in found.values():
        if aspects > CONTENT:
            aspects -= SIZE
        if len(aspects) > 1:
            aspects -= PRESENCE
    return found


@pytest.mark.parametrize("way", ASKING)
def test_what_was_asked_is_known_exactly(way: str, asked: Stage) -> None:
    """Each way of asking, with the aspects that it tells; each is among the reads that have names."""
    act, expected = ASKING[way]
    plain = footprint(asked, lambda: act(asked.shared))
    assert shown(plain) == expected
    assert (plain.everything, plain.scanned, plain.trees) == (False, frozenset(), frozenset())
    assert {(read.path, read.aspect) for read in plain.named} == plain.asked


@pytest.mark.parametrize("way", ["open", "append", "os.path.exists", "Path.is_dir", "os.walk", "getmtime", "a link"])
def test_a_thread_asks_as_the_first_one_does(way: str, asked: Stage) -> None:
    """What each thread asks for is the process's."""
    act, expected = ASKING[way]

    def run() -> None:
        thread = threading.Thread(target=act, args=(asked.shared,))
        thread.start()
        thread.join()

    assert shown(footprint(asked, run)) == expected


LISTING_WAYS: dict[str, Way] = {
    "Path.iterdir": lambda p: list((p / "d").iterdir()),
    "Path.glob": lambda p: list((p / "d").glob("*")),
    "Path.rglob": lambda p: list((p / "d").rglob("*.txt")),
    "os.scandir": lambda p: list(os.scandir(p / "d")),
    "early scandir": lambda p: list(early_scandir(p / "d")),
    "os.fwalk": lambda p: list(os.fwalk(p / "d")),
    "copytree": lambda p: shutil.copytree(p / "d", p.parent / "elsewhere" / "copy"),
}


@pytest.mark.parametrize("way", LISTING_WAYS)
def test_a_listing_shows_what_is_in_the_folder_and_of_what_kind(way: str, asked: Stage) -> None:
    """The presence of each entry and of others that could be there, and of nothing further away."""
    asks = footprint(asked, lambda: LISTING_WAYS[way](asked.shared))
    assert asks.reads("shared/d", "listing")
    assert asks.reads("shared/d/e", "presence")
    assert asks.reads("shared/d/none", "presence")
    assert not asks.reads("shared/a", "presence")
    assert asks.reads("shared/d/e", "content") == (way == "copytree")


def test_entries_of_a_scan_may_have_told_their_size_and_time(asked: Stage) -> None:
    """Nobody sees who asks an entry; a tree that is walked or removed asks none."""
    asks = footprint(asked, lambda: [entry.stat().st_size for entry in os.scandir(asked.shared / "d")])
    assert asks.scanned == {"shared/d"}
    assert asks.reads("shared/d/e", "size")
    assert asks.reads("shared/d/e", "time")
    assert not asks.reads("shared/d/e", "content")
    assert not footprint(asked, lambda: shutil.rmtree(asked.shared / "d")).reads("shared/d/e", "time")


def test_an_entry_that_is_a_link_tells_where_it_leads(asked: Stage) -> None:
    """``entry.is_dir()`` follows it, and ``os.walk`` asks."""
    (asked.shared / "d" / "k").symlink_to("../a")
    asks = footprint(asked, lambda: list(os.walk(asked.shared / "d")))
    assert asks.reads("shared/d/k", "content")
    assert asks.reads("shared/a", "presence")
    assert not asks.reads("shared/a", "content")


def test_only_a_statement_that_attaches_opens_another_database(asked: Stage) -> None:
    """A table may be called so."""
    database = asked.shared / "data.db"

    def run(sql: str) -> None:
        connection = sqlite3.connect(database)
        connection.execute(sql)
        connection.close()

    assert not footprint(asked, lambda: run("create table attach_ments (attach)")).everything
    assert footprint(asked, lambda: run("-- why\n Attach ':memory:' as m")).everything


def test_a_folder_that_moves_takes_all_that_is_in_it_along(asked: Stage) -> None:
    """Whoever reads it under its new name reads what was there under the old one."""
    asks = footprint(asked, lambda: os.rename(asked.shared / "d", asked.own / "moved"))
    assert asks.trees == {"shared/d"}
    assert asks.reads("own/moved", "listing"), "were it there and not empty, this would be an error"
    assert asks.reads("shared/d/e", "content")
    assert asks.reads("shared/d/x/y", "presence")
    assert not asks.reads("shared/a", "content")


def test_a_log_that_rotates_asks_for_its_size(asked: Stage) -> None:
    """``RotatingFileHandler`` looks at where the file ends, and at nothing that stands in it."""
    handler = logging.handlers.RotatingFileHandler
    asks = footprint(asked, lambda: _logged(handler(asked.shared / "a", maxBytes=1000, backupCount=1)))
    assert asks.reads("shared/a", "size")
    assert not asks.reads("shared/a", "content")


def test_random_parts_of_names_stay_in_paths_and_not_in_the_names_of_reads(stage: Stage) -> None:
    """Paths are compared with those of a world, points are typed by people; each point counts for itself."""
    names = [f"run-0123456789ab{n}" for n in "cde"]
    for name in names:
        (stage.shared / name).write_text("x")
    asks = footprint(stage, lambda: [(stage.shared / name).read_text() for name in (*names, names[0])])
    assert {read.path for read in asks.named} == {f"shared/{name}" for name in names}
    reads = [str(read.point) for read in asks.named if read.aspect == "content"]
    assert reads == [f"file.read:shared/run-*#{n}" for n in (1, 2, 3)]


def test_reads_are_named_in_their_order_and_counted_where_they_bring_nothing_new(asked: Stage) -> None:
    """The second time is no entry of its own; what is asked for first later has the later number."""

    def run() -> None:
        for _ in range(3):
            os.path.exists(asked.shared / "a")
        os.stat(asked.shared / "a")
        os.listdir(asked.shared)
        (asked.shared / "a").read_text()

    named = [(str(read.point), read.aspect) for read in footprint(asked, run).named]
    assert named == [
        ("file.stat:shared/a#1", "presence"),
        ("file.stat:shared/a#4", "size"),
        ("file.stat:shared/a#4", "time"),
        ("file.list:shared#1", "listing"),
        ("file.read:shared/a#1", "content"),
    ]


def test_reads_are_no_points_and_change_none(asked: Stage) -> None:
    """The same points with and without reads in between, numbers too."""

    def write(ask: Callable[[], Any]) -> None:
        for _ in range(2):
            ask()
            (asked.own / "log").open("a").close()
            (asked.shared / "a").write_text("new")
            ask()

    def ask() -> None:
        (asked.shared / "a").read_text()
        (asked.shared / "d").exists()
        os.listdir(asked.shared)

    (asked.own / "log").touch()
    points = asked.points(lambda: write(ask))
    assert short(points).count("write shared/a") == 2
    assert points == asked.points(lambda: write(lambda: None))


def _forked() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def _spawned() -> None:
    process = multiprocessing.get_context("spawn").Process(target=os.getpid)
    process.start()
    process.join()


EVERYTHING_WAYS: dict[str, Way] = {
    "subprocess": lambda p: subprocess.run(["true"], check=True),
    "os.system": lambda p: os.system("true"),
    "posix_spawn": lambda p: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "fork": lambda p: _forked(),
    "multiprocessing": lambda p: _spawned(),
    "native code": lambda p: ctypes.CDLL(None),
    "another database": lambda p: _attached(p),
    "too many": lambda p: [os.path.exists(p / str(n)) for n in range(50_001)],
}


def _attached(path: pathlib.Path) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("ATTACH DATABASE ? AS other", (str(path / "data.db"),))
    connection.close()


@pytest.mark.parametrize("way", EVERYTHING_WAYS)
def test_what_cannot_be_seen_counts_as_everything(way: str, asked: Stage) -> None:
    """Programs, forked processes, native code."""
    asks = footprint(asked, lambda: EVERYTHING_WAYS[way](asked.shared))
    assert asks == EVERYTHING
    assert asks.reads("shared/none", "time")


def test_a_killed_process_cannot_tell(asked: Stage) -> None:
    """It counts as one that read everything; one that ends itself has told."""
    token = "process.kill@file.write:shared/a#1:before"
    assert asked.run_process(lambda: (asked.shared / "a").write_text("x"), token).footprint == EVERYTHING
    told = asked.run_process(lambda: (os.path.exists(asked.shared / "a"), os._exit(1))).footprint
    assert shown(told) == {"a": PRESENCE}


def test_a_process_that_is_used_again_starts_anew(asked: Stage) -> None:
    """What the run before asked for is not counted again, and a link leads where it leads now."""
    executor = asked.executor(lambda: (asked.shared / "l").read_text(), lambda: None)
    put_back = executor.prepare()
    try:
        start = executor.capture(BIRTH)
        (asked.shared / "l").unlink()
        (asked.shared / "l").symlink_to("d/e")
        changed = executor.capture(BIRTH)
        roles: tuple[tuple[Role, RawState], ...] = (("run", start), ("recover", start), ("run", changed))
        with executor.reusing.switched(True):
            processes = [executor.run_process(role, world, FIRST_STREAM) for role, world in roles]
    finally:
        put_back()
    assert executor.reusing.reused > 0
    assert [shown(process.footprint) for process in processes] == [
        {"l": CONTENT, "a": CONTENT},
        {},
        {"l": CONTENT, "d/e": CONTENT},
    ]


def test_what_the_standard_library_promises_is_kept(asked: Stage) -> None:
    """Replaced functions still count as those that know descriptors; times of links are copied."""
    here = {name: os.stat in getattr(os, name) for name in ("supports_dir_fd", "supports_follow_symlinks")}

    def run() -> object:
        shutil.copystat(asked.shared / "l", asked.shared / "dl", follow_symlinks=False)
        return {name: os.stat in getattr(os, name) for name in here}

    assert asked.returned(run) == here


def test_temporary_files_ask_for_names_only(stage: Stage) -> None:
    """Whether they are free, and whether a folder is empty again."""

    def run() -> None:
        fd, name = tempfile.mkstemp(dir=stage.own)
        os.write(fd, b"x")
        os.close(fd)
        os.unlink(name)
        os.rmdir(tempfile.mkdtemp(dir=stage.own))

    assert set().union(*shown(footprint(stage, run)).values()) == PRESENCE | LISTING
