"""Points: the places where an agent touches the outside, as text that a person can read and type."""

import re
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from typing import Literal

from .http import HttpRequest

_RANDOM_PART = re.compile(
    r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
    r"|(?<![0-9a-zA-Z])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}(?![0-9a-zA-Z])"
    r"|(?<![0-9])\d{4}-\d\d-\d\d[T_ -]?(?:\d\d[:-]?\d\d[:-]?\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|(?<=tmp)[a-z0-9_]{8}(?![a-z0-9_])"
    r"|(?<![0-9])\d{5,}(?:\.\d+)?(?![0-9])"
)


_LIKE_DRAWN = re.compile(r"[a-z0-9_]{8,}")
_DRAWN_LENGTH = 8
_MEANING = re.compile(r"[%#+\x00-\x1f\x7f]")
_LIKE_QUOTED = re.compile(r"[0-9A-F]{2}")
_QUOTED = re.compile(r"%([0-9A-F]{2})")


ActorKind = Literal["main", "task", "awaited", "thread"]
ActorId = tuple[int, int]
"""Number of a thread and of a task in it, 0 where there is none."""
ANY_TASK = -1
Phase = Literal["before", "middle", "after"]


def canonical(path: str) -> str:
    """Replace the random parts of a path (uuids, hex, times, long numbers, tempfile names) by ``*``."""
    return _RANDOM_PART.sub("*", path)


def hide_drawn(text: str, drawn: Set[str], hidden: Callable[[str], str] = lambda name: "*") -> str:
    """Replace names that ``tempfile`` drew by what `hidden` makes of them: nothing else tells them from other words."""
    return _LIKE_DRAWN.sub(lambda match: _hide_in_word(match[0], drawn, hidden), text) if drawn else text


def _hide_in_word(word: str, drawn: Set[str], hidden: Callable[[str], str]) -> str:
    for start in range(len(word) - _DRAWN_LENGTH + 1):
        name = word[start : start + _DRAWN_LENGTH]
        if name in drawn:
            return word[:start] + hidden(name) + word[start + _DRAWN_LENGTH :]
    return word


def drawn_in(paths: Iterable[str], drawn: Set[str]) -> frozenset[str]:
    """Return those of the names that ``tempfile`` drew that stand in paths."""
    found: set[str] = set()

    def noted(name: str) -> str:
        found.add(name)
        return name

    for path in paths:
        hide_drawn(path, drawn, noted)
    return frozenset(found)


def quoted(text: str) -> str:
    """Write the characters that mean something in a token, or cannot be seen, as ``%23`` and the like."""
    return _MEANING.sub(lambda match: f"%{ord(match[0]):02X}", text)


def unquoted(text: str) -> str:
    """Undo `quoted`."""
    return _QUOTED.sub(lambda match: chr(int(match[1], 16)), text)


@dataclass(frozen=True, slots=True)
class Point:
    """The n-th time (from 1) that one task does one thing to one target: ``kind.verb:target[%task]#n``."""

    kind: str
    verb: str
    target: str
    n: int = 1
    task: str = ""

    def __reduce__(self) -> tuple[type["Point"], tuple[str, str, str, int, str]]:
        # Many travel between processes: what a record with slots brings for this asks for its fields each time.
        return Point, (self.kind, self.verb, self.target, self.n, self.task)

    def __str__(self) -> str:
        task = quoted(self.task)
        if _LIKE_QUOTED.match(task):  # behind the % it would read as a quoted character of the target
            task = f"%{ord(task[0]):02X}{task[1:]}"
        task = f"%{task}" if task else ""
        return f"{self.kind}.{self.verb}:{quoted(self.target)}{task}#{self.n}"


@dataclass(frozen=True, slots=True)
class InFlight:
    """The actor at a point, and the other actors that could have reached a point of their own then.

    `preemptible` says how `who` can be made to wait there: as a thread, as a task that awaits, or not at all.
    """

    who: ActorId
    others: frozenset[ActorId] = frozenset()
    preemptible: Literal["thread", "task", ""] = ""

    def __reduce__(self) -> tuple[type["InFlight"], tuple[ActorId, frozenset[ActorId], str]]:
        return InFlight, (self.who, self.others, self.preemptible)  # as a `Point`

    def beside(self, who: ActorId) -> ActorId | None:
        """Return the id by which an actor was in flight beside this one; None where it was not."""
        loose = (who[0], ANY_TASK)
        return who if who in self.others else loose if loose in self.others else None


NOBODY = InFlight((0, 0))
"""Of a point where nobody asked who else was in flight."""


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect, as a fault may know it where it fires.

    `size` is the number of bytes of a write or of a request over a real connection; `request` what the agent asked a
    twin there in the run without this fault, None where it asked none; `answer` what a model said to it; `by` the kind
    of actor at it: the main thread, a task of asyncio that awaits it, another thread whose result a task awaits
    (aiosqlite), or another thread. `when` is the phase in which the fault would fire; `reached` has the phases that
    were seen (an effect that failed has no after), and is empty where nobody looked. `edits` are those that the plan
    chose for a fault that has them (`values.edits`), as the token writes them; "" where none was chosen.
    """

    point: Point
    size: int = 0
    answer: object = None
    by: ActorKind = "main"
    when: Phase = "before"
    reached: frozenset[Phase] = frozenset()
    request: HttpRequest | None = None
    edits: str = ""
