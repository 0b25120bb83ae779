"""What is known of the agent: the results of its fault-free runs, and what later processes add."""

from dataclasses import dataclass, field

from ..boundary.armed import Limits
from ..values.http import HttpRequest
from ..world.compare import Masks
from ..world.cuts import Cuts
from .lives import Lived, Snapshot
from .noticed import Noticed


@dataclass(frozen=True, slots=True)
class Learned:
    """Facts that any process can add to; none is removed.

    Attributes:
        names: of temporary files that were drawn.
        credentials: that services accepted, by a readable label.
        cuts: what a torn write left of generated values.
        noticed: what the statement must say of them.
    """

    names: set[str] = field(default_factory=set)
    credentials: dict[str, bytes] = field(default_factory=dict)
    cuts: Cuts = field(default_factory=Cuts)
    noticed: Noticed = field(default_factory=Noticed)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a fault-free run does.

    Attributes:
        initial: the outside before.
        first: the traced run that schedules are planned on.
        others: further runs with other random streams, clocks and pids.
        requests: what each twin was asked in the first run.
        transient: canonical names of paths that come and go within a run.
    """

    initial: Snapshot
    first: Lived
    others: tuple[Lived, ...]
    requests: tuple[tuple[HttpRequest, ...], ...]
    transient: frozenset[str]

    @property
    def done(self) -> Snapshot:
        """The outside after."""
        return self.first.end


@dataclass(frozen=True, slots=True)
class Session:
    """The result of `observe`; everything after it reads this value.

    Attributes:
        masks: what is volatile outside.
        limits: how much a process may do before it counts as endless.
        taken: pids that no process may have, since the outside shows these numbers anyway.
        learned: facts from the fault-free runs; later processes add to them.
    """

    baseline: Baseline
    masks: Masks
    limits: Limits
    taken: frozenset[int]
    learned: Learned
