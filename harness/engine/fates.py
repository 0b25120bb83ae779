"""The fate of each durable effect of a story at its end: kept, undone, repeated, forgotten, torn."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..values.contents import begins_with
from ..values.media import medium_of
from ..values.points import Point, canonical
from ..values.rows import not_shared
from ..values.story import Fate
from ..values.world import Diff, Entry, Row, World
from .blame import changed, transitions
from .judge import Judgement
from .process_runs import OWN_PROCESSES, ProcessRun
from .state_view import StateView

_WORST: tuple[Fate, ...] = ("", "kept", "undone", "forgotten", "repeated", "torn")


class EffectId(NamedTuple):
    """A point of one of the processes of a judgement, by the number of the process, from 0."""

    process: int
    point: Point


@dataclass(frozen=True, slots=True)
class _Change:
    """One name that an effect changed: the worlds right before and after it, and the one at the end of the story."""

    effect: EffectId
    name: str
    before: World
    after: World
    end: World


def fates(view: StateView, judgement: Judgement, first: ProcessRun) -> Mapping[EffectId, Fate]:
    """Return the fate of each effect that changed something outside, for the processes that were looked at.

    `first` is the fault-free run. An effect of several changes has the worst of their fates. What a statement of a
    transaction did is known, with its fate, from the commit that made it durable.
    """
    changes = [
        change for number, process in enumerate(judgement.executions) for change in _changes(view, judgement, number)
    ]
    told: dict[EffectId, Fate] = {}
    done = view.world(first.end)
    for name in dict.fromkeys(change.name for change in changes):
        of_name = [change for change in changes if change.name == name]
        is_path = any(_entry(world, name) for change in of_name for world in (change.before, change.after))
        each = _of_paths(of_name, judgement.diff, done) if is_path else _of_rows(of_name, judgement.diff, done)
        for change, fate in zip(of_name, each, strict=True):
            for effect in _with_statements(judgement, change):
                told[effect] = max(told.get(effect, ""), fate, key=_WORST.index)
    return {**told, **_asked_for_again(told, first)}


def _asked_for_again(told: Mapping[EffectId, Fate], first: ProcessRun) -> Mapping[EffectId, Fate]:
    """Return as repeated each forgotten request to a service that was made more often than in a fault-free run.

    Requests that were undone do not count.
    """
    usual, left = Counter(map(_request, first.points)), Counter[str]()
    again: dict[EffectId, Fate] = {}
    for effect in sorted(told, key=lambda one: one.process):  # a process has its effects in their order
        request = _request(effect.point)
        if medium_of(effect.point.kind).changes == "services" and told[effect] != "undone":
            left[request] += 1
            if told[effect] == "forgotten" and left[request] > usual[request]:
                again[effect] = "repeated"
    return again


def _request(point: Point) -> str:
    return f"{point.kind}.{point.verb}:{canonical(point.target)}"


def _changes(view: StateView, judgement: Judgement, number: int) -> Iterator[_Change]:
    process = judgement.executions[number]
    # What the harness asks after the end (recover again, retry) is no part of that end.
    end = view.world(judgement.end if process.role in OWN_PROCESSES else process.end)
    for point, old, new in transitions(process.seen, process.end):
        before, after = view.world(old), view.world(new)
        for name in dict.fromkeys(name for name, *_ in changed(before, after)):
            yield _Change(EffectId(number, point), name, before, after, end)


def _with_statements(judgement: Judgement, change: _Change) -> Iterator[EffectId]:
    """Yield an effect, and for a commit the statements on the same table since the last one."""
    yield change.effect
    number, by = change.effect
    if medium_of(by.kind).commits:
        for point in _transaction(judgement.executions[number], by):
            if point.target == change.name:
                yield EffectId(number, point)


def _transaction(process: ProcessRun, commit: Point) -> Iterator[Point]:
    """Yield the statements before a commit, back to the one before it, on the same database."""
    earlier = process.points[: process.points.index(commit)] if commit in process.points else ()
    for point in reversed(earlier):
        if (point.kind, point.verb, point.target) == (commit.kind, commit.verb, commit.target):
            return
        if point.kind == commit.kind:
            yield point


def _entry(world: World, name: str) -> Entry | None:
    found = world.entries.get(name)
    return found if found is not None else world.private_entries.get(name)


def _of_paths(changes: Sequence[_Change], diff: Diff, done: World) -> Iterator[Fate]:
    """Yield the fate of each change of one path."""
    right = _entry(done, changes[0].name)
    too_much = any(change.sign == "+" and change.name == changes[0].name for change in diff)
    for number, change in enumerate(changes):
        was, now = _entry(change.before, change.name), _entry(change.after, change.name)
        last = _entry(change.end, change.name)
        if now == last is None:
            yield "kept"
        elif last is None or last == was or now is None:
            # What was moved to another name is there under that one; the step that moved it says what became of it.
            yield "kept" if any(map(_moves_away, changes[number + 1 :])) else "undone"
        elif last == now and _is_torn(last, right):
            yield "torn"
        elif too_much:
            yield "forgotten"
        elif _is_appended_again(changes[:number], change, right, last):
            yield "repeated"
        else:
            yield "kept"


def _moves_away(change: _Change) -> bool:
    """Return whether a change removes a path by renaming it."""
    by = change.effect.point
    return by.verb in medium_of(by.kind).moves and _entry(change.after, change.name) is None


def _is_torn(found: Entry, right: Entry | None) -> bool:
    """Return whether a file is the beginning of the right one."""
    both = right is not None and found.kind == right.kind == "file"
    return both and right is not None and found.size < right.size and begins_with(right.held, found.held)


def _is_appended_again(earlier: Sequence[_Change], change: _Change, right: Entry | None, last: Entry) -> bool:
    """Return whether a write appends what an earlier one has appended, and more often than a right file has it."""
    added = _added(change)
    if not added or added not in map(_added, earlier):
        return False
    return last.content.count(added) > (0 if right is None else right.content.count(added))


def _added(change: _Change) -> bytes:
    was, now = _entry(change.before, change.name), _entry(change.after, change.name)
    if was is None or now is None or not now.kind == was.kind == "file" or not begins_with(now.held, was.held):
        return b""
    return now.content[was.size :]


def _of_rows(changes: Sequence[_Change], diff: Diff, done: World) -> Iterator[Fate]:
    """Yield the fate of each change of one table or collection."""
    name = changes[0].name
    too_many = sum(change.sign == "+" and change.name == name for change in diff)
    told: list[Fate] = ["kept" if _is_kept(change) else "undone" for change in changes]
    made = [number for number, change in enumerate(changes) if told[number] == "kept" and _creates(change)]
    right = len(_rows(done, name)) - len(_rows(changes[0].before, name))
    left = sum(len(_creates(changes[number])) for number in made)
    # More than a complete run makes: the last ones are too many. Otherwise all are what nobody took back.
    again = 0 < right < left
    for number in reversed(made):
        if too_many > 0:
            told[number] = "repeated" if again else "forgotten"
            too_many -= len(_creates(changes[number]))
    yield from told


def _is_kept(change: _Change) -> bool:
    """Return whether the rows that a change made are there at the end, and those that it removed are not."""
    before, end = _rows(change.before, change.name), _rows(change.end, change.name)
    if new := _creates(change):
        ids = [row["id"] for row in end if "id" in row]
        return any(row in end or ("id" in row and row["id"] in ids) for row in new)
    before, after = not_shared(before, _rows(change.after, change.name))
    gone = [row for row in before if row not in after]
    return not any(row in end for row in gone)


def _creates(change: _Change) -> list[Row]:
    """Return the rows that are new, where none is gone: one that is changed is not created."""
    before, after = not_shared(_rows(change.before, change.name), _rows(change.after, change.name))
    if any(row not in after for row in before):
        return []
    return [row for row in after if row not in before] or after[len(before) :]


def _rows(world: World, name: str) -> list[Row]:
    found: Any
    for found in (world.tables, world.private_tables, world.resources):
        if name in found.keys():  # noqa: SIM118  # a short name would be found, too
            rows: list[Row] = found[name]
            return rows
    return []
