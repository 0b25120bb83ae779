"""Readers of options, one function a form of value: each takes what was written and its place, and returns the value.

What was written is text from the command line or the ini file, anything from a mark, None where nothing was; ChaosError
is raised for what cannot be meant.
"""

import os
import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..values.errors import ChaosError, shown

if TYPE_CHECKING:
    from ..values.schedule import Schedule
    from ..values.selection import PointSelection

Reader = Callable[[Any, str], Any]
TERMINAL = "-"  # instead of the name of a file
_DIGITS = 100
_WHOLE = re.compile(rf"\s*[+-]?[0-9]{{1,{_DIGITS}}}\s*")
_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


def _text(written: object) -> str:
    """Return a value as it was typed or stands in a mark; "" for a number too long to be written."""
    try:
        return str(written)
    except ValueError:
        return ""


def seed(written: object, place: str) -> int:
    """Return a whole number, 0 where none was written."""
    if written is not None and not _WHOLE.fullmatch(_text(written)):
        hint = f"e.g. --chaos-seed=7, of up to {_DIGITS} digits"
        raise ChaosError("bad-seed", f"{shown(written)} is no whole number ({place})", hint)
    return int(_text(written)) if written is not None else 0


def durations(written: object, place: str) -> int | None:
    """Return how many explorations are told of, 0 for all; None where none are."""
    if written is not None and not re.fullmatch(r"[0-9]{1,9}", _text(written)):
        hint = "a number from 0, which stands for all: --chaos-durations=10"
        raise ChaosError("bad-durations", f"{shown(written)} is no number of explorations ({place})", hint)
    return None if written is None else int(_text(written))


def depth(written: object, place: str) -> int:
    """Return 1, also where none was written, or 2; from 3 to 9 for sets that are drawn."""
    if written is not None and not re.fullmatch("[1-9]", _text(written)):
        hint = "1 or 2, e.g. --chaos-depth=2; 3 to 9 with --chaos-minutes"
        raise ChaosError("bad-depth", f"{shown(written)} is no depth ({place})", hint)
    return int(_text(written or 1))


def minutes(written: object, place: str) -> float | None:
    """Return minutes, more than 0, or None."""
    return _positive(written, place, "minutes", "bad-minutes", "--chaos-depth=3 --chaos-minutes=5")


def check_drawing(depth: int, minutes: float | None, place: Callable[[str], str]) -> None:
    """Raise ChaosError where one of both is missing for drawing sets of faults; `place` tells where each is written."""
    if depth > 2 and minutes is None:
        hint = f"say for how long they are drawn: --chaos-depth={depth} --chaos-minutes=5"
        text = f"{shown(str(depth))} faults: there are too many sets of so many to try all ({place('depth')})"
        raise ChaosError("bad-depth", text, hint)
    if depth < 3 and minutes is not None:
        hint = f"--chaos-depth=3 --chaos-minutes={minutes:g}"
        raise ChaosError("bad-minutes", f"{place('minutes')} draws sets of 3 faults and more", hint)


def budget(written: object, place: str) -> float | None:
    """Return seconds, more than 0, or None."""
    return _positive(written, place, "seconds", "bad-budget", "--chaos-budget=60")


def _positive(written: object, place: str, unit: str, code: str, example: str) -> float | None:
    """Return a number above 0, None where none was written; raises ChaosError with this code for anything else."""
    try:
        number = None if written is None else float(_text(written))
    except ValueError:
        number = 0.0
    if number is not None and not 0 < number < float("inf"):
        hint = f"a number above 0, e.g. {example}"
        raise ChaosError(code, f"not a number of {unit}: {shown(written)} ({place})", hint)
    return number


def shard(written: str | None, place: str) -> tuple[int, int]:
    """Return (K, N) of ``K/N`` with 1 <= K <= N; (1, 1) where nothing was written."""
    match = _SHARD.fullmatch(written or "1/1")
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if 1 <= part <= parts:
        return part, parts
    raise ChaosError(
        "bad-shard", f"{shown(written)} is no shard ({place})", "K/N with K from 1 to N, e.g. --chaos-shard=1/4"
    )


def globs(written: object, place: str) -> str:
    """Return globs as one text with commas; written is such a text or a list of globs, in a mark."""
    parts = ["*"] if written is None else [written] if isinstance(written, str) else written
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise ChaosError("bad-faults", f"{written!r} names no faults ({place})", 'e.g. faults="llm.*,process.kill"')
    return ",".join(parts)


def points(written: object, place: str) -> "PointSelection":
    """Return which points faults are placed at: written as `globs` are; all of them where nothing was written."""
    from ..values.selection import PointSelection

    if written is None:
        return PointSelection()
    parts = [written] if isinstance(written, str) else written
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise ChaosError("bad-points", f"{shown(written)} names no points ({place})", 'e.g. points="http.post:*"')
    found = tuple(filter(None, (glob.strip() for part in parts for glob in part.split(","))))
    if not found:
        raise ChaosError("bad-points", f"{shown(written)} names no points ({place})", "e.g. 'http.post:*'")
    return PointSelection(found, place)


def schedule(written: str | None, _: str) -> "Schedule | None":
    """Return the schedule that a token stands for."""
    if written is None:
        return None
    from ..values.schedule import Schedule

    return Schedule.parse(written)


def toxiproxy(written: str | None, _: str) -> str | None:
    """Return the URL of a Toxiproxy server."""
    if written is not None:
        from ..network.api import parse

        parse(written)
    return written


def file(written: str | None, place: str, example: str = "--chaos-json=chaos.json") -> str | None:
    """Return the name of a file that can be written."""
    if written is None:
        return None
    path = Path(written).absolute()
    try:
        folder = next((above for above in path.parents if above.exists()), path)  # the root has none
        longest = os.pathconf(folder, "PC_NAME_MAX")
        fits = "\0" not in written and all(len(os.fsencode(part)) <= longest for part in path.parts)
        fits = fits and not path.is_dir() and folder.is_dir()
        fits = fits and os.access(path if path.exists() else folder, os.W_OK)
    except (OSError, ValueError):  # e.g. all of the path is too long
        fits = False
    if not fits:
        raise ChaosError("bad-file", f"{shown(written)} cannot be written ({place})", f"name a file: {example}")
    return written


def page(written: str | None, place: str) -> str | None:
    """Return the name of a file that can be written, for a page."""
    return file(written, place, "--chaos-html=chaos.html")


def folder(written: str | None, place: str) -> Path | None:
    """Return a folder that can be written, whether it is there or not."""
    if written is None:
        return None
    path = Path(written).absolute()
    with suppress(OSError, ValueError):
        above = next(each for each in (path, *path.parents) if each.exists())
        if "\0" not in written and above.is_dir() and os.access(above, os.W_OK):
            return path
    raise ChaosError("bad-keep", f"{shown(written)} is no folder to write to ({place})", "e.g. --chaos-keep=states")


def result(written: str | None, place: str) -> Path | None:
    """Return the file of an earlier result, one that can be read."""
    if written is None:
        return None
    path = Path(written).absolute()
    if "\0" in written or not os.path.isfile(path) or not os.access(path, os.R_OK):
        hint = "name the result of an earlier run: pytest --chaos --chaos-json=FILE writes one"
        raise ChaosError("bad-baseline", f"there is no file {shown(written)} that can be read ({place})", hint)
    return path


def trace(written: str | None, place: str) -> str | None:
    """Return the name of a file that can be written, or ``-`` for the terminal.

    A test is refused, which would be written over: it was meant as the next argument.
    """
    if written and (written.endswith(".py") or "::" in written):
        hint = "write --chaos-trace=FILE, or the option behind the tests: pytest --chaos tests --chaos-trace"
        raise ChaosError("bad-file", f"{shown(written)} is no file for a trace ({place})", hint)
    return written if written == TERMINAL else file(written, place, "--chaos-trace=chaos.trace")


def patterns(written: str | None, place: str) -> list[str]:
    """Return name patterns, written with spaces between and quotes as in a shell."""
    try:
        return shlex.split(written or "")
    except ValueError:
        hint = "patterns with spaces between, a quote at both ends of one that has spaces: *.draft '*.in work'"
        text = f"{shown(written)} has a quote that is not closed ({place})"
        raise ChaosError("bad-leftovers", text, hint) from None


def switch(name: str, when: str = "") -> Reader:
    """Return the reader of a switch; `when` says where one turns it on."""

    def read(written: object, place: str) -> bool:
        if not isinstance(written, bool):
            text = f"{written!r} is neither True nor False ({place})"
            raise ChaosError(f"bad-{name}", text, f"{name}=True, {when}")
        return written

    return read
