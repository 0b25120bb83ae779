"""A schedule's text *is* the schedule: parse and print replay tokens."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .actions import Action
from .errors import ChaosError, shown
from .points import Phase, Point, unquoted

_INJECTION = re.compile(
    r"(?P<fault>[\w-]+\.[\w-]+)(?:\.(?:(?P<edits>[a-z]+[:=][^@\s]*?)|(?P<variant>[\w-]+)))?(?P<lasting>~lasting)?"
    r"@(?P<stage>recover/)?(?P<kind>\w+)\.(?P<verb>\w+):(?P<target>(?:[^%#]|%[0-9A-F]{2})+)"
    r"(?:%(?P<task>(?:[^%#]|%[0-9A-F]{2})+))?#(?P<n>[1-9][0-9]{0,8})"
    r"(?::(?P<when>before|middle|after))?"
)
_VARIANT = re.compile(r"[1-9][0-9]{0,5}")
SWAP = "order.swap"
"""Not a fault: others go first at this point, as they might have."""
_SHAPE = "fault[.variant][~lasting]@[recover/]kind.verb:target[%task]#n[:before|:middle|:after]"


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault at one point.

    `recovering` puts it into a recovery: the first one that no earlier injection of the schedule has ended. `variant`
    is the number that the token names, from 1; 0 where it names none, which means the first. `edits` stand in its place
    for a fault that has edits: ``is=null:/price``.
    """

    fault: str
    point: Point
    when: Phase = "before"
    variant: int = 0
    lasting: bool = False
    recovering: bool = False
    edits: str = ""

    def __str__(self) -> str:
        variant = f".{self.edits or self.variant}" if self.edits or self.variant else ""
        lasting = "~lasting" if self.lasting else ""
        stage = "recover/" if self.recovering else ""
        return f"{self.fault}{variant}{lasting}@{stage}{self.point}:{self.when}"

    @property
    def ordinal(self) -> int:
        """The variant's number, from 1, whether it is named or not; of an interleaving, how many others go first."""
        return self.variant or 1

    def variant_of(self, strikes: Sequence[Action]) -> Action | None:
        """Return the action of this variant among those that a fault yields at its point; None for no such one."""
        return strikes[self.ordinal - 1] if self.ordinal <= len(strikes) else None

    def describe(self) -> str:
        """Return the injection as a sentence for people."""
        if self.fault == SWAP:
            others = f"effects of {self.variant} others pass" if self.variant else "another effect passes"
            answer = "its answer comes" if self.when == "after" else "it is carried out"
            return f"{self.point.verb} of {self.point.target}: {others} before {answer}"
        phase = {"before": "before", "middle": "in the middle of", "after": "after"}[self.when]
        nth = "" if self.point.n == 1 else f" (the {_ordinal(self.point.n)} time)"
        where = f"{self.point.verb} of {self.point.target}{nth}" + (" in the recovery" if self.recovering else "")
        lasting = ", and again until the process ends" if self.lasting else ""
        return f"{self.fault} {phase} the {self.point.kind} {where}{lasting}"


def _ordinal(n: int) -> str:
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Injections in the order in which they fire; empty is the fault-free run."""

    injections: tuple[Injection, ...] = ()

    def __str__(self) -> str:
        return " + ".join(map(str, self.injections))

    @property
    def faults(self) -> int:
        """Return how many faults it has: an interleaving is none."""
        return sum(injection.fault != SWAP for injection in self.injections)

    @property
    def errors(self) -> int:
        """Return how many faults it has beside crashes and interleavings."""
        return sum(injection.fault not in (SWAP, "process.kill") for injection in self.injections)

    @property
    def is_enumerated(self) -> bool:
        """Return whether depth 1 tries it: one error at most, without drawn edits, and any number of crashes."""
        return self.errors < 2 and not self.has_edits

    @property
    def has_edits(self) -> bool:
        """Return whether one of its faults has drawn edits."""
        return any(injection.edits for injection in self.injections)

    def then(self, injection: Injection) -> "Schedule":
        """Return this schedule with one more injection at its end."""
        return Schedule((*self.injections, injection))

    @classmethod
    def parse(cls, token: str) -> "Schedule":
        """Read a replay token; raises ChaosError ``bad-token`` that says which part is wrong."""
        return cls(tuple(_parse_injection(part) for part in token.strip().split(" + ")))


def _parse_injection(part: str) -> Injection:
    match = _INJECTION.fullmatch(part)
    if match is None:
        raise ChaosError(
            "bad-token",
            f"{shown(part)} is not a replay token (--chaos-replay)",
            f"a token reads {_SHAPE}\ne.g. process.kill@file.replace:shared/report.md#1:after\n"
            "paste the whole token that a violation printed, in quotes",
        )
    g = match.groupdict()
    if g["variant"] is not None and not _VARIANT.fullmatch(g["variant"]):
        hint = f"variants are numbers from 1: {g['fault']}.2@…; without one it is the first"
        raise ChaosError("bad-token", f"{shown(g['variant'])} is no variant of {g['fault']} (--chaos-replay)", hint)
    point = Point(g["kind"], g["verb"], unquoted(g["target"]), int(g["n"]), unquoted(g["task"] or ""))
    when: Any = g["when"] or "before"  # one of When, says the pattern
    variant, edits = int(g["variant"] or 0), g["edits"] or ""
    return Injection(g["fault"], point, when, variant, bool(g["lasting"]), bool(g["stage"]), edits)
