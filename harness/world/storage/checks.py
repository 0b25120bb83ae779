"""Refuse sources that cannot be explored, before anything runs."""

import os
import pwd
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from ...values.errors import ChaosError, nearest
from .disk import Source


def check_sources(sources: Sequence[Source], projects: Sequence[Path] = ()) -> None:
    """Raise ChaosError for sources that cannot be explored, or are hardly meant (a home, the project).

    That is a missing parent, a private file, a path declared twice, a name used twice, a file that is held open; and a
    home, one of `projects`, a folder above these, or one with a virtual environment in it, where nobody said that it is
    meant.
    """
    for source in sources:
        _check_meant(source, projects)
        if not source.path.parent.is_dir():
            raise _no_parent(source)
        if source.private and source.path.is_file():
            hint = "declare the folder that it is in: chaos.private(path.parent), or watch the file: chaos.watch(path)"
            raise ChaosError("no-folder", f"{source.path} is a file, and chaos.private takes a folder", hint)
    for one, other in combinations(sources, 2):
        _check_pair(one, other)
    _check_not_held_open(sources)


def _no_parent(source: Source) -> ChaosError:
    """Return the error for a path below a folder that is not there: what is there is named, the nearest first."""
    parent = source.path.parent
    above = next(folder for folder in parent.parents if folder.is_dir())
    missing = parent.relative_to(above).parts[0]
    what = "is no folder" if (above / missing).exists() else "does not exist"
    there = [entry.name for entry in os.scandir(above) if entry.is_dir() and entry.name != missing]
    names = nearest(missing, there)
    return ChaosError(
        "no-parent",
        f"{source.path} cannot be {_kind(source)}: {above / missing} {what}",
        f"nearest in {above}: {', '.join(names) or 'it has no folders'}\n"
        f"create the parent first: {parent.name}.mkdir()",
    )


def _check_meant(source: Source, projects: Sequence[Path]) -> None:
    """Refuse a folder that holds more than an agent's work: all of it would be removed and written again and again."""
    what = "" if source.anything else next(_holding(source.path.resolve(), projects), "")
    if what:
        call = "private" if source.private else "watch"
        raise ChaosError(
            "too-much",
            f"{source.path} {what}: all that is {_kind(source)} is put back again and again, whatever it is",
            f"let the agent work in a folder of its own; if this is meant: chaos.{call}(path, anything=True)",
        )


def _holding(path: Path, projects: Sequence[Path]) -> Iterator[str]:
    if path == Path(path.anchor):
        yield "is the whole disk"
    for what, folder in [("the home of the user", _home()), *(("the project", each.resolve()) for each in projects)]:
        if path == folder:
            yield f"is {what}"
        elif path in folder.parents:
            yield f"is above {what} ({folder})"
    for pattern in ("pyvenv.cfg", "*/pyvenv.cfg", "*/*/pyvenv.cfg"):
        for found in path.glob(pattern):
            yield f"has a virtual environment in it ({found.parent})"


def _home() -> Path:
    """Return the home of the user that runs this process, even if a test has changed ``HOME``."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir).resolve()


def _check_pair(one: Source, other: Source) -> None:
    kinds = f"{_kind(one)} and {_kind(other)}"
    if one.path.resolve() == other.path.resolve():
        same = f"{one.path}" if one.path == other.path else f"{one.path}, which is also {other.path},"
        hint = "declare it once" if one.private == other.private else "a path is either watched or private"
        raise ChaosError("both", f"{same} is declared twice: {kinds}", hint)
    if one.name == other.name:
        raise ChaosError(
            "same-name",
            f"{one.path} and {other.path} would both be called {one.name!r}",
            f'give one a name: chaos.watch(path, name="{other.path.parent.name}-{other.name}")',
        )


def _kind(source: Source) -> str:
    return "private" if source.private else "watched"


def _check_not_held_open(sources: Sequence[Source]) -> None:
    """Refuse files that this process holds open: children would share the descriptor, and SQLite's locks with it."""
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return
    for descriptor in descriptors:
        try:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            continue
        for source in sources:
            if path == source.path.resolve() or source.path.resolve() in path.parents:
                raise ChaosError(
                    "held-open",
                    f"the test itself holds {path} open",
                    "open it in run (or close it before chaos.explore)",
                )
