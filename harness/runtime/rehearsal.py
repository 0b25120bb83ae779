"""Dry-run recovery: every rollback is tried on a copy of real data, and the ones that are missing or wrong are named.

    for finding in rehearse(Path("/srv/data"), Path("/tmp"), steps_for):
        print(finding)

The copy is struck once at each place where a rollback can be asked for: an error before, and one after each step's act.
Then the undos run backward, twice, and the copy is compared with the original. The original is only ever opened for
reading; what the steps are given is the folder of the copy. Links in it that lead into the original by an absolute path
lead into the copy; data with links that lead out of it are refused, since a step could write through them. Pipes,
sockets and devices are left out.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .calls import Direct, finished
from .canonical import sha256
from .saga import Saga
from .steps import Run, Step, Undo
from .store import Store

StepsFor = Callable[[Path], Sequence[Step]]
"""Makes the steps of a saga that works on the data at a path."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one place: `kind` is `right`, `missing`, `wrong`, `raised` or `irreversible`."""

    step: str
    when: str
    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind:12} error {self.when} {self.step}" + (f": {self.detail}" if self.detail else "")


class Struck(Exception):
    """The error that a rehearsal raises where it strikes."""


def rehearse(
    original: Path, beside: Path, steps_for: StepsFor, goal: str = "rehearsal", variables: dict[str, Any] | None = None
) -> Iterator[Finding]:
    """Try the rollback from every place, each on a copy of its own.

    Args:
        original: A folder, or a file such as a database.
        beside: An existing folder. The copies lie in `NAME.rehearsal` in it, which is deleted in the end, and first if
            a rehearsal that died has left it.
        steps_for: Makes the steps that work on a copy.
        goal: What the run is for.
        variables: What it starts with.

    Raises:
        ValueError: The copies would lie in the original, or a link leads out of it.
        FileNotFoundError: There is no original.
    """
    if beside.resolve().is_relative_to(original.resolve()):
        raise ValueError(f"{beside} lies in {original}, which must not be written")
    if not original.exists():
        raise FileNotFoundError(f"there is no {original}")
    names = [(step.name, step.undo, step.irreversible) for step in steps_for(original)]
    scratch = beside / f"{original.name}.rehearsal"
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir()
    try:
        before = described(original)
        for number, (name, undo, irreversible) in enumerate(names):
            for when in ("before", "after"):
                copy = _copied(original, scratch / f"{number}-{when}")
                if irreversible and when == "after":
                    yield Finding(name, when, "irreversible")
                    continue
                raised = _strike(copy, steps_for(copy), name, when, goal, variables or {})
                yield _judged(name, when, undo is None, raised, before, described(copy))
    finally:
        shutil.rmtree(scratch)


def described(data: Path) -> dict[str, str]:
    """Say what is at a path: hashes of files and of the rows of databases, `/` for folders, `->` for links, by name."""
    paths = [data] if data.is_file() else sorted(path for path in data.rglob("*"))
    found = {}
    for path in paths:
        name = path.name if path == data else str(path.relative_to(data))
        if path.is_symlink() and path != data:
            target = os.readlink(path)
            found[name] = f"-> {_within(data, target) or target}"
        elif path.is_dir():
            found[name] = "/"
        elif not path.is_file():
            continue
        elif path.read_bytes()[:16] == b"SQLite format 3\0":
            found[name] = sha256("\n".join(_rows(path)))
        elif not name.endswith(("-wal", "-shm", "-journal")):
            found[name] = sha256(path.read_bytes())
    return found


def _rows(path: Path) -> list[str]:
    """Read a database as SQL text, from a copy in memory: not even a log is made beside it."""
    if path.with_name(f"{path.name}-wal").exists():
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            return list(database.iterdump())
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(path.read_bytes())
        return list(database.iterdump())


def _copied(original: Path, place: Path) -> Path:
    """Copy the data, a database with its log."""
    place.mkdir()
    copy = place / original.name
    if original.is_dir():
        shutil.copytree(original, copy, symlinks=True, ignore=_special)
        _keep_links_inside(copy, original)
    else:
        for path in [original, *(original.with_name(original.name + end) for end in ("-wal", "-journal"))]:
            if path.exists():
                shutil.copy2(path, place / path.name)
    return copy


def _special(folder: str, names: list[str]) -> list[str]:
    """Give those entries of a folder that cannot be copied."""
    paths = [Path(folder, name) for name in names]
    return [path.name for path in paths if not (path.is_symlink() or path.is_dir() or path.is_file())]


def _keep_links_inside(copy: Path, original: Path) -> None:
    """Let links into the original lead into the copy, and refuse those that lead out of it."""
    links = [path for path in copy.rglob("*") if path.is_symlink()]
    for link in links:
        within = _within(original, os.readlink(link))
        if within is not None:
            link.unlink()
            link.symlink_to(copy.absolute() / within)
    for link in links:
        if not Path(os.path.realpath(link)).is_relative_to(copy.resolve()):
            place = original / link.relative_to(copy)
            raise ValueError(
                f"{place} leads to {os.readlink(place)}, out of the data: what is written through it would be no copy; "
                "rehearse on a folder that holds both, or without the link"
            )


def _within(data: Path, target: str) -> Path | None:
    """Give the path below the data that an absolute target means; None where it is another's, or relative."""
    roots = [root for root in (data.absolute(), data.resolve()) if Path(target).is_relative_to(root)]
    return Path(target).relative_to(roots[0]) if roots else None


def _strike(copy: Path, steps: Sequence[Step], name: str, when: str, goal: str, variables: dict[str, Any]) -> str:
    """Run up to a place, fail there, roll back, and undo everything once more; give what that raised, if anything."""
    acted: list[Run] = []

    def struck(step: Step) -> Step:
        def act(run: Run) -> Any:
            if step.name == name and when == "before":
                raise Struck
            learned = step.act(run)
            acted.append(run)
            if step.name == name:
                raise Struck
            return learned

        return replace(step, act=act, irreversible=step.irreversible and step.name != name)

    with Store(copy.parent / "rehearsal.db") as store:
        saga = Saga(store, "rehearsal", [struck(step) for step in steps], undo_tries=1)
        try:
            saga.run(goal, variables)
        except Struck:
            undos = {step.name: step.undo for step in steps}
            return _again([(run, undo) for run in reversed(acted) if (undo := undos[run.step])])
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return "the step was never reached"


def _again(undos: Sequence[tuple[Run, Undo]]) -> str:
    """Undo what is undone already, which must be fine."""
    for run, undo in undos:
        try:
            finished(Direct().call(undo, run))
        except Exception as error:
            return f"repeating the undo of {run.step}: {type(error).__name__}: {error}"
    return ""


def _judged(name: str, when: str, no_undo: bool, raised: str, before: dict[str, str], after: dict[str, str]) -> Finding:
    differing = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if raised:
        return Finding(name, when, "raised", raised)
    if not differing:
        return Finding(name, when, "right")
    return Finding(name, when, "missing" if no_undo and when == "after" else "wrong", ", ".join(differing))
