"""Refuse sources that cannot be explored, before anything runs."""

import os
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from ..values.errors import ChaosError
from .disk import Source


def check_sources(sources: Sequence[Source]) -> None:
    """Raise ChaosError for a missing parent, a path declared twice, a name used twice, or a database held open."""
    for source in sources:
        if not source.path.parent.is_dir():
            raise ChaosError(
                "no-parent",
                f"{source.path} cannot be {_kind(source)}: {source.path.parent} does not exist",
                f"create the parent first: {source.path.parent.name}.mkdir()",
            )
    for one, other in combinations(sources, 2):
        _check_pair(one, other)
    _check_not_held_open(sources)


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
