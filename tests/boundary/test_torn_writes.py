"""A write tears: a crash or a full disk in its middle leaves its first part."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .stage import Stage

TEXT = "0123456789"
HALF = TEXT[: len(TEXT) // 2]


def _buffered(path: Path) -> None:
    with open(path, "w") as file:
        file.write(TEXT)


def _unbuffered(path: Path) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(TEXT.encode())


def _descriptor(path: Path, write: Callable[[int], Any]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        write(fd)
    finally:
        os.close(fd)


WRITES: dict[str, Callable[[Path], None]] = {
    "text": _buffered,
    "raw": _unbuffered,
    "write_text": lambda p: p.write_text(TEXT) and None,
    "os.write": lambda p: _descriptor(p, lambda fd: os.write(fd, TEXT.encode())),
    "os.pwrite": lambda p: _descriptor(p, lambda fd: os.pwrite(fd, TEXT.encode(), 0)),
    "os.writev": lambda p: _descriptor(p, lambda fd: os.writev(fd, [b"01234", b"56789"])),
}
POINT = "file.write:shared/a#1"


@pytest.mark.parametrize("way", WRITES)
def test_a_crash_in_the_middle_leaves_the_first_half(way: str, stage: Stage) -> None:
    """A true SIGKILL between the two halves."""
    process = stage.run_process(lambda: WRITES[way](stage.shared / "a"), f"process.kill@{POINT}:middle", trace=False)
    assert process.outcome.kind == "killed"
    assert (stage.shared / "a").read_text() == HALF


@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize(("when", "expected"), [("before", ""), ("after", TEXT)])
def test_a_crash_beside_a_write_leaves_nothing_or_all(way: str, when: str, expected: str, stage: Stage) -> None:
    """Before and after."""
    stage.run_process(lambda: WRITES[way](stage.shared / "a"), f"process.kill@{POINT}:{when}", trace=False)
    assert (stage.shared / "a").read_text() == expected


@pytest.mark.parametrize("way", ["text", "write_text"])
def test_a_disk_that_fills_in_the_middle_fails_those_who_write_the_rest(way: str, stage: Stage) -> None:
    """Python writes the rest after a short count, and then hears of the full disk."""
    process = stage.run_process(lambda: WRITES[way](stage.shared / "a"), f"storage.full@{POINT}:middle")
    assert process.outcome.error == "OSError: [Errno 28] No space left on device"
    assert (stage.shared / "a").read_text() == HALF


def test_a_short_count_is_what_an_unbuffered_write_returns(stage: Stage) -> None:
    """As a kernel does: first the count, then the error for who comes back with the rest, then it is over."""
    data = TEXT.encode()

    def run() -> list[Any]:
        seen: list[Any] = []
        fd = os.open(stage.shared / "a", os.O_WRONLY | os.O_CREAT)
        rest = data
        while rest:
            try:
                count = os.write(fd, rest)
            except OSError as error:
                seen.append(error.errno)
                continue
            seen.append(count)
            rest = rest[count:]
        os.close(fd)
        return seen

    assert stage.returned(run, f"storage.full@{POINT}:middle") == [5, errno.ENOSPC, 5]
    assert (stage.shared / "a").read_bytes() == data


@pytest.mark.parametrize(("when", "expected"), [("before", ""), ("middle", HALF)])
def test_closing_does_not_mend_what_flushing_could_not_do(when: str, expected: str, stage: Stage) -> None:
    """The file is left as a full disk leaves it, and the next try, with the file opened again, works."""

    def run() -> list[str]:
        with pytest.raises(OSError, match="No space left"):
            _buffered(stage.shared / "a")
        left = (stage.shared / "a").read_text()
        _buffered(stage.shared / "a")
        return [left, (stage.shared / "a").read_text()]

    assert stage.returned(run, f"storage.full@{POINT}:{when}") == [expected, TEXT]


def test_who_ignores_a_short_count_is_not_told_later(stage: Stage) -> None:
    """The error belongs to the rest of that write, not to whatever is written next."""

    def run() -> None:
        for content in (TEXT, "other"):
            _descriptor(stage.shared / "a", lambda fd, content=content: os.write(fd, content.encode()))  # type: ignore[misc]

    assert stage.run_process(run, f"storage.full@{POINT}:middle").outcome.kind == "returned"


def test_what_is_written_at_close_fails_at_close(stage: Stage) -> None:
    """Buffered text reaches the system when the file is closed; the error comes from there, and the file is closed."""

    def run() -> tuple[str, bool]:
        file = open(stage.shared / "a", "w")  # noqa: SIM115
        file.write(TEXT)
        with pytest.raises(OSError, match="No space left"):
            file.close()
        return "returned", file.closed

    assert stage.returned(run, f"storage.full@{POINT}:before") == ("returned", True)


@pytest.mark.parametrize(("lasting", "failures"), [("", 1), ("~lasting", 3)])
@pytest.mark.parametrize("when", ["before", "middle"])
def test_a_full_disk_passes_or_lasts(when: str, lasting: str, failures: int, stage: Stage) -> None:
    """Once: the next try works. Lasting: every one fails until the process ends."""

    def run() -> int:
        failed = 0
        for number in range(3):
            try:
                (stage.shared / f"f{number}").write_text(TEXT)
            except OSError:
                failed += 1
        return failed

    assert stage.returned(run, f"storage.full{lasting}@file.write:shared/f0#1:{when}") == failures


@pytest.mark.parametrize(
    ("point", "act"),
    [
        ("file.open:shared/n#1", lambda p: (p / "n").touch()),
        ("file.replace:shared/b#1", lambda p: (p / "a").replace(p / "b")),
        ("file.remove:shared/a#1", lambda p: (p / "a").unlink()),
        ("file.mkdir:shared/n#1", lambda p: (p / "n").mkdir()),
        ("file.truncate:shared/a#1", lambda p: os.truncate(p / "a", 0)),
        ("file.chmod:shared/a#1", lambda p: (p / "a").chmod(0o600)),
        ("file.symlink:shared/n#1", lambda p: (p / "n").symlink_to("a")),
        ("file.open:shared/a#1", lambda p: (p / "a").write_text("new")),
    ],
)
def test_an_operation_that_fails_did_nothing(point: str, act: Callable[[Path], Any], stage: Stage) -> None:
    """EIO before an effect: the outside is as it was."""
    (stage.shared / "a").write_text("x")
    before = stage.run_process(lambda: None).end.disk
    process = stage.run_process(lambda: act(stage.shared), f"storage.io_error@{point}:before")
    assert process.outcome.error == "OSError: [Errno 5] Input/output error"
    assert process.end.disk == before
