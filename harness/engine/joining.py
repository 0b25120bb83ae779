"""Crash states that differ only in what nobody reads are one: a log that each start appends to.

A state joins a known one where both are equal in all that the recovery from the known one, and every process after it,
asked for, and in all that is judged. Kin: the read sets of optimistic transactions; dynamic partial-order reduction,
where a later look can take apart what was taken for one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from ..values.credentials import is_in_clear
from ..values.reads import NOTHING, Footprint, together
from ..values.trees import replaced
from ..values.world import Entry, World
from ..world.volatile.leases import live_leases
from .process_runs import RawState
from .state_view import StateView

_NOT_READ = b"what nobody reads"


class Joining:
    """Tells whether two crash states are equal to a process that reads no more than a footprint.

    What is watched is judged, and always counts. Of what is private the files count that are read, and those that are
    judged by their content: a live lease, a credential. Names, kinds and modes count anywhere.
    """

    def __init__(self, view: StateView) -> None:
        self._view = view
        self._kept: dict[tuple[int, float], frozenset[str]] = {}
        self._by_hidden: dict[tuple[object, ...], tuple[World, str]] = {}

    def weakest(self, raw_state: RawState) -> str:
        """Return a fingerprint without the contents of private files: states can join only if it is equal."""
        return self.fingerprint(raw_state, NOTHING)

    def fingerprint(self, raw_state: RawState, footprint: Footprint) -> str:
        """Return a fingerprint that leaves out the private files which a process with this footprint did not read."""
        world = self._view.world(raw_state)
        hidden = frozenset(self._unread(world, raw_state.clock, footprint))
        key = (id(world), raw_state.clock, raw_state.pids, raw_state.reused, hidden)
        if key not in self._by_hidden:
            unread = {name: replace(world.private_entries[name], held=_NOT_READ) for name in hidden}
            entries = replaced(world.private_entries, unread)
            text = self._view.fingerprint_of(replace(world, private_entries=entries), raw_state) if hidden else ""
            # The world is kept beside the text: its id stands in the key, and must not become another object's.
            self._by_hidden[key] = world, text or self._view.fingerprint(raw_state)
        return self._by_hidden[key][1]

    def _unread(self, world: World, clock: float, footprint: Footprint) -> Iterator[str]:
        # After a program, a fork or native code nothing can be called unread.
        if footprint.everything:
            return
        kept = self._judged_by_content(world, clock)
        for name, entry in world.private_entries.items():
            if entry.kind == "file" and name not in kept and not _reads(footprint, name):
                yield name

    def _judged_by_content(self, world: World, clock: float) -> frozenset[str]:
        """Return the private files whose content is judged, or decides when a recovery runs."""
        # `credential_hygiene` looks for credentials in contents, and a live lease makes a recovery early.
        key = (id(world), clock)
        if key not in self._kept:
            secrets = self._view.secrets()
            self._kept[key] = frozenset(
                name
                for name, entry in world.private_entries.items()
                if entry.kind == "file"
                and (_leased(name, entry, clock) or any(is_in_clear(secret, entry.held) for secret in secrets))
            )
        return self._kept[key]

    def forget(self) -> None:
        """Start over: masks have changed, or credentials are known that were not."""
        self._kept.clear()
        self._by_hidden.clear()


class Noticing(Mapping[str, Entry]):
    """The private files of a world, for a user's check: calls `look` when the check reads them."""

    def __init__(self, entries: Mapping[str, Entry], look: Callable[[], None]) -> None:
        self._entries, self._look = entries, look

    def __getitem__(self, name: str) -> Entry:
        self._look()
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        self._look()
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _reads(footprint: Footprint, name: str) -> bool:
    """Return whether a process read something that depends on content: bytes, size or time of change."""
    return footprint.reads(name, "content") or footprint.reads(name, "size") or footprint.reads(name, "time")


def _leased(name: str, entry: Entry, clock: float) -> bool:
    return bool(live_leases(World(private_entries={name: entry}), clock))


def with_all_after(own: Mapping[str, Footprint], following: Mapping[str, Iterable[str]]) -> dict[str, Footprint]:
    """Return for each crash state what its own processes asked for, and those of all states that came of these.

    Args:
        own: by the state's fingerprint.
        following: the states that a crash in a recovery leaves, by the state that it started from.
    """
    leading: dict[str, list[str]] = {}
    for key, nexts in following.items():
        for one in nexts:
            leading.setdefault(one, []).append(key)
    found = dict(own)
    # A fixpoint, since recoveries can lead to each other's crash states; footprints only grow, so it ends.
    work = list(found)
    while work:
        key = work.pop()
        for before in leading.get(key, ()):
            wider = together([found[before], found[key]])
            if wider != found[before]:
                found[before] = wider
                work.append(before)
    return found
