"""Raw states as the worlds that a person would see; cached, since the same ones recur."""

from collections.abc import Iterator, Mapping, Set
from urllib.parse import urlsplit

from ..values.durations import Spent
from ..values.points import canonical, hide_drawn
from ..values.trees import differing
from ..values.world import Collections, Row, World
from ..world.storage.describe import world_of
from .config import ExplorationConfig
from .process_runs import RawState


class Worlds:
    """Describes raw states, and names the differences between two of them, without masks.

    Args:
        names: of temporary files that were drawn by now; may grow.
        spent: where the time goes.
    """

    def __init__(self, config: ExplorationConfig, names: Set[str], spent: Spent) -> None:
        self._config, self._names, self.spent = config, names, spent
        self._known: dict[tuple[int, tuple[bytes, ...]], tuple[RawState, World]] = {}
        self._alike: dict[tuple[object, ...], World] = {}

    def world(self, raw_state: RawState) -> World:
        """Return the world that a raw state means: files, rows, resources."""
        key = (id(raw_state.disk), raw_state.services)
        if key not in self._known:
            with self.spent.on("compare"):
                self._known[key] = (raw_state, self._described(raw_state))
        return self._known[key][1]

    def _described(self, raw_state: RawState) -> World:
        resources: dict[str, list[Row]] = {}
        for service, state in zip(self._config.services, raw_state.services, strict=True):
            resources.update(service.describe(state))
        hosts = [f"{urlsplit(twin.base_url).netloc}/" for twin in self._config.twins]
        world = world_of(self._config.sources, raw_state.disk, Collections(resources, hosts))
        # Thousands of states mean the same: one world stands for them, and is named and compared once.
        disk = id(world.entries), id(world.tables), id(world.private_entries), id(world.private_tables)
        return self._alike.setdefault((*disk, raw_state.services), world)

    def changed(self, old: RawState, new: RawState) -> list[str]:
        """Return the names of what a person would see changed, databases compared by rows; random parts replaced."""
        if old.same_state(new):
            return []
        before, after = self.world(old), self.world(new)
        if before == after:
            return []
        names = {canonical(hide_drawn(name, self._names)) for name in _changed(before, after)}
        return sorted(names) or ["the outside"]


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
