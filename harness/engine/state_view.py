"""Raw states as worlds, as fingerprints, as differences; cached, since the same states recur."""

from collections.abc import Mapping
from dataclasses import replace

from ..values.world import Diff, Row, World
from ..world.comparing.compare import Masks, difference
from ..world.volatile.fingerprint import Moment, fingerprint
from .config import ExplorationConfig
from .process_runs import RawState
from .session import Learned
from .worlds import Worlds


class StateView:
    """Turns raw states into worlds, fingerprints and differences; cached, since the same states recur.

    Args:
        worlds: describes raw states.
        learned: what is known of volatile values by now; may grow.
        roots: absolute paths of the sources and their readable names.
        masks: what does not count in a comparison.
        shown: numbers that the outside shows anyway: what reads like one of them is no pid.
    """

    def __init__(
        self,
        config: ExplorationConfig,
        worlds: Worlds,
        learned: Learned,
        roots: Mapping[str, str],
        masks: Masks,
        shown: frozenset[int] = frozenset(),
    ) -> None:
        self._config, self._learned, self._roots, self.masks = config, learned, roots, masks
        self._shown = shown
        self.world, self._spent = worlds.world, worlds.spent
        self._diffs: dict[tuple[int, int], tuple[World, World, Diff]] = {}
        self._fingerprints: dict[tuple[int, float, frozenset[int], frozenset[int]], tuple[World, str]] = {}
        self._full_states: dict[tuple[bytes, ...], dict[str, list[Row]]] = {}

    def fingerprint(self, raw_state: RawState) -> str:
        """Return a hash that is equal for states that no recovery can tell apart."""
        world = self.world(raw_state)
        key = (id(world), raw_state.clock, raw_state.pids, raw_state.reused)
        if key not in self._fingerprints:
            with self._spent.on("compare"):
                named = self.fingerprint_of(world, raw_state)
            # The world is kept: its id stands in the key, and must not become another object's.
            self._fingerprints[key] = (world, named)
        return self._fingerprints[key][1]

    def fingerprint_of(self, world: World, raw_state: RawState) -> str:
        """Return the fingerprint of `world` in place of the state's own; the services are the state's."""
        met = replace(world, resources=self._recalled(raw_state))
        # A table of 100,000 numbered rows has the number of each process in it, and no two worlds would be one. Whether
        # a reused pid runs can be asked, whoever wrote it.
        pids = raw_state.pids - self._shown | raw_state.pids & raw_state.reused
        moment = Moment(raw_state.clock, pids, raw_state.reused)
        return fingerprint(met, moment, self.masks, self._roots, self._learned.torn_values, self._learned.names)

    @property
    def names(self) -> set[str]:
        """The names of temporary files that were drawn by now."""
        return self._learned.names

    @property
    def credentials(self) -> dict[str, bytes]:
        """The credentials that are known by now, by a readable label; what the test declares wins."""
        return {**self._learned.credentials, **self._config.secrets}

    def secrets(self) -> list[bytes]:
        """Return the credentials that are known by now."""
        return [secret for secret in (*self._learned.credentials.values(), *self._config.secrets.values()) if secret]

    def _recalled(self, raw_state: RawState) -> dict[str, list[Row]]:
        """Return the full state of all services: a recovery can also meet idempotency keys and what was deleted."""
        if raw_state.services not in self._full_states:
            recalled: dict[str, list[Row]] = {}
            for service, state in zip(self._config.services, raw_state.services, strict=True):
                full_state = getattr(service, "full_state", service.describe)
                recalled.update(full_state(state))
            # One list for equal states: what is made of its rows is remembered by the list.
            self._full_states[raw_state.services] = recalled
        return self._full_states[raw_state.services]

    def difference(self, expected: RawState, found: RawState) -> Diff:
        """Return the differences of two states, masks applied; empty means equal."""
        first, second = self.world(expected), self.world(found)
        key = (id(first), id(second))
        if key not in self._diffs:
            with self._spent.on("compare"):
                self._diffs[key] = (first, second, difference(first, second, self.masks))
        return self._diffs[key][2]
