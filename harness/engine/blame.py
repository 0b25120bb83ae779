"""Find the effect of the agent that is behind a change outside: the point after which it was first seen."""

from collections.abc import Iterator, Mapping, Sequence

from ..values.media import medium_of
from ..values.points import Point, canonical, hide_drawn
from ..values.rows import not_shared
from ..values.schedule import Injection
from ..values.trees import differing
from ..values.world import Change, Entry, Row, World
from ..world.comparing.explain import describe_row
from .effects import REMOVING, Blamed, Made
from .process_runs import CrashState, ProcessRun, RawState
from .state_view import StateView

_READING = ("get", "head", "options", "fsync", "fdatasync", "rollback", "connect", "exchange")


class Blame:
    """Finds the effect behind a change, by the states that were seen between the points of a process.

    Args:
        first: the traced fault-free run.
    """

    def __init__(self, view: StateView, first: ProcessRun) -> None:
        self._view, self._first = view, first

    def of_missing(self, change: Change) -> Blamed | None:
        """Return the effect of the fault-free run that makes the missing thing."""
        made = self._made(self._first).get(self._hidden(change.name), ())
        return _exactly(made, change, None) or _roughly(made, change) or _by_target(self._first, change)

    def of_found(self, change: Change, processes: Sequence[ProcessRun], fired: Injection) -> Blamed | None:
        """Return the last effect that made the superfluous thing.

        Args:
            processes: what ran, the last one last; a fault-free run that crashed is not among them.
            fired: where the first fault fired: until there every run does what the fault-free one does.
        """
        world = self._view.world(processes[-1].end)
        entry = world.entries.get(change.name) or world.private_entries.get(change.name)
        name = self._hidden(change.name)
        made = [self._made(process).get(name, ()) for process in reversed(processes)]
        # Before the fault a run does what the fault-free one does, so nobody looked at it there again.
        made.append(self._until(fired).get(name, ()))
        # What is too much is the doing of the effect that made it, not of the one that wrote to it last.
        if change.sign == "+" and entry is not None and (blamed := next(filter(None, map(_creator, made)), None)):
            return blamed
        processes = (*reversed(processes), self._first)
        return (
            # The surest first: the very change, then one of the same name, then a point that may have made it.
            next(filter(None, (_exactly(one, change, entry) for one in made)), None)
            or next(filter(None, (_roughly(one, change) for one in made)), None)
            or next(filter(None, (_by_target(process, change) for process in processes)), None)
        )

    def _until(self, fired: Injection) -> Mapping[str, list[Made]]:
        """Return the changes of the fault-free run before the fault fired; all of them where it has no such point."""
        points, made = self._first.points, self._made(self._first)
        if fired.point not in points:
            return made
        end = points.index(fired.point) + (fired.when != "before")
        return {name: [one for one in each if one.index < end] for name, each in made.items()}

    def _made(self, process: ProcessRun) -> Mapping[str, list[Made]]:
        """Return the changes of each point of a process, by name; empty where nobody looked."""
        if not process.made:
            for name, made in self._changes(process):
                process.made.setdefault(self._hidden(name), []).append(made)
        return process.made

    def _hidden(self, name: str) -> str:
        """Return a name with its random parts replaced: another process that did the same drew others."""
        return canonical(hide_drawn(name, self._view.names))

    def _changes(self, process: ProcessRun) -> Iterator[tuple[str, Made]]:
        numbers = {point: index for index, point in enumerate(process.points)}
        for by, before, after in transitions(process.crash_states, process.end):
            for name, entry, rows, gone, is_new in changed(self._view.world(before), self._view.world(after)):
                yield name, Made(numbers.get(by, 0), _statement(process, by, name), entry, rows, gone, is_new)


def transitions(seen: Sequence[CrashState], end: RawState) -> Iterator[tuple[Point, RawState, RawState]]:
    """Yield each point behind a change, with the states before and after it; `end` is the last state of the process."""
    if not seen:
        return
    before, last = seen[0].raw_state, None
    states = [(state.point, state.when, state.raw_state) for state in seen]
    for point, when, world in [*states, (None, "before", end)]:
        # what shows before a point was done by the one before: its own end nobody saw, since it failed
        by = last if when == "before" else point
        if by is not None and not before.same_state(world):
            yield by, before, world
        before, last = world, point


_Changed = tuple[str, Entry | None, tuple[str, ...], tuple[str, ...], bool]


def changed(old: World, new: World) -> Iterator[_Changed]:
    """Yield the names that differ, with the new entry, and of tables and resources the rows that are new, and gone."""
    for was, now in ((old.entries, new.entries), (old.private_entries, new.private_entries)):
        paths = [path for path in differing(was, now) if was.get(path) != now.get(path)]
        yield from ((path, now.get(path), (), (), path not in was.keys()) for path in paths)  # noqa: SIM118
    both = (old.tables, new.tables), (old.private_tables, new.private_tables), (old.resources, new.resources)
    for before, after in both:
        for name in before.keys() | after.keys():
            there, here = _rows(before, name), _rows(after, name)
            if there != here:
                gone, added = not_shared(there, here)
                yield name, None, _described(added, gone), _described(gone, added), False


def _rows(tables: Mapping[str, list[Row]], name: str) -> list[Row]:
    return tables[name] if name in tables.keys() else []  # noqa: SIM118  # a short name would be found, too


def _described(rows: list[Row], others: list[Row]) -> tuple[str, ...]:
    return tuple(describe_row(row) for row in rows if row not in others)


def _statement(process: ProcessRun, point: Point, name: str) -> Blamed:
    """Return the statement behind a point: that which wrote to a table for a commit, that which opened it for a file.

    What a file looks like in the middle of being written depends on where the process died, and not on the line.
    """
    earlier = process.points[: process.points.index(point)] if point in process.points else ()
    place = process.places.get(point, ())
    if medium_of(point.kind).commits:
        point = next((one for one in (point, *reversed(earlier)) if one.target == name), point)
    elif point.verb == "write" and place:
        opened = (one for one in reversed(earlier) if one.verb == "open" and one.target == point.target)
        opener = process.places.get(next(opened, point), ())
        if opener and (opener[0].function, opener[1:]) == (place[0].function, place[1:]):
            return Blamed.at(point, opener)
    return Blamed.at(point, process.places.get(point, ()))


def _creator(made: Sequence[Made]) -> Blamed | None:
    """Return the last of these that made an entry where there was none."""
    return next((one.blamed for one in reversed(made) if one.is_new), None)


def _exactly(made: Sequence[Made], change: Change, entry: Entry | None) -> Blamed | None:
    """Return the last of these that made just this row or entry, or took just this one away."""
    if change.sign == "-" and entry is None:
        just = [one for one in made if change.detail in one.gone] or [one for one in made if change.detail in one.rows]
    else:
        just = [one for one in made if (entry is not None and one.entry == entry) or change.detail in one.rows]
    return just[-1].blamed if just else None


def _roughly(made: Sequence[Made], change: Change) -> Blamed | None:
    """Return the last of these that left something there, or that did not where it is missing."""
    there = [one for one in made if (one.entry is not None or bool(one.rows)) == (change.sign != "-")]
    return (there or made)[-1].blamed if made else None


def _by_target(process: ProcessRun, change: Change) -> Blamed | None:
    """Return the last point of a process that by its target may have made a change."""
    wrong = _READING + (() if change.sign == "-" else REMOVING)
    points = [
        point for point in reversed(process.points) if medium_of(point.kind).touches_outside and point.verb not in wrong
    ]
    name = canonical(change.name)
    same = [point for point in points if canonical(point.target) == name]
    near = [p for p in points if p.target.startswith(f"{name}/") or name.startswith((f"{p.target}/", f"{p.target}:"))]
    return next((Blamed.at(point, process.places.get(point, ())) for point in (*same, *near)), None)
