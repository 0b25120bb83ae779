"""Save what lies on disk as raw bytes, and put exactly that back.

Raw, because a crash in the middle of a transaction leaves a hot journal that recovery must see; only ``-shm`` files
are left out, since SQLite rebuilds them. Nothing is done by a path: a link that somebody put there leads nowhere.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from ...values.contents import Stored
from ...values.errors import ChaosError
from ...values.rare import rare
from ...values.trees import Tree
from .contents import Contents
from .folders import Folders
from .groups import Groups
from .raw import DiskState, Key, Place, RawEntry, Source, folder_of, places_of
from .replacing import Replacing
from .scanning import Scan, Scanner

__all__ = ["Disk", "DiskState", "RawEntry", "Source"]

_MANY_BYTES, _MANY_ENTRIES = 100 << 20, 5_000
_SHOWN = 5


class Disk:
    """Saves and restores the paths of `sources`. A source below another one belongs only to itself.

    Attributes:
        notes: what a user should know of the sources: how large they are, what is left alone.
        linked: files that were written while they had another name outside.
    """

    def __init__(self, sources: Sequence[Source], places: tuple[Place, ...] = ()) -> None:
        self.sources = tuple(sources)
        self.places = places or places_of(self.sources)
        self.notes: dict[str, None] = {}
        self.linked: dict[str, None] = {}
        self._contents = Contents()
        self._scanner = Scanner(self.places, self._contents)
        self._first: Mapping[Key, RawEntry] | None = None
        self._last: DiskState | None = None

    def capture(self) -> DiskState:
        """Return the present state of all sources.

        Raises ChaosError ``unreadable`` for a path that cannot be read, ``moved`` where a folder above a source is
        another one now, and, the first time, for what could not be put back.
        """
        last, self._last = self._last, None  # where the walk breaks off, neither it nor `known` says how things are
        with Folders(self.places) as folders:
            found = self._scanner.scan(folders, forced=False, first=self._first is None)
        if self._first is None:
            self._check(found)
            self._note_size(found.files)
            self._first = found.files
        elif last is not None and not found.changed:
            self._last = last
            return last
        self._last = DiskState(self._kept(found), self.places)
        if found.linked:
            self._note_links(self._last.files)
        return self._last

    def restore(self, state: DiskState) -> None:
        """Restore the sources to `state`, changing only the paths that differ.

        Raises ChaosError ``moved`` before anything is touched, or ``not-put-back`` with all that could not be, after
        everything else was.
        """
        if state.places not in ((), self.places):
            rare("a state is put back where its sources were")
            Disk(self.sources, state.places).restore(state)
            self._forget()
            return
        self._last = None
        wanted = Tree.of(state.files, folder_of)
        with Folders(self.places) as folders:
            found = self._scanner.scan(folders, forced=True)
            if not _is_as_in(found, wanted):
                replacing = Replacing(folders)
                changed = self._plan(replacing, found, wanted)
                replacing.run()
                if replacing.failed:
                    self._forget()
                    rare("a source cannot be put back")
                    raise _not_put_back(replacing.failed)
                self._scanner.adopt(wanted, changed)
                self._remember(replacing, folders, wanted, changed)
        self._last = state

    def close(self) -> None:
        """Remove the stored contents from disk; no state can be read or restored afterwards."""
        self._contents.close()

    def _forget(self) -> None:
        self._scanner.forget()
        self._last = None

    def _plan(self, replacing: Replacing, found: Scan, wanted: Tree[Key, RawEntry]) -> set[Key]:
        """Plan the changes; returns the places."""
        there, changed = found.files, set()
        for path in found.strays:
            replacing.drop(path)
        groups = Groups(there, wanted)
        for folder in sorted(cast("set[Key]", there.parts.keys() | wanted.parts.keys())):
            before, after = there.parts.get(folder, {}), wanted.parts.get(folder, {})
            if before is after and not groups.broken:
                continue
            if folder in wanted and wanted[folder].kind == "dir":
                replacing.opens(self.path_of(folder, wanted), wanted[folder])
            for key in before.keys() - after.keys():
                replacing.drop(self.path_of(key, there), folder=before[key].kind == "dir")
            for key, goal in after.items():
                if before.get(key) is not goal or key in groups.broken:
                    self._plan_one(replacing, groups, key, before.get(key), goal, wanted)
                    changed.add(key)
        return changed

    def _plan_one(
        self,
        replacing: Replacing,
        groups: Groups,
        key: Key,
        there: RawEntry | None,
        goal: RawEntry,
        wanted: Mapping[Key, RawEntry],
    ) -> None:
        path = self.path_of(key, wanted)
        if goal.kind == "other":
            self._plan_other(replacing, path, there, goal)
        elif key in groups.broken:
            twin = groups.broken[key]
            replacing.rewrite(path, goal, there, None if twin is None else self.path_of(twin, wanted))
        else:
            replacing.plan(path, there, goal, in_place=groups.outside(key))
        if groups.lost(key):
            rare("a hard link to the outside is lost")
            self.notes[f"{path} had another name (hard link) outside: it is lost"] = None

    def _plan_other(self, replacing: Replacing, path: str, there: RawEntry | None, goal: RawEntry) -> None:
        """Leave a socket, a pipe or a device alone; a pipe alone can be made anew."""
        if there is not None and there.kind == "other" and there.held == goal.held:
            if there.inode != goal.inode and goal.held != b"pipe":
                replacing.failed[path] = f"the {_named(goal)} that was there was replaced by another one"
        elif goal.held == b"pipe":
            replacing.plan(path, there, goal)
        else:
            replacing.failed[path] = f"the {_named(goal)} that was there is gone"

    def _remember(
        self, replacing: Replacing, folders: Folders, wanted: Mapping[Key, RawEntry], changed: Iterable[Key]
    ) -> None:
        """Tell the scanner the large files that were written, so that they are not read again at once."""
        for key in changed:
            path = self.path_of(key, wanted)
            if path in replacing.stamped and isinstance(wanted[key].held, Stored) and not wanted[key].inode:
                above, _, name = path.rpartition(os.sep)
                self._scanner.know(key, name, folders.at(above))

    def path_of(self, key: Key, files: Mapping[Key, RawEntry]) -> str:
        """Return the path of `key` in a state that has these files."""
        index, relative = key
        root = self.places[index].root
        if not relative:
            return root
        own = files.get((index, ""))
        return f"{root}/{relative}" if own is not None and own.kind == "dir" else root + relative

    def _kept(self, found: Scan) -> Mapping[Key, RawEntry]:
        """Leave out the sockets, pipes and devices that came later: those of an agent end with it."""
        files, first = found.files, self._first or {}
        if not found.others or all(entry.kind != "other" or key in first for key, entry in files.items()):
            return files
        return Tree.of({key: entry for key, entry in files.items() if entry.kind != "other" or key in first}, folder_of)

    def _check(self, found: Scan) -> None:
        """Refuse paths that could not be restored, before anything is changed; note those that are left alone."""
        if found.fixed:
            raise ChaosError(
                "immutable",
                f"{_listed(found.fixed)} cannot be put back: immutable or append-only",
                "take the attribute away (chattr -i -a), or watch a folder without it",
            )
        user = os.geteuid()
        foreign = [key for key, entry in found.files.items() if key[1] and entry.owner[0] != user] if user else []
        if foreign:
            paths = [self.path_of(key, found.files) for key in foreign]
            raise ChaosError(
                "foreign",
                f"{_listed(paths)} belongs to another user, to whom it cannot be given back",
                "watch a folder without it, or let the test make its own copy",
            )
        for key in sorted(key for key, entry in found.files.items() if entry.kind == "other"):
            name = _named(found.files[key])
            self.notes[f"{self.path_of(key, found.files)} is a {name}: it is left alone, not put back"] = None

    def _note_size(self, files: Mapping[Key, RawEntry]) -> None:
        """Say of large sources that they are large: each look costs by their entries, a state by their bytes."""
        counts = Counter(index for index, _ in files)
        sizes: Counter[int] = Counter()
        for (index, _), entry in files.items():
            sizes[index] += entry.held.size if isinstance(entry.held, Stored) else len(entry.held)
        for index, count in sorted(counts.items()):
            if count > _MANY_ENTRIES or sizes[index] > _MANY_BYTES:
                name, size = self.sources[index].path, sizes[index] / (1 << 20)
                note = f"{name} is large ({count:,} entries, {size:,.0f} MB): a smaller folder is explored faster"
                self.notes[note] = None

    def _note_links(self, files: Mapping[Key, RawEntry]) -> None:
        """Note files that have a name outside and are not what they were: that one has changed, too."""
        assert self._first is not None
        counts = Counter(entry.inode for entry in files.values() if entry.inode and entry.kind == "file")
        for key, entry in files.items():
            if entry.names > counts.get(entry.inode, 1) and entry.kind == "file":
                first = self._first.get(key)
                if first is not None and first.inode == entry.inode and first.held != entry.held:
                    self.linked[f"{self.path_of(key, files)} by another name (hard link) that is outside"] = None


def _is_as_in(found: Scan, wanted: Tree[Key, RawEntry]) -> bool:
    if found.strays or found.listings.keys() != wanted.parts.keys():
        return False
    return all(found.listings[folder].files is part for folder, part in wanted.parts.items())  # type: ignore[index]


def _named(other: RawEntry) -> str:
    return other.content.decode()


def _listed(paths: Sequence[str]) -> str:
    more = f" (and {len(paths) - _SHOWN} more)" if len(paths) > _SHOWN else ""
    return ", ".join(sorted(paths)[:_SHOWN]) + more


def _not_put_back(failed: Mapping[str, str]) -> ChaosError:
    lines = "\n".join(_told(failed))
    return ChaosError("not-put-back", f"not all could be put back as it was; everything else is as before:\n{lines}")


def _told(failed: Mapping[str, str]) -> Iterator[str]:
    for path in sorted(failed)[:_SHOWN]:
        yield f"{path}: {failed[path]}"
    if len(failed) > _SHOWN:
        yield f"and {len(failed) - _SHOWN} more"
