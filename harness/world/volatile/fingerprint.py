"""Fingerprints of states: equal when no recovery can tell two of them apart.

Generated values are renamed in order of appearance (alpha-renaming): equal ones stay equal, and their texts do not
count. Times are replaced by their relation to the clock. In doubt two states stay two: that costs a run, never a bug.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import blake2b

from ...values.contents import Content
from ...values.points import hide_drawn
from ...values.trees import Tree, above
from ...values.world import Entry, Row, World
from ..storage.remembering import Remembered
from .masks import Masks
from .row_digests import RowDigests
from .skeletons import DRAWN, Skeleton, SkeletonBuilder, Slot, TornValue, entry_skeleton, is_still
from .timestamps import NEAR_S, timestamp_of_text
from .torn_values import TornValues

NOTHING_TORN = TornValues()
NONE_DRAWN: Set[str] = frozenset()
# Limits of classes: a recovery may treat what is an hour old in another way. Finer ones would never close.
_AGES_S = (10, 60, 600, 3600, 86400)
_STAMP_DIGITS = 16
"""The fewest digits of a time in microseconds from 2001 on; one in milliseconds has fewer."""
_CACHED, _CACHED_BYTES = 4096, 128 << 20


@dataclass(frozen=True, slots=True)
class Moment:
    """The time and the processes by which a recovery reads a world.

    Attributes:
        clock: when it would start, in epoch seconds.
        pids: of the processes that wrote.
        reused: those pids that another program has by now.
    """

    clock: float
    pids: Set[int] = frozenset()
    reused: Set[int] = frozenset()


def fingerprint(
    world: World,
    moment: Moment,
    masks: Masks,
    roots: Mapping[str, str],
    torn_values: TornValues = NOTHING_TORN,
    drawn: Set[str] = NONE_DRAWN,
) -> str:
    """Return a hash of all that a recovery could read in this world, private state included.

    `roots` gives the name of the source for each absolute path. `torn_values` knows the torn contents that end with the
    first part of a volatile value. `drawn` has the names that ``tempfile`` drew so far.
    """
    pids = moment.pids
    skeletons = _skeletons_of(masks, roots, drawn)
    things: list[_Thing] = []
    still: list[bytes] = []
    for entries in (world.entries, world.private_entries):
        for part in Tree.of(entries, above).parts.values():
            folder = skeletons.folder(part, torn_values)
            things += folder.moving
            # Thousands of untouched files count as one digest, unless one of their numbers is a pid of this world.
            if folder.numbers.isdisjoint(pids):
                still.append(folder.digest)
            else:
                things += [thing for thing in folder.still if not _numbers(thing).isdisjoint(pids)]
                still.append(_digest(thing for thing in folder.still if _numbers(thing).isdisjoint(pids)))
    for tables in (world.tables, world.private_tables, world.resources):
        things += [(skeletons.name(name), skeletons.rows(name, rows, pids)) for name, rows in tables.items()]
    things += [(skeletons.name(name), (f"schema {schema}", ())) for name, schema in world.schemas.items()]
    things += [(skeletons.name(name), (f"log {log}", ())) for name, log in world.logs.items() if log]
    # By what no run changes: values are numbered in this order, which must not depend on how they read.
    things.sort(key=lambda thing: (thing[0][0], thing[1][0]))
    renaming = _Renaming(moment)
    digest = blake2b(digest_size=16)
    for thing in things:
        for skeleton in thing:
            text = f"{skeleton[0]}\1{' '.join(map(renaming.name, skeleton[1]))}\2"
            digest.update(text.encode(errors="surrogatepass"))
        renaming.end_thing()
    # Relations of times are part of the world: a recovery may ask which of two leases is older.
    digest.update(repr(renaming.order()).encode())
    digest.update(b"".join(sorted(still)))
    if moment.reused and _has_torn_pid(world, torn_values):
        # Half of a reused pid is a number whose owner runs or not: a recovery can ask.
        digest.update(b"which runs")
    return digest.hexdigest()


def _has_torn_pid(world: World, torn_values: TornValues) -> bool:
    found = (*world.entries.items(), *world.private_entries.items())
    return any(torn_values.of(path, entry.held).of_pid for path, entry in found)


_Thing = tuple[Skeleton, Skeleton]


@dataclass(frozen=True, slots=True)
class _Folder:
    """The entries of one folder: things that read the same in each state, unless a pid is one of `numbers`, and others.

    Beside an agent's few files there may be thousands that nobody touches.
    """

    part: object
    moving: list[_Thing]
    still: list[_Thing]
    digest: bytes
    numbers: frozenset[int]
    contents: frozenset[Content]


def _is_still(thing: _Thing) -> bool:
    return all(is_still(skeleton[1]) for skeleton in thing)


def _numbers(thing: _Thing) -> frozenset[int]:
    return frozenset(int(text) for skeleton in thing for _, text in skeleton[1])


def _digest(things: Iterable[_Thing]) -> bytes:
    digest = blake2b(digest_size=16)
    for text in sorted(
        f"{skeleton[0]}\1{' '.join(text for _, text in skeleton[1])}\2" for one in things for skeleton in one
    ):
        digest.update(text.encode(errors="surrogatepass"))
    return digest.digest()


class _Renaming:
    """Gives each volatile value its name in this state."""

    def __init__(self, moment: Moment) -> None:
        self._clock, self._pids, self._reused = moment.clock, moment.pids, moment.reused
        self._names: dict[str, int] = {}
        self._timestamps: list[float] = []
        self._stamps: list[float] = []
        self._of_thing: tuple[list[float], list[float]] = ([], [])
        self._mixed: list[list[int]] = []

    def order(self) -> list[list[int]]:
        """Return the ranks of all times: a recovery may compare two of them.

        Stamps are compared with stamps, and with the times beside them in one file or table. Each process that takes a
        job up draws one, so its place among the times of a log, which is another thing, differs with the event after
        which the job was last taken up, and nobody compares a token with a date there.
        """
        return [*(_ranks(times) for times in (self._timestamps, self._stamps)), *self._mixed]

    def end_thing(self) -> None:
        """Rank the times of one file or table among themselves where it has stamps and others."""
        timestamps, stamps = self._of_thing
        if timestamps and stamps:
            self._mixed.append(_ranks([*timestamps, *stamps]))
        if timestamps or stamps:
            self._of_thing = ([], [])

    def name(self, slot: Slot) -> str:
        """Return the name of a slot's value in this world: equal values have equal names, whatever their texts."""
        kind, text = slot
        if kind == "name":
            return self._renamed("name", text)
        if text.isdigit() and len(text) < 8:
            if int(text) in self._pids:
                return self._renamed("pid that runs" if int(text) in self._reused else "pid", text)
        elif (relation := self._relation(text, timestamp_of_text(text, self._clock, NEAR_S))) is not None:
            return relation
        return self._renamed("value", text) if kind == "hidden" else text

    def _renamed(self, kind: str, text: str) -> str:
        """Number values in order of appearance; a uuid is one value with and without its hyphens."""
        shape = "uuid" if text.count("-") == 4 else kind
        value = text.replace("-", "").lower() if shape == "uuid" else text
        return f"<{shape} {self._names.setdefault(value, len(self._names))}>"

    def _relation(self, text: str, timestamp: float | None) -> str | None:
        if timestamp is None:
            return None
        stamp = _is_stamp(text)
        (self._stamps if stamp else self._timestamps).append(timestamp)
        self._of_thing[stamp].append(timestamp)
        age_s = self._clock - timestamp
        if age_s < 0:
            return f"<in {sum(-age_s >= limit for limit in _AGES_S)}>"  # each restart is later: seconds never close
        return f"<past {sum(age_s >= limit for limit in _AGES_S)}>"


def _is_stamp(text: str) -> bool:
    """Say whether a time is a whole number of micro- or nanoseconds: a fencing token or a version, made to rise."""
    return text.isdigit() and len(text) >= _STAMP_DIGITS


def _ranks(moments: Sequence[float]) -> list[int]:
    ranks = {timestamp: rank for rank, timestamp in enumerate(sorted(set(moments)))}
    return [ranks[timestamp] for timestamp in moments]


class _Skeletons:
    """The pieces of things under one set of masks, by their content."""

    def __init__(self, masks: Masks, roots: Mapping[str, str], drawn: Set[str]) -> None:
        self.masks, self.drawn = masks, drawn
        self._roots = sorted(roots.items(), key=lambda root: len(root[0]), reverse=True)
        self._entries: Remembered[tuple[str, Entry, TornValue], Skeleton] = Remembered(_CACHED_BYTES)
        self._rows = RowDigests(masks, self.shorten)
        self._folders: Remembered[int, _Folder] = Remembered(_CACHED_BYTES)
        self._names: dict[str, Skeleton] = {}

    def shorten(self, text: str) -> str:
        """Replace absolute paths of sources by their names, and mark names that ``tempfile`` drew."""
        for root, name in self._roots:
            if root in text:
                text = text.replace(root, f"<{name}>")
        return hide_drawn(text, self.drawn, DRAWN.format)

    def name(self, name: str) -> Skeleton:
        """Return the piece of a thing's name."""
        if name not in self._names:
            if len(self._names) > _CACHED:
                self._names.clear()
            masked, filled = self.masks.canonical_thing(name)
            builder = SkeletonBuilder(self.shorten)
            builder.scan(masked)
            for _, value in filled:
                builder.hidden(value)
            self._names[name] = builder.skeleton()
        return self._names[name]

    def folder(self, part: Mapping[str, Entry], torn_values: TornValues) -> _Folder:
        """Return the entries of a folder; those of the same part of a world are remembered."""

        def make() -> _Folder:
            things = [
                (self.name(path), self.entry(path, entry, torn_values.of(path, entry.held)))
                for path, entry in part.items()
            ]
            still = [thing for thing in things if _is_still(thing)]
            moving = [thing for thing in things if not _is_still(thing)]
            numbers = frozenset().union(*map(_numbers, still))
            contents = frozenset(entry.held for entry in part.values())
            return _Folder(part, moving, still, _digest(still), numbers, contents)

        folder = self._folders.get(id(part), make, lambda found: 100 * (len(part) + len(found.numbers)))
        # What is known as torn grows while an exploration runs: a cached skeleton may be from before.
        return folder if folder.contents.isdisjoint(torn_values.contents) else make()

    def entry(self, path: str, entry: Entry, torn: TornValue) -> Skeleton:
        """Return the piece of a path."""

        def make() -> Skeleton:
            name = self.masks.canonical(path)[0]
            by_lines = name.endswith((".jsonl", ".ndjson"))
            return entry_skeleton(entry, self.masks.of(name), by_lines, self.shorten, torn)

        return self._entries.get((path, entry, torn), make, lambda skeleton: len(skeleton[0]) + 100 * len(skeleton[1]))

    def rows(self, name: str, rows: list[Row], pids: Set[int]) -> Skeleton:
        """Return the piece of a table or collection in which `pids` wrote."""
        return self._rows.skeleton(self.masks.canonical_thing(name)[0], rows, pids)


_recent: Remembered[tuple[int, int, tuple[tuple[str, str], ...]], _Skeletons] = Remembered(most=4)


def _skeletons_of(masks: Masks, roots: Mapping[str, str], drawn: Set[str]) -> _Skeletons:
    """Return the pieces of the last few sets of masks: the same files come again and again.

    `drawn` may grow meanwhile: a name is known before anything can be called by it.
    """
    key = (id(masks), id(drawn), tuple(roots.items()))
    return _recent.get(key, lambda: _Skeletons(masks, roots, drawn))
