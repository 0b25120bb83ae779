"""The definition of a saga, checked when it is made: its steps, its numbers, and the parts that follow its transitions.

Values: each process makes its own, with the same name and the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, Protocol

from .contents import Contents
from .progress import Event
from .steps import Step, checked_steps, refuse_coroutines
from .store import Storage


class Companion(Protocol):
    """A part that takes part in the transitions of a run, inside their transactions."""

    def follow(self, run: str, event: Event) -> None:
        """Take part in a transition, inside its transaction."""


@dataclass(frozen=True, eq=False, repr=False)
class Definition:
    """The steps and the terms of a saga; to describe one opens and writes nothing.

    Args:
        store: The agent's own database.
        name: Finds the runs of this saga again; never reuse it for other steps.
        steps: In their order.
        lock: What must not be worked on by two runs at once; the saga's name if not given.
        lease_s: How long a process may be paused before another takes its run up, in seconds. Steps may take
            longer: meanwhile the lease is renewed. One that died is not waited for where `alive` can tell.
        patience_s: How long to wait for a lease of a process that lives, in seconds.
        after_crash: Whether `recover` undoes what a dead process left, or goes on from its last good checkpoint.
        undo_tries: How often an undo is tried by one process; these tries are one pass.
        undo_passes: After how many failed passes, in as many recoveries, it is a dead letter.
        act_passes: After how many recoveries that could not go forward, and must, a run goes to a person.
        companions: Parts that take part in the transitions, such as the outbox.
        contents: Where checkpoints are kept, for big variables; in the database if not given.
        person: Who gets a run whose step says `NeedsPerson`, or that cannot go on, and hears of one that is stuck.

    Raises:
        TypeError: Something among the steps is no `Step`, or the store is no `Store`.
        ValueError: The steps make no saga; the one that is wrong is named.
    """

    store: Storage
    name: str
    steps: Sequence[Step]
    _: KW_ONLY
    lock: str | None = None
    lease_s: float = 300.0
    patience_s: float = 900.0
    after_crash: Literal["roll_back", "resume"] = "roll_back"
    undo_tries: int = 3
    undo_passes: int = 3
    act_passes: int = 10
    companions: Sequence[Companion] = ()
    contents: Contents | None = None
    person: str = "operator"

    _awaits = False

    def __post_init__(self) -> None:
        """Refuse what is no saga; later changes of the lists that were given change nothing."""
        steps = checked_steps(self.steps)
        if not self._awaits:
            refuse_coroutines(steps)
        _refuse_wrong(self.store, self.name, self.after_crash, self.companions, self.contents)
        given = {"steps": steps, "lock": self.lock or self.name, "companions": tuple(self.companions)}
        for name, value in given.items():
            object.__setattr__(self, name, value)
        _refuse_numbers(self)

    @property
    def resumes(self) -> bool:
        """Return whether `recover` goes on with what a dead process left."""
        return self.after_crash == "resume"


def _refuse_wrong(store: Any, name: Any, after_crash: str, companions: Any, contents: Any) -> None:
    """Refuse arguments whose error would show only after something has happened."""
    if not hasattr(store, "transaction"):
        raise TypeError(f"the store is {store!r}; give an open one: with Store('agent.db') as store: Saga(store, ...)")
    if after_crash not in ("roll_back", "resume"):
        raise ValueError(f"after_crash is {after_crash!r}; it is 'roll_back' or 'resume'")
    if not isinstance(name, str) or not name:
        raise ValueError(f"the name of a saga is a text that finds its runs again, not {name!r}")
    listed = isinstance(companions, Sequence) and not isinstance(companions, str)
    if not listed or not all(hasattr(each, "follow") and not isinstance(each, type) for each in companions):
        raise TypeError(f"companions are parts such as an outbox, in a list: companions=[outbox], not {companions!r}")
    if contents is not None and not hasattr(contents, "put"):
        raise TypeError(f"contents are such as FolderContents('folder'), not {contents!r}")


def _refuse_numbers(saga: Definition) -> None:
    """Refuse terms under which nothing would be undone, or waited for."""
    for name in ("lease_s", "patience_s", "undo_tries", "undo_passes", "act_passes"):
        number = getattr(saga, name)
        least = 0 if name == "patience_s" else 1e-3 if name == "lease_s" else 1
        right = isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
        if not right or number < least:
            raise ValueError(f"{name} is {number!r}; it is a number of at least {least}")
