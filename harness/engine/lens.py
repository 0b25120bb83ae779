"""Look at snapshots: as worlds, as identities, as differences; remembers, since the same ones come again and again."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from ..values.points import canonical, hide_drawn
from ..values.trees import differing
from ..values.world import Collections, Diff, Row, World
from ..world.compare import Masks, difference
from ..world.describe import world_of
from ..world.identity import identity
from .execute import Executor
from .lives import Snapshot
from .setting import Setting


class Lens:
    """Turns snapshots into what can be compared."""

    def __init__(self, setting: Setting, executor: Executor) -> None:
        self._setting, self._executor = setting, executor
        self.masks = Masks()
        self._worlds: dict[tuple[int, tuple[bytes, ...]], tuple[Snapshot, World]] = {}
        self._diffs: dict[tuple[int, int], tuple[World, World, Diff]] = {}
        self._identities: dict[tuple[int, float, frozenset[int], frozenset[int]], tuple[World, str]] = {}
        executor.changed = self.changed

    def world(self, snapshot: Snapshot) -> World:
        """Return what a person would see."""
        key = (id(snapshot.disk), snapshot.services)
        if key not in self._worlds:
            resources: dict[str, list[Row]] = {}
            for service, state in zip(self._setting.services, snapshot.services, strict=True):
                resources.update(service.describe(state))
            hosts = [f"{urlsplit(twin.base_url).netloc}/" for twin in self._setting.twins]
            found = Collections(resources, hosts)
            self._worlds[key] = (snapshot, world_of(self._setting.sources, snapshot.disk, found))
        return self._worlds[key][1]

    def changed(self, old: Snapshot, new: Snapshot) -> list[str]:
        """Return the names of what a person would see changed, databases compared by rows; random parts replaced."""
        if old.same_state(new):
            return []
        before, after = self.world(old), self.world(new)
        if before == after:
            return []
        names = {canonical(hide_drawn(name, self.names)) for name in _changed(before, after)}
        return sorted(names) or ["the outside"]

    def identity(self, snapshot: Snapshot) -> str:
        """Return the same text for worlds that no recovery can tell apart."""
        world = self.world(snapshot)
        key = (id(world), snapshot.clock, snapshot.pids, snapshot.reused)
        if key not in self._identities:
            self._identities[key] = (world, self.identity_of(world, snapshot))
        return self._identities[key][1]

    def identity_of(self, world: World, snapshot: Snapshot) -> str:
        """Return the same for what a recovery would find instead of `snapshot`, services excepted."""
        executor = self._executor
        met = replace(world, resources=self._recalled(snapshot))
        known = (self.masks, snapshot.pids, executor.roots, executor.cuts, executor.names)
        return identity(met, snapshot.clock, *known, snapshot.reused)

    @property
    def names(self) -> set[str]:
        """The names of temporary files that were drawn by now."""
        return self._executor.names

    def secrets(self) -> list[bytes]:
        """Return the credentials that are known by now."""
        return [secret for secret in (*self._executor.credentials.values(), *self._setting.secrets.values()) if secret]

    def _recalled(self, snapshot: Snapshot) -> dict[str, list[Row]]:
        """Return what the services remember: a recovery can meet more than what is live (idempotency keys)."""
        recalled: dict[str, list[Row]] = {}
        for service, state in zip(self._setting.services, snapshot.services, strict=True):
            recall = getattr(service, "recall", service.describe)
            recalled.update(recall(state))
        return recalled

    def difference(self, expected: Snapshot, found: Snapshot) -> Diff:
        """Return what differs outside, masks applied; empty means equal."""
        first, second = self.world(expected), self.world(found)
        key = (id(first), id(second))
        if key not in self._diffs:
            self._diffs[key] = (first, second, difference(first, second, self.masks))
        return self._diffs[key][2]

    def forget_identities(self) -> None:
        """Start over with new masks."""
        self._identities.clear()
        self._diffs.clear()


def _changed(before: World, after: World) -> Iterator[str]:
    """Yield the names of paths, databases and collections that differ."""
    for old, new in ((before.entries, after.entries), (before.private_entries, after.private_entries)):
        yield from (path for path in differing(old, new) if old.get(path) != new.get(path))
    databases = (before.tables, after.tables), (before.private_tables, after.private_tables)
    for was, now in (*databases, (before.schemas, after.schemas)):
        yield from (name.partition(":")[0] for name in _unequal(was, now))
    yield from _unequal(before.resources, after.resources)


def _unequal(was: Mapping[str, object], now: Mapping[str, object]) -> Iterator[str]:
    there, here = dict(was), dict(now)  # a short name would be found, too
    return (name for name in {*there, *here} if there.get(name) != here.get(name))
