"""The story of a failing schedule, as every report tells it: steps in true order, states, the lines behind them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Literal, get_args

StoryPhase = Literal["before the fault", "fault", "after the fault", "recovery", "promises"]
STORY_PHASES: tuple[StoryPhase, ...] = get_args(StoryPhase)

Fate = Literal["", "kept", "undone", "repeated", "forgotten", "torn"]
"""What became of a durable effect by the end: "" for a step that made none."""
WRONG_FATES: tuple[Fate, ...] = ("repeated", "forgotten", "torn")
"""Those of effects that a right agent does not leave so."""

Severity = Literal["", "blocker", "critical", "normal", "minor"]
SEVERITIES: tuple[Severity, ...] = ("blocker", "critical", "normal", "minor", "")
"""The gravest first; "" is that of a result without severities."""


def gravity(severity: str) -> int:
    """Return the place of a severity among all, 0 for the gravest; one that is not known comes last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


_LEADS_ON = (":", ",", "(", "[", "{", "=")
_MOST_LINES = 4


def beginning(text: str, most: int) -> str:
    """Return the first line of a text, with "…" where that is not all; one that only leads to the next ends with it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    taken = next((n for n, line in enumerate(lines[:_MOST_LINES], 1) if not line.endswith(_LEADS_ON)), _MOST_LINES)
    told = " ".join(lines[:taken])
    if len(told) <= most and len(lines) <= taken:
        return told
    return f"{told[: most - 2].rstrip(''.join(_LEADS_ON) + ' ')} …"


def shared_names(within: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the names that several places are all inside of, the outermost first."""
    return tuple(names[0] for names in takewhile(lambda names: len({*names}) == 1, zip(*within, strict=False)))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a story.

    Attributes:
        life: the process that it belongs to: "run", "recover", "recover 2", "recover again", "retry".
        phase: the part of the story that it stands in.
        point: the token of the point, without a phase; "" for a step that is none: the end of a process, a promise.
        outcome: how it went, for people: "201", "created", "raises ReadTimeout", "killed", "returned 'published'"; ""
            where nobody knows more than that it was done.
        at_s: virtual seconds since the first process began.
        file: of the agent's place, relative to pytest's root where it is below it; `line` from 1, 0 for none.
        function: its qualified name.
        within: names of the steps, tool calls and graph nodes that it is inside of, the outermost first.
        fate: what became of its effect.
        detail: the whole message of an exception of which `outcome` has the beginning only; "" where it has all.
    """

    life: str
    phase: StoryPhase
    point: str
    outcome: str
    at_s: float = 0.0
    file: str = ""
    line: int = 0
    function: str = ""
    within: tuple[str, ...] = ()
    fate: Fate = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class States:
    """The outside by readable names (a path, ``path.db:table``, ``host/things``), only of names that matter.

    `right` has for each name what may be there: the state before and that of a fault-free run, as a list of these.
    """

    before: Mapping[str, Any] = field(default_factory=dict, hash=False)
    fault: Mapping[str, Any] = field(default_factory=dict, hash=False)
    end: Mapping[str, Any] = field(default_factory=dict, hash=False)
    right: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the agent's code, with its number from 1; one of them is `marked`."""

    number: int
    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Blamed:
    """A line of the agent that made durable effects of a story.

    Attributes:
        file: relative to pytest's root where it is below it; `line` from 1; `function` its qualified name.
        callers: ``file:line`` of the calls that lead there, the nearest first.
        source: five lines of code with the one marked; empty where the file cannot be read.
        effects: for each of its effects the number of its step, from 0, and its fate.
        within: names of the steps, tool calls and graph nodes that all of them are inside of, the outermost first.
    """

    file: str
    line: int
    function: str
    callers: tuple[str, ...] = ()
    source: tuple[SourceLine, ...] = ()
    effects: tuple[tuple[int, Fate], ...] = ()
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to a model in a story, by the number of its step, and its answer, both as plain data."""

    step: int
    request: Any = field(hash=False)
    answer: Any = field(hash=False)


@dataclass(frozen=True, slots=True)
class Cure:
    """A change that was tried against a cause, in words, and what came of it; `tried` is "" where none was.

    `helps` says that the finding and its kin are gone with it, and nothing else appears.
    """

    tried: str = ""
    outcome: str = ""
    helps: bool = False
