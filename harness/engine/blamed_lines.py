"""The lines of the agent behind a story: the one to look at first, then those whose effects did not stay."""

import linecache
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..values.causes import Cause
from ..values.story import Blamed, Fate, SourceLine, Step, shared_names
from .sites import first_line

_MOST_PLACES = 6
_BEFORE, _LINES = 2, 5
_WIDEST = 300
_Read = Callable[[str, int], tuple[SourceLine, ...]]


class _At(NamedTuple):
    """A line of the agent by the names of reports, with the callers that tell its call sites apart."""

    file: str
    line: int
    function: str
    callers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """The place of a point in one process, by the names of reports, and the names of the steps that it was inside of.

    `point` is its token, without a phase. `callers` are ``file:line`` of as many calls as tell it from other places.
    """

    point: str
    file: str
    line: int
    function: str
    callers: tuple[str, ...] = ()
    within: tuple[str, ...] = ()

    @property
    def at(self) -> _At:
        """Return the place alone, without the point and the names of steps."""
        return _At(self.file, self.line, self.function, self.callers)


def blamed_lines(story: Sequence[Step], cause: Cause | None, seen: Iterable[Seen], read: _Read) -> tuple[Blamed, ...]:
    """Return the lines behind a story: that of its cause, then those of effects that are not kept, then the others.

    Args:
        story: its steps; one with a fate made a durable effect.
        seen: the places of points in the processes of the story, and in the fault-free run.
        read: returns the code around a line of a file, by the name that reports have for it.
    """
    known = list(seen)
    by_point = {(one.point, one.file, one.line): one.at for one in known}
    within = [(one.at, one.within) for one in known]
    effects: dict[_At, list[tuple[int, Fate]]] = {}
    first = _of_cause(cause)
    if first is not None:
        effects[first] = []
    for number, step in enumerate(story):
        at = by_point.get((step.point, step.file, step.line), _At(step.file, step.line, step.function, ()))
        if step.point:  # the end of a process is at a line too, inside of nothing
            within.append((at, step.within))
        if step.fate and step.line:
            effects.setdefault(at, []).append((number, step.fate))
    ordered = sorted(effects, key=lambda at: (at != first, all(fate == "kept" for _, fate in effects[at])))
    return tuple(
        Blamed(
            *at, read(at.file, at.line), tuple(effects[at]), shared_names(names for one, names in within if one == at)
        )
        for at in ordered[:_MOST_PLACES]
    )


def _of_cause(cause: Cause | None) -> _At | None:
    if cause is None or not cause.line:
        return None
    return _At(cause.file, cause.line, cause.function, tuple(called.rpartition(" in ")[0] for called in cause.callers))


def five_lines(file: str, line: int) -> tuple[SourceLine, ...]:
    """Return five lines of code around the statement on `line`, with its first line marked; none without a source.

    Of a statement that is too long for that, `line` itself is marked.
    """
    marked, lines = first_line(file, line), linecache.getlines(file)
    if line - marked >= _LINES - _BEFORE:
        marked = line
    if not 1 <= marked <= len(lines):
        return ()
    start = max(1, min(marked - _BEFORE, len(lines) - _LINES + 1))
    shown = enumerate(lines[start - 1 : start - 1 + _LINES], start)
    return tuple(SourceLine(number, text.rstrip()[:_WIDEST], number == marked) for number, text in shown)


def without_secrets(blamed: Blamed, hidden: Callable[[str], str]) -> Blamed:
    """Return a place with each of its texts hidden in part."""
    source = tuple(replace(line, text=hidden(line.text)) for line in blamed.source)
    return replace(blamed, source=source, within=tuple(map(hidden, blamed.within)))
