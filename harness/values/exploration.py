"""The result of an exploration, as every report writes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .causes import Cause
from .drawn import NONE, DrawnSets
from .dry_run import DryRun
from .earlier import Replayed
from .schedule import Schedule
from .story import Blamed, Cure, Exchange, Severity, States, Step
from .struck import Struck

_SHOWN = 3


def counted(number: int, thing: str) -> str:
    """Return so many things in words: ``1 violation``, ``2 violations``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def some_of(names: Iterable[str]) -> str:
    """Return the first few names, and how many more there are."""
    first, rest = (known := list(names))[:_SHOWN], known[_SHOWN:]
    return ", ".join(first) + (f" and {len(rest)} more" if rest else "")


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause of failures with its smallest schedule.

    Attributes:
        planned: its smallest schedule.
        cells: how many schedules fail in this way; `also` has some more of them.
        phases: the story as a replay prints it: each a heading and lines.
        title: what is wrong outside, in a few words; `sentence` what is there, what was done, and which line did it.
        kind: what kind of bug it is, in the words of the docs; "" where that is not known.
        story: its steps in true order.
        blamed: the lines behind its durable effects, the one to look at first at the beginning.
        exchange: what was asked of models, and answered.
    """

    invariants: tuple[str, ...]
    planned: Schedule
    message: str
    diff: tuple[str, ...] = ()
    cells: int = 1
    phases: tuple[tuple[str, tuple[str, ...]], ...] = ()
    expected: str = ""
    actual: str = ""
    cause: Cause | None = None
    title: str = ""
    sentence: str = ""
    severity: Severity = ""
    kind: str = ""
    cure: Cure = field(default_factory=Cure)
    story: tuple[Step, ...] = ()
    states: States = field(default_factory=States, hash=False)  # plain data has no hash
    blamed: tuple[Blamed, ...] = ()
    exchange: tuple[Exchange, ...] = field(default=(), hash=False)
    also: tuple[Schedule, ...] = ()

    @property
    def schedule(self) -> str:
        """The token of its smallest schedule."""
        return str(self.planned)

    def as_json(self) -> dict[str, Any]:
        """Return the contract's JSON form."""
        return {
            "invariants": list(self.invariants),
            "schedule": self.schedule,
            "message": self.message,
            "diff": list(self.diff),
            **({"cause": self.cause.as_json()} if self.cause is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class Cell:
    """One aggregated row of the exploration: a point, a fault, a verdict, and how many schedules it stands for.

    `merged` of them were not carried out themselves: one that no recovery can tell apart was.
    """

    point: str
    fault: str
    verdict: str
    invariants: tuple[str, ...]
    planned: Schedule
    count: int = 1
    merged: int = 0

    @property
    def schedule(self) -> str:
        """The token of the smallest schedule that it stands for."""
        return str(self.planned)


@dataclass(frozen=True, slots=True)
class Exploration:
    """The result of an exploration.

    Attributes:
        name: what the test calls it; `label` what tells it apart within its test, "" for the first without a name.
        points: places where the fault-free run touches the outside.
        schedules: schedules judged, merged ones included (up to two crashes are counted one by one).
        executions: processes that were run; those of the audit are told apart in the statement.
        worlds: distinct worlds that a recovery started from.
        closed: whether any number of crashes is covered.
        result: what the fault-free run returned.
        verdicts: worst verdict of each invariant.
        concurrent: "tasks", "threads" and "programs" where of effects side by side one order was tried only.
        orders: how many other orders of effects in flight together were tried.
        inside: points of programs that changed what is watched while nobody looked.
        asked: hosts that nobody declared, and the agent's line, where it only looked, was refused, and went on.
        unheld: what could reach the network and is not held back from it: programs, native code, Unix sockets.
        unordered: what was left to the machine: locks that are Python's own, and what took long in real time.
        not_explored: which lines start processes that change what is watched, and what; what cannot be tried with the
            versions of libraries that are there.
        growing: what grows with each restart, so that further crashes were not tried.
        not_tried: families of faults of which some were left out: how many were tried, of how many.
        notes: what a user should know of what was watched: that it is large, what of it is left alone.
        interrupted: what ended it before its end, "" where it came to its end.
        story: the steps of a replay that breaks nothing.
        elsewhere: whether this was a replay of a schedule whose first point this fault-free run does not have.
        model: the part of the statement that says which faults and crashes were tried; "" for a replay.
        shard: (K, N) where it is the K-th of N disjoint parts.
        places: the points of the fault-free run, waits included, where faults are placed; empty where nothing was
            planned.
        only_at: which points those are, in words, and of how many; "" for all.
        firing: for each fault that was selected the points at which it can fire.
        not_selected: the faults that are installed and were not selected; `on_request` those of them that have to be
            selected by name.
        permitted: real hosts that the agent may reach.
        replayed: what came of the schedules of an earlier run's findings that were not found again, by their ids;
            `not_looked_at` has those that were not carried out, and why.
        struck: how the runs ended that a fault struck.
        drawn: the sets of faults that were drawn.
        spent: seconds of real time by what they went into, see `values.durations`.
        dry_run: what would be tried, where nothing was.
    """

    test: str = ""
    name: str = ""
    label: str = ""
    points: int = 0
    schedules: int = 0
    executions: int = 0
    worlds: int = 0
    closed: bool = False
    skipped: Mapping[str, int] = field(default_factory=dict)
    drifted: tuple[str, ...] = ()
    unintercepted: tuple[str, ...] = ()
    unwatched: tuple[str, ...] = ()
    concurrent: tuple[str, ...] = ()
    orders: int = 0
    inside: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    unheld: tuple[str, ...] = ()
    unordered: tuple[str, ...] = ()
    not_explored: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    growing: tuple[str, ...] = ()
    not_tried: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    audited: int = 0
    seconds: float = 0.0
    statement: str = ""
    violations: tuple[Finding, ...] = ()
    flaky: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)
    result: Any = None
    elsewhere: bool = False
    notes: tuple[str, ...] = ()
    interrupted: str = ""
    model: str = ""
    shard: tuple[int, int] = (1, 1)
    places: tuple[str, ...] = ()
    only_at: str = ""
    firing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    not_selected: tuple[str, ...] = ()
    on_request: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    story: tuple[Step, ...] = ()
    replayed: Mapping[str, Replayed] = field(default_factory=dict)
    not_looked_at: Mapping[str, str] = field(default_factory=dict)
    struck: Struck = field(default_factory=Struck)
    drawn: DrawnSets = NONE
    spent: Mapping[str, float] = field(default_factory=dict)
    dry_run: DryRun | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the contract's JSON form."""
        return {
            "test": self.test,
            **({"name": self.name} if self.name else {}),
            **({"label": self.label} if self.label and self.label != self.name else {}),
            **({"interrupted": self.interrupted} if self.interrupted else {}),
            "points": self.points,
            "schedules": self.schedules,
            "executions": self.executions,
            "worlds": self.worlds,
            "closed": self.closed,
            "skipped": dict(self.skipped),
            "drifted": len(self.drifted),
            "unintercepted": len(self.unintercepted),
            "unwatched": list(self.unwatched),
            "masked": list(self.masked),
            "not_tried": {family: f"{tried} of {planned} tried" for family, (tried, planned) in self.not_tried.items()},
            "audited": self.audited,
            "seconds": round(self.seconds, 3),
            "statement": self.statement,
            "verdicts": dict(self.verdicts),
            "violations": [finding.as_json() for finding in self.violations],
            "flaky": list(self.flaky),
            "errors": list(self.errors),
            **({"not_explored": list(self.not_explored)} if self.not_explored else {}),
            **({"notes": list(self.notes)} if self.notes else {}),
        }
