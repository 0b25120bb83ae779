"""The input of an exploration: the agent, the outside, and the faults that may be injected."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..guard.guarding import Guard
from ..network.proxies import Proxies
from ..network.relay_handle import RelayHandle
from ..network.twin_server_process import TwinServerProcess
from ..values.arguments import Errors
from ..values.cleaning import Cleaner
from ..values.earlier import EarlierFinding
from ..values.events import Reader
from ..values.faults import Fault
from ..values.history import Invariant
from ..values.network import Reach
from ..values.schedule import Schedule
from ..values.selection import AtPoint, PointSelection
from ..values.sources import Twin, WorldSource
from ..values.world import World
from ..world.storage.disk import Source

_T = TypeVar("_T", bound=AtPoint)


@dataclass(frozen=True, slots=True)
class ExplorationConfig:
    """Everything that an exploration depends on.

    Attributes:
        test: the id of the test; `name` is its name for the exploration, `label` tells this one apart from others.
        sources: watched and private paths.
        services: further external state, twins included.
        faults: those that were selected; `known` has all that are installed.
        points: where faults are placed, crashes and those of recoveries included.
        secrets: credentials by a readable label; `cleaner` hides them, and others, in all that is told.
        shard: (K, N) for the K-th of N disjoint parts, K from 1.
        errors: what follows an error that leaves `run`: "recover", in a new process, and where that is `run` again in
            the same one, too; "worker": always in both; "restart": in a new one only; "handled": nothing.
        reuse: whether one process may carry out several schedules: the agent keeps nothing in memory.
        audit: how many merged crashes are run truly; `audit_joined`: of those that differ in what nobody reads.
        many_worlds: from so many on, no further crash is tried after two that end in a failure.
        relays: the relays in front of services on real ports.
        proxies: make the faults of the network that the relays leave to Toxiproxy.
        servers: serve twins on real ports.
        readers: are told the events.
        outlets: descriptors of the terminal and its like, besides the standard ones.
        first: whether one confirmed finding ends the exploration.
        root: the folder that files of the agent are named below.
        failed_before: schedules that failed in the last session, and are carried out first.
        converse: shows a person what a debugger has printed, and returns the line that is typed, where the debugger
            waits for one; None without a debugger.
        draws: how many faults a set has at most that is drawn beyond what is enumerated, and for how many seconds.
        keep: the folder for states of findings; None where none are kept.
        earlier: what an earlier run found here; what of that is not found again is looked at once more.
        accepted: ids of violations that do not fail the test.
        guard: returns the guardian, which puts the sources back when this process is ended; None for no guardian.
    """

    run: Callable[[], Any]
    recover: Callable[[], Any]
    sources: Sequence[Source]
    services: Sequence[WorldSource]
    twins: Sequence[Twin]
    faults: Sequence[Fault]
    known: Mapping[str, Fault]
    invariants: Sequence[Invariant]
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    leftover_names: tuple[str, ...] = ()
    seed: int = 0
    allow: Callable[[World], object] | None = None
    retry: bool = True
    errors: Errors = "recover"
    hosts: frozenset[str] = frozenset()
    offline: frozenset[str] = frozenset()
    relays: Sequence[RelayHandle] = ()
    proxies: Proxies | None = None
    servers: Sequence[TwinServerProcess] = ()
    readers: Sequence[Reader] = ()
    outlets: Sequence[int] = ()
    root: Path | None = None
    guard: Callable[[], Guard] | None = None
    first: bool = False
    failed_before: Sequence[Schedule] = ()
    draws: tuple[int, float] | None = None
    keep: Path | None = None
    converse: Callable[[str, bool], str] | None = None
    max_crashes: int = 6
    max_worlds: int = 4000
    many_worlds: int = 100
    audit: int = 3
    audit_joined: int = 16
    depth: int = 1
    points: PointSelection = field(default_factory=PointSelection)
    budget_s: float | None = None
    shard: tuple[int, int] = (1, 1)
    reuse: bool = False
    test: str = ""
    name: str = ""
    label: str = ""
    cleaner: Cleaner = field(default_factory=Cleaner)
    earlier: Sequence[EarlierFinding] = ()
    accepted: frozenset[str] = frozenset()

    @property
    def rereads(self) -> bool:
        """Return whether the agent's reads of its own writes are points."""
        return any(fault.rereads for fault in self.faults)

    @property
    def reach(self) -> Reach:
        """Return the part of the real network that the agent may reach."""
        networks = {(f.network.host, f.network.port): f.network.name for f in self.relays}
        return Reach(self.hosts, networks, self.offline)

    @property
    def worker(self) -> bool:
        """Return whether a process that an error leaves is called again, beside the recovery in a new one."""
        return self.errors == "worker" or (self.errors == "recover" and self.run is self.recover)

    def killed_at(self, things: Iterable[_T]) -> list[_T]:
        """Return those of these crash states (or other things at a point) at which a crash is tried."""
        return self.points.at(things) if self.kill is not None else []

    @property
    def kill(self) -> Fault | None:
        """Return the fault that crashes the process, if it is selected."""
        return next((f for f in self.faults if f.name == "process.kill"), None)
