"""Look at snapshots: as worlds, as identities, as differences; remembers, since the same ones come again and again."""

from dataclasses import replace
from urllib.parse import urlsplit

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
        self._identities: dict[tuple[int, float, frozenset[int]], tuple[World, str]] = {}
        executor.same_outside = self.same

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

    def same(self, one: Snapshot, other: Snapshot) -> bool:
        """Say whether two snapshots are the same to a person, databases compared by rows."""
        return one.same_state(other) or self.world(one) == self.world(other)

    def identity(self, snapshot: Snapshot) -> str:
        """Return the same text for worlds that no recovery can tell apart."""
        world = self.world(snapshot)
        key = (id(world), snapshot.clock, snapshot.pids)
        if key not in self._identities:
            self._identities[key] = (world, self.identity_of(world, snapshot))
        return self._identities[key][1]

    def identity_of(self, world: World, snapshot: Snapshot) -> str:
        """Return the same for what a recovery would find instead of `snapshot`, services excepted."""
        executor = self._executor
        met = replace(world, resources=self._recalled(snapshot))
        known = (self.masks, snapshot.pids, executor.roots, executor.cuts, executor.names)
        return identity(met, snapshot.clock, *known)

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
