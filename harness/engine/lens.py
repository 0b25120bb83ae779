"""Look at snapshots: as worlds, as identities, as differences; remembers, since the same ones come again and again."""

from collections.abc import Mapping
from dataclasses import replace

from ..values.world import Diff, Row, World
from ..world.compare import Masks, difference
from ..world.identity import identity
from .lives import Snapshot
from .session import Learned
from .setting import Setting
from .worlds import Worlds


class Lens:
    """Turns snapshots into what can be compared.

    Args:
        worlds: describes snapshots.
        learned: what is known of volatile values by now; may grow.
        roots: absolute paths of the sources and their readable names.
        masks: what does not count in a comparison.
    """

    def __init__(
        self, setting: Setting, worlds: Worlds, learned: Learned, roots: Mapping[str, str], masks: Masks
    ) -> None:
        self._setting, self._learned, self._roots, self.masks = setting, learned, roots, masks
        self.world = worlds.world
        self._diffs: dict[tuple[int, int], tuple[World, World, Diff]] = {}
        self._identities: dict[tuple[int, float, frozenset[int], frozenset[int]], tuple[World, str]] = {}

    def identity(self, snapshot: Snapshot) -> str:
        """Return the same text for worlds that no recovery can tell apart."""
        world = self.world(snapshot)
        key = (id(world), snapshot.clock, snapshot.pids, snapshot.reused)
        if key not in self._identities:
            self._identities[key] = (world, self.identity_of(world, snapshot))
        return self._identities[key][1]

    def identity_of(self, world: World, snapshot: Snapshot) -> str:
        """Return the same for what a recovery would find instead of `snapshot`, services excepted."""
        met = replace(world, resources=self._recalled(snapshot))
        known = (self.masks, snapshot.pids, self._roots, self._learned.cuts, self._learned.names)
        return identity(met, snapshot.clock, *known, snapshot.reused)

    @property
    def names(self) -> set[str]:
        """The names of temporary files that were drawn by now."""
        return self._learned.names

    @property
    def credentials(self) -> dict[str, bytes]:
        """The credentials that are known by now, by a readable label; what the test declares wins."""
        return {**self._learned.credentials, **self._setting.secrets}

    def secrets(self) -> list[bytes]:
        """Return the credentials that are known by now."""
        return [secret for secret in (*self._learned.credentials.values(), *self._setting.secrets.values()) if secret]

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
