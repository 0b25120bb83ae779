"""Readers of options, one function a form of value: each takes what was written and its place, and returns the value.

What was written is text from the command line or the ini file, anything from a mark, None where nothing was; ChaosError
is raised for what cannot be meant, with how to write it at the same place.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..values.errors import ChaosError, shown

if TYPE_CHECKING:
    from ..values.schedule import Schedule
    from ..values.selection import PointSelection

Reader = Callable[[Any, str], Any]
IN_INI = " in the ini file"
"""How the words for a place end that is an ini option, whose name they begin with."""
TERMINAL = "-"  # instead of the name of a file
_DIGITS = 100
_WHOLE = re.compile(rf"\s*[+-]?[0-9]{{1,{_DIGITS}}}\s*")
_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


def as_written(place: str, **values: object) -> str:
    """Return settings as they are written at a place: in a mark, in the ini file, or on the command line."""
    if place.startswith("@"):
        return f"{place.partition('(')[0]}({', '.join(f'{name}={value!r}' for name, value in values.items())})"
    if place.endswith(IN_INI):
        return " and ".join(f"chaos_{name} = {value}" for name, value in values.items())
    return " ".join(f"--chaos-{name}={value}" for name, value in values.items())


def _number(written: object, place: str) -> str:
    """Return a number as it was typed or stands in a mark; "" for a text there, and for one too long to be written."""
    try:
        return "" if isinstance(written, str) and place.startswith("@") else str(written)
    except ValueError:
        return ""


def seed(written: object, place: str) -> int:
    """Return a whole number, 0 where none was written."""
    if written is not None and not _WHOLE.fullmatch(_number(written, place)):
        hint = f"e.g. {as_written(place, seed=7)}, of up to {_DIGITS} digits"
        raise ChaosError("bad-seed", f"{shown(written)} is no whole number ({place})", hint)
    return int(_number(written, place)) if written is not None else 0


def durations(written: object, place: str) -> int | None:
    """Return how many explorations are told of, 0 for all; None where none are."""
    if written is not None and not re.fullmatch(r"[0-9]{1,9}", _number(written, place)):
        hint = f"a number from 0, which stands for all: {as_written(place, durations=10)}"
        raise ChaosError("bad-durations", f"{shown(written)} is no number of explorations ({place})", hint)
    return None if written is None else int(_number(written, place))


def depth(written: object, place: str) -> int:
    """Return 1, also where none was written, or 2; from 3 to 9 for sets that are drawn."""
    if written is not None and not re.fullmatch("[1-9]", _number(written, place)):
        drawn = as_written(place, depth=3, minutes=5)
        hint = f"1 or 2, e.g. {as_written(place, depth=2)}; 3 to 9 with minutes: {drawn}"
        raise ChaosError("bad-depth", f"{shown(written)} is no depth ({place})", hint)
    return int(_number(1 if written is None else written, place))


def minutes(written: object, place: str) -> float | None:
    """Return minutes, more than 0, or None."""
    return _positive(written, place, "minutes", "bad-minutes", as_written(place, depth=3, minutes=5))


def check_drawing(depth: int, minutes: float | None, place: Callable[[str], str]) -> None:
    """Raise ChaosError where one of both is missing for drawing sets of faults; `place` tells where each is written."""
    if depth > 2 and minutes is None:
        hint = f"say for how long they are drawn: {as_written(place('depth'), depth=depth, minutes=5)}"
        text = f"{shown(str(depth))} faults: there are too many sets of so many to try all ({place('depth')})"
        raise ChaosError("bad-depth", text, hint)
    if depth < 3 and minutes is not None:
        hint = as_written(place("minutes"), depth=3, minutes=int(minutes) if minutes == int(minutes) else minutes)
        raise ChaosError("bad-minutes", f"{place('minutes')} draws sets of 3 faults and more", hint)


def budget(written: object, place: str) -> float | None:
    """Return seconds, more than 0, or None."""
    return _positive(written, place, "seconds", "bad-budget", as_written(place, budget=60))


def _positive(written: object, place: str, unit: str, code: str, example: str) -> float | None:
    """Return a number above 0, None where none was written; raises ChaosError with this code for anything else."""
    try:
        number = None if written is None else float(_number(written, place))
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
    hint = f"K/N with K from 1 to N, e.g. {as_written(place, shard='1/4')}"
    raise ChaosError("bad-shard", f"{shown(written)} is no shard ({place})", hint)


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


def schedule(written: object, place: str) -> "Schedule | None":
    """Return the schedule that a token stands for."""
    if written is None:
        return None
    from ..values.schedule import Schedule

    if not isinstance(written, str):
        hint = "paste the whole token that a violation printed, in quotes"
        raise ChaosError("bad-token", f"{shown(written)} is not a replay token ({place})", hint)
    with of_a_token(place):
        return Schedule.parse(written)


@contextmanager
def of_a_token(place: str) -> Iterator[None]:
    """Name the place of a token in an error that says what is wrong with it, as if it was typed."""
    try:
        yield
    except ChaosError as problem:
        raise ChaosError(problem.code, problem.message.replace("--chaos-replay", place), problem.hint) from None


def toxiproxy(written: str | None, _: str) -> str | None:
    """Return the URL of a Toxiproxy server."""
    if written is not None:
        from ..network.api import parse

        parse(written)
    return written


def file(written: str | None, place: str, option: str = "json") -> str | None:
    """Return the name of a file that can be written, the value of this option."""
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
        hint = f"name a file: {as_written(place, **{option: f'chaos.{option}'})}"
        raise ChaosError("bad-file", f"{shown(written)} cannot be written ({place})", hint)
    return written


def page(written: str | None, place: str) -> str | None:
    """Return the name of a file that can be written, for a page."""
    return file(written, place, "html")


def folder(written: str | None, place: str) -> Path | None:
    """Return a folder that can be written, whether it is there or not."""
    if written is None:
        return None
    path = Path(written).absolute()
    with suppress(OSError, ValueError):
        above = next(each for each in (path, *path.parents) if each.exists())
        if "\0" not in written and above.is_dir() and os.access(above, os.W_OK):
            return path
    hint = f"e.g. {as_written(place, keep='states')}"
    raise ChaosError("bad-keep", f"{shown(written)} is no folder to write to ({place})", hint)


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
    return written if written == TERMINAL else file(written, place, "trace")


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
