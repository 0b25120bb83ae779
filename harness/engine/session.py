"""Knowledge of the agent: the results of its fault-free runs, and what later processes add."""

from dataclasses import dataclass, field

from ..boundary.resolved import Limits
from ..values.http import HttpRequest
from ..world.comparing.compare import Masks
from ..world.volatile.torn_values import TornValues
from .noticed import Noticed
from .process_runs import ProcessRun, RawState
from .tool_calls import KnownTools


@dataclass(frozen=True, slots=True)
class Learned:
    """Facts that any process can add to; none is removed.

    Attributes:
        names: of temporary files that were drawn.
        credentials: that services accepted, by a readable label.
        torn_values: what a torn write left of generated values.
        noticed: what the statement must say of them.
        tools: that models have the agent call.
        unconfirmed: an error of the harness for each fault that was due and did not happen.
    """

    names: set[str] = field(default_factory=set)
    credentials: dict[str, bytes] = field(default_factory=dict)
    torn_values: TornValues = field(default_factory=TornValues)
    noticed: Noticed = field(default_factory=Noticed)
    tools: KnownTools = field(default_factory=KnownTools)
    unconfirmed: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The fault-free runs, which all else is compared with.

    Attributes:
        initial: the outside before the run.
        first: the traced run that schedules are planned on.
        others: further runs with other random streams, clocks and pids.
        requests: what each twin was asked in the first run.
        transient: canonical names of paths that come and go within a run.
    """

    initial: RawState
    first: ProcessRun
    others: tuple[ProcessRun, ...]
    requests: tuple[tuple[HttpRequest, ...], ...]
    transient: frozenset[str]

    @property
    def done(self) -> RawState:
        """Return the outside after a fault-free run."""
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
