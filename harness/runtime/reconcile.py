"""Belief and reality: the journal's state of each step against the state outside.

A look changes nothing, so any process may ask.

    from pathlib import Path
    from rollproof.runtime import Found, Saga, Step, Store

    note = Path("note.txt")
    look = lambda run: Found.of("x", note.read_text() if note.exists() else None)
    write = Step("write", lambda run: note.write_text("x") and None, lambda run: note.unlink(True), look=look)
    with Store("agent.db") as store:
        saga = Saga(store, "note", [write])
        saga.run("a note", {})
        note.unlink()                                       # somebody deletes it
        (run,) = [run.run for run in saga.runs()]
        assert [str(each) for each in saga.differences(run)] == ["write: believed done, is absent"]

A step may bring a `look`, which asks the outside: does it exist, with which hash, under whose key? Recovery asks before
it undoes or repeats anything, and believes the answer:

    belief (the journal)         reality       what is done
    the step may have happened   absent        nothing is undone; going forward, the act is taken
    the step may have happened   present       it is undone; going forward, it counts as done
    any                          foreign       something else is in its place: never touched, a person must look
    done                         absent        a phantom: reported by `differences`, nothing is undone
    undone or never begun        present       unrecorded: reported by `differences`

So nothing is undone that never happened, and no success is claimed that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .progress import Progress, Status


class Reality(StrEnum):
    """The answer of a look."""

    ABSENT = "absent"
    PRESENT = "present"
    FOREIGN = "foreign"


class Belief(StrEnum):
    """The journal's state of a step."""

    NOT_BEGUN = "not begun"
    MAYBE = "maybe"
    DONE = "done"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of a look; `learned` are the variables that the act would have returned."""

    reality: Reality
    learned: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(expected: str, actual: str | None) -> Found:
        """Compare the expected hash or id with the actual one outside; None there means that there is none."""
        if actual is None:
            return Found(Reality.ABSENT)
        return Found(Reality.PRESENT if actual == expected else Reality.FOREIGN)


@dataclass(frozen=True, slots=True)
class Difference:
    """A step about which the agent is wrong."""

    step: str
    belief: Belief
    reality: Reality

    def __str__(self) -> str:
        return f"{self.step}: believed {self.belief}, is {self.reality}"


class ForeignState(Exception):
    """Another one's effect is in the place of a step's; nothing was touched."""


def belief(progress: Progress, step: str, order: list[str]) -> Belief:
    """Return the belief about one step by the events of its run; `order` are the names of all its steps."""
    if step in progress.entered:
        last = progress.status is not Status.COMPLETED and step == progress.entered[-1]
        return Belief.MAYBE if last else Belief.DONE
    begun = progress.status is Status.RUNNING and step not in order[: len(progress.entered)]
    return Belief.NOT_BEGUN if begun else Belief.UNDONE


def differences(beliefs: Mapping[str, Belief], looks: Mapping[str, Reality]) -> Iterator[Difference]:
    """Yield the steps whose belief and reality differ; `MAYBE` agrees with absent and present."""
    right = {
        Belief.NOT_BEGUN: (Reality.ABSENT,),
        Belief.MAYBE: (Reality.ABSENT, Reality.PRESENT),
        Belief.DONE: (Reality.PRESENT,),
        Belief.UNDONE: (Reality.ABSENT,),
    }
    for step, reality in looks.items():
        if reality not in right[beliefs[step]]:
            yield Difference(step, beliefs[step], reality)
