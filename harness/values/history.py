"""The history of one schedule, as invariants see it: how its processes ended, and what is wrong outside."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .causes import Way
from .errors import ChaosError
from .places import Raised
from .world import Diff, World

Verdict = Literal["holds", "vacuous", "unknown", "violated"]
Role = Literal["run", "recover early", "recover", "recover again", "retry"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one process.

    `error` is the exception's type and text, or what the watchdog saw; `traceback` is for people; `raised` tells
    exceptions apart.
    """

    kind: Literal["returned", "raised", "killed", "unbounded", "hung"]
    value: object = None
    error: str = ""
    traceback: str = ""
    raised: Raised | None = None

    @property
    def ended(self) -> bool:
        """Return whether the process came to an end by itself or by a planned kill."""
        return self.kind in ("returned", "raised", "killed")


@dataclass(frozen=True, slots=True)
class Execution:
    """One process of a schedule: its role, whether a fault was planned in it, how it ended, and what it sent.

    A recovery that met a live lease was early: another one followed when the lease had run out.
    `resent` counts, for each refused credential (by a readable label), how often it was sent again.
    """

    role: Role
    outcome: Outcome
    faulted: bool = False
    resent: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """One judged schedule, after its last recovery.

    Attributes:
        executions: the processes in order; "recover again" and "retry" are the harness's own questions.
        before: the world before; `done`: after a fault-free run.
        from_before: what differs from `before`; `from_done`: from `done`. Empty means equal.
        accepted: whether the test's `allow` takes this end.
        claims_done: whether `run` returned what a fault-free run returns; None where there is nothing to compare.
        again: the changes of one more recovery; None if none was run.
        retried: the differences of a retry's end from `done`; None if none was run.
        transient: names of paths that a fault-free run makes and takes away again.
        secrets: credentials by a readable label.
        leftover_names: glob patterns of names that locks, staging folders and temporary files have.
        recovery_claims_done: the same as `claims_done` of the last recovery, where that is `run` again.
    """

    executions: tuple[Execution, ...]
    before: World
    done: World
    from_before: Diff
    from_done: Diff
    accepted: bool = False
    claims_done: bool | None = None
    again: Diff | None = None
    retried: Diff | None = None
    transient: frozenset[str] = frozenset()
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    leftover_names: tuple[str, ...] = ()
    recovery_claims_done: bool | None = None

    def of(self, *roles: str) -> Iterator[Execution]:
        """Yield the executions in one of these roles."""
        return (e for e in self.executions if e.role in roles)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: what is wrong, and the difference that shows it.

    `by` is the process that shows it, where that is a certain one: how it ended, or what it changed, is wrong. `way`
    says how the promise is broken, where the difference does not.
    """

    message: str
    diff: Diff = ()
    by: Execution | None = None
    way: Way | None = None


Check = Callable[[World, History], Iterable[Violation]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A named promise. `applies` false means that there was nothing to judge: vacuous."""

    name: str
    check: Check
    applies: Callable[[World, History], bool]
    doc: str


def of_function(function: Callable[[World], object]) -> Invariant:
    """Return the invariant of a test's own function, which raises AssertionError where it does not hold."""

    def check(after: World, history: History) -> Iterable[Violation]:
        returned = function(after)
        if returned is not None and returned is not True:
            hint = "an invariant raises AssertionError: assert …, and returns nothing"
            raise ChaosError("no-verdict", f"the invariant {name} returned {returned!r:.80}", hint)
        return ()

    name = getattr(function, "__name__", type(function).__name__)
    doc = (inspect.getdoc(function) or name).partition("\n")[0]
    return Invariant(name, check, lambda after, history: True, doc)


def invariant(
    name: str, *, applies: Callable[[World, History], bool] = lambda after, history: True
) -> Callable[[Check], Invariant]:
    """Declare an invariant. Decorates a generator that yields a `Violation` for each way in which it is broken."""

    def declare(check: Check) -> Invariant:
        if not check.__doc__:
            raise TypeError(f"invariant {name!r} has no docstring: say in one line what must hold")
        return Invariant(name, check, applies, check.__doc__.strip().splitlines()[0])

    return declare
