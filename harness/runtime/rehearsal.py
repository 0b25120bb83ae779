"""Dry-run recovery: every rollback is tried on a copy of real data, and the ones that are missing or wrong are named.

Other processes may read the data meanwhile; one that writes it spoils the comparison. Of two rehearsals of one name
each needs a folder of its own for the copies: the later one deletes what it finds there.

    from pathlib import Path
    from rollproof.runtime import Step, rehearse

    def steps_for(data):
        note = data / "note.txt"
        return [Step("note", lambda run: note.touch(), undo=lambda run: None)]

    Path("data").mkdir()
    found = [str(finding) for finding in rehearse(Path("data"), Path("."), steps_for)]
    assert found == ["right        error before note", "wrong        error after note: note.txt"]

An error is raised once at each place where a rollback can be asked for: before and after each step's act. Then the
undos run backward, twice. The undo of the failing step is judged by itself, by the data before its act, so a bad one
hides none behind it; then all of them together, by the original. A step without an undo is
`missing` one, unless it says `reads_only` and changed nothing.

The original is only ever opened for reading; what the steps are given is the folder of the copy. Links in it that lead
into the original by an absolute path lead into the copy; data with links that lead out of it are refused, since a step
could write through them. Pipes, sockets and devices are left out.
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

from .calls import BlockingInvoker, run_blocking
from .canonical import sha256
from .files import AnyPath
from .saga import Saga
from .steps import Run, Step, Undo
from .store import Store

StepsFor = Callable[[Path], Sequence[Step]]
"""Makes the steps of a saga that works on the data at a path."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding about one place: `kind` is `right`, `missing`, `wrong`, `raised` or `irreversible`."""

    step: str
    when: str
    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind:12} error {self.when} {self.step}" + (f": {self.detail}" if self.detail else "")


class InjectedError(Exception):
    """The error that a rehearsal raises in a step."""


def rehearse(
    original: AnyPath,
    beside: AnyPath,
    steps_for: StepsFor,
    goal: str = "rehearsal",
    variables: dict[str, Any] | None = None,
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
    original, beside = Path(original), Path(beside)
    if beside.resolve().is_relative_to(original.resolve()):
        raise ValueError(f"{beside} lies in {original}, which must not be written")
    if not original.exists():
        raise FileNotFoundError(f"there is no {original}")
    steps = steps_for(original)
    scratch = beside / f"{original.name}.rehearsal"
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir()
    try:
        before, sound = described(original), True
        for number, step in enumerate(steps):
            for when in ("before", "after"):
                if step.irreversible and when == "after":
                    yield Finding(step.name, when, "irreversible")
                    continue
                copy = _copied(original, scratch / f"{number}-{when}")
                trial = _Trial(step.name, when, copy)
                raised = trial.run(steps_for(copy), goal, variables or {})
                finding = trial.judged(step) or trial.together(raised, _differing(before, described(copy)), sound)
                yield finding
                sound = sound and finding.kind == "right"
    finally:
        shutil.rmtree(scratch)


def described(data: Path) -> dict[str, str]:
    """Return a description of the data at a path, by name: hashes of files and rows, `/` folders, `->` links."""
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
    """Return those entries of a folder that cannot be copied."""
    paths = [Path(folder, name) for name in names]
    return [path.name for path in paths if not (path.is_symlink() or path.is_dir() or path.is_file())]


def _keep_links_inside(copy: Path, original: Path) -> None:
    """Point links into the original to the copy, and refuse links that lead out of it."""
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
    """Return the path below the data that an absolute target means; None where it is another's, or relative."""
    roots = [root for root in (data.absolute(), data.resolve()) if Path(target).is_relative_to(root)]
    return Path(target).relative_to(roots[0]) if roots else None


class _Trial:
    """An error at one place, and the outcome of the undo of its step."""

    def __init__(self, name: str, when: str, copy: Path) -> None:
        """Name the step, and the copy that it works on."""
        self.name, self.when, self.copy = name, when, copy
        self.acted: list[Run] = []
        self.reached, self.raised = False, ""
        self.before: dict[str, str] = {}
        self.changed: list[str] = []
        self.left: list[str] = []

    def run(self, steps: Sequence[Step], goal: str, variables: dict[str, Any]) -> str:
        """Run up to the place, fail there, roll back, undo everything once more; return the error's text, or none."""
        undos = {step.name: step.undo for step in steps}
        with Store(self.copy.parent / "rehearsal.db") as store:
            saga = Saga(store, "rehearsal", [self._failing(step) for step in steps], undo_tries=1)
            try:
                saga.run(goal, variables)
            except InjectedError:
                others = [run for run in reversed(self.acted) if run.step != self.name]
                return _again([(run, undo) for run in others if (undo := undos[run.step])])
            except Exception as error:
                return f"{type(error).__name__}: {error}"
        return "the step was never reached"

    def judged(self, step: Step) -> Finding | None:
        """Return the finding about the undo of the failing step itself; None if it is right."""
        if self.raised:
            return Finding(self.name, self.when, "raised", self.raised)
        if step.undo:
            return Finding(self.name, self.when, "wrong", ", ".join(self.left)) if self.left else None
        if self.when == "before" or step.irreversible or (step.reads_only and not self.changed):
            return None
        says = "reads only, it says, and changed " if step.reads_only else ""
        changed = ", ".join(self.changed)
        return Finding(self.name, self.when, "missing", f"{says}{changed}" or "changed nothing: say reads_only=True")

    def together(self, raised: str, differing: list[str], sound: bool) -> Finding:
        """Judge the rollback as a whole; a fault of it is reported once, at the first step that shows it."""
        if raised and (sound or not self.reached):
            return Finding(self.name, self.when, "raised", raised)
        if differing and sound:
            return Finding(self.name, self.when, "wrong", ", ".join(differing))
        return Finding(self.name, self.when, "right")

    def _failing(self, step: Step) -> Step:
        """Return a step that fails at the place, and whose undo is watched; without an undo it counts as reading."""
        here = step.name == self.name

        def act(run: Run) -> Any:
            if here:
                self.before = described(self.copy)
                self.reached = self.when == "before"
            if self.reached:
                raise InjectedError
            learned = step.act(run)
            self.acted.append(run)
            if here:
                self.changed = self.left = _differing(self.before, described(self.copy))
                self.reached = True
                raise InjectedError
            return learned

        def undo(run: Run) -> None:
            assert step.undo is not None
            left: list[str] = []
            for _ in range(2 if here and self.when == "after" else 1):  # to undo what is undone must be fine
                try:
                    step.undo(run)
                except Exception as error:
                    if not here:
                        raise
                    self.raised = f"{type(error).__name__}: {error}"
                    return
                if here:
                    self.left = left = left or _differing(self.before, described(self.copy))

        final = step.irreversible and not here
        return replace(step, act=act, undo=undo if step.undo else None, irreversible=final,
                       reads_only=not (step.undo or final))  # fmt: skip


def _again(undos: Sequence[tuple[Run, Undo]]) -> str:
    """Undo steps a second time, which must be fine; return the text of the first error."""
    for run, undo in undos:
        try:
            run_blocking(BlockingInvoker().call(undo, run))
        except Exception as error:
            return f"repeating the undo of {run.step}: {type(error).__name__}: {error}"
    return ""


def _differing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
