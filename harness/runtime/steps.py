"""What an agent is made of, for the runtime: steps, each with the way back, and what a step may say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .reconcile import Found


class Refused(Exception):
    """Raised by an act that knows for sure that nothing happened outside: the address was wrong, the key was revoked.

    A timeout or a server error is not that. Whatever else leaves an act means that nobody knows.
    """


class NeedsPerson(Exception):
    """Raised by an act, before it did anything, that must not go on without a person; its text says why."""


@dataclass(frozen=True, slots=True)
class Run:
    """What an act or an undo is given: which run, which step of it, what the agent knows, and its fencing token.

    `take` counts how often the step was undone to be taken anew. `check` raises `LeaseLost` where another process has
    taken the run up meanwhile: an act of many parts calls it before each, and touches nothing after it raised.
    """

    id: str
    step: str
    goal: str
    variables: Mapping[str, Any]
    token: int = 0
    take: int = 0
    check: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)

    @property
    def key(self) -> str:
        """An idempotency key: stored before the step acts, the same however often it is repeated, of no other run.

        A step that was undone and is taken anew has another one: services answer a key that they know with what is
        gone by now.
        """
        return f"{self.id}:{self.step}" + (f":{self.take}" if self.take else "")


Learned = Mapping[str, Any] | None
Act = Callable[[Run], Learned | Awaitable[Learned]]
Undo = Callable[[Run], Awaitable[None] | None]
Look = Callable[[Run], Found | Awaitable[Found]]
"""What a step is made of; coroutine functions in an `AsyncSaga`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a saga.

    - `act` does it. It may return variables (JSON) for the steps after it. An irreversible act must be repeatable, by
      sending `Run.key` or by asking outside first: after a crash it is repeated until its outcome is known.
    - `undo` takes it back. It may find the act done, half done, not done or already undone, and treats "already gone"
      as success. It may rely on the variables as they were when its step was entered. None: there is nothing to take
      back.
    - `repeatable`: after a crash the act may be taken again as it is, with the same key. What is not, and cannot look,
      is undone first.
    - `irreversible`: there is no way back from it. Such steps come last.
    - `look` asks the outside whether the act happened, before it is undone or repeated on our belief alone; see
      `reconcile`.
    """

    name: str
    act: Act
    undo: Undo | None = None
    irreversible: bool = False
    look: Look | None = None
    repeatable: bool = False


def refuse_bad(steps: list[Step]) -> None:
    """Make sure that steps make a saga.

    Raises:
        ValueError: They do not; the step that is wrong is named.
    """
    names = [step.name for step in steps]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"a saga needs steps, each with a name of its own, not {names}")
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if step.irreversible and step.undo:
            raise ValueError(f"step {step.name!r} has an undo and is irreversible; it can be one of them")
        if step.irreversible and following and not following.irreversible:
            raise ValueError(f"step {following.name!r} comes after irreversible {step.name!r}, which must come last")
