"""Steps, each with its way back, and the exceptions that an act may raise.

Steps are plain values. One process at a time carries a run; after a crash another one may repeat a step (see `saga`).

    from pathlib import Path
    from rollproof.runtime import Refused, Step

    note = Path("note.txt")

    def mail(run):
        if "@" not in run.variables["to"]:
            raise Refused("no address")     # for sure nothing happened: what came before is undone
        print("mail to", run.variables["to"], "under the key", run.key)

    write = Step("write", lambda run: note.touch(), undo=lambda run: note.unlink(missing_ok=True))
    ask = Step("ask", lambda run: {"to": "ada@example.org"}, reads_only=True)
    last = Step("mail", mail, irreversible=True)
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .canonical import variables
from .progress import Progress, Status
from .reconcile import Found


class Refused(Exception):
    """Raised by an act that knows for sure that nothing happened outside: the address was wrong, the key was revoked.

    A timeout or a server error is not that. Whatever else leaves an act means that nobody knows.
    """


class UnknownStep(LookupError):
    """A run took a step that its saga no longer has, or has in another place."""


class NeedsPerson(Exception):
    """Raised by an act, before it did anything, that must not go on without a person; its text says why."""


@dataclass(frozen=True, slots=True)
class Run:
    """The argument of an act, an undo and a look: run, step, variables, and fencing token.

    `take` counts how often the step was undone to be taken anew. `check` raises `LeaseLost` where another process has
    taken the run up meanwhile: an act of many parts calls it before each, and touches nothing after it raised.
    `variables` cannot be changed: what an act learned it returns. `companions` are those of its saga.
    """

    id: str
    step: str
    goal: str
    variables: Mapping[str, Any]
    token: int = 0
    take: int = 0
    check: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)
    companions: tuple[Any, ...] | None = field(default=None, compare=False, repr=False)

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
"""The functions of a step; coroutine functions in an `AsyncSaga`."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a saga.

    - `act` does it. It may return variables (JSON) for the steps after it. An irreversible act must be repeatable, by
      sending `Run.key` or by asking outside first: after a crash it is repeated until its outcome is known.
    - `undo` takes it back. It may find the act done, half done, not done or already undone, and treats "already gone"
      as success. It may rely on the variables as they were when its step was entered.
    - `repeatable`: after a crash the act may be taken again as it is, with the same key. What is not, and cannot look,
      is undone first.
    - `irreversible`: there is no way back from it. Such steps come last.
    - `reads_only`: it leaves nothing that an undo would have to take back. It asks, computes, or writes intentions into
      the outbox, which takes them back itself when the run is abandoned. After a crash it is repeated, with the same
      key.
    - `look` asks the outside whether the act happened, before it is undone or repeated on our belief alone; see
      `reconcile`.

    Each step says which way it goes: it has an `undo`, or is `irreversible`, or `reads_only`.
    """

    name: str
    act: Act
    undo: Undo | None = None
    irreversible: bool = False
    look: Look | None = None
    repeatable: bool = False
    reads_only: bool = False


def checked_steps(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps of a saga, once it is sure that they make one.

    Raises:
        TypeError: Something among them is no `Step`.
        ValueError: They make no saga; the step that is wrong is named.
    """
    if isinstance(steps, Step) or not isinstance(steps, Iterable):
        raise TypeError(f"a saga takes a list of steps, such as [Step(...), Step(...)], not {steps!r}")
    steps = tuple(steps)
    for number, step in enumerate(steps, 1):
        if not isinstance(step, Step):
            raise TypeError(f"step {number} is {step!r}; a saga takes Step('name', act, undo=undo), each in a Step")
        _refuse_wrong_parts(step)
    names = [step.name for step in steps]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"a saga needs steps, each with a name of its own, not {names}")
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if step.irreversible and following and not following.irreversible:
            raise ValueError(f"step {following.name!r} comes after irreversible {step.name!r}, which must come last")
    return steps


def refuse_coroutines(steps: Iterable[Step]) -> None:
    """Make sure that steps can be carried out without an event loop.

    Raises:
        TypeError: One has an `async def`; it would be called, and never carried out.
    """
    for step in steps:
        part = coroutine_of(step)
        if part:
            raise TypeError(f"step {step.name!r}: {part} is a coroutine function; AsyncSaga waits for those")


def coroutine_of(step: object) -> str:
    """Return which of `act`, `undo` and `look` of a step or tool is a coroutine function; empty where none is."""
    for part in ("act", "undo", "look"):
        value = getattr(step, part)
        while isinstance(value, functools.partial):
            value = value.func
        if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004
            return part
    return ""


def refuse_renamed(steps: Sequence[Step], progress: Progress, database: object) -> None:
    """Make sure, before anything is undone or repeated, that a run's steps are still those of its saga.

    Raises:
        UnknownStep: One is gone; or the run may go on, and its steps are no longer the first ones.
    """
    names = [step.name for step in steps]
    gone = [name for name in progress.begun if name not in names]
    goes_on = progress.status in (Status.RUNNING, Status.WITH_PERSON)
    if not gone and not (goes_on and list(progress.begun) != names[: len(progress.begun)]):
        return
    what = f"{gone[0]!r}, which the saga no longer has" if gone else f"{', '.join(progress.begun)}, in this order"
    raise UnknownStep(
        f"run {progress.run} of {progress.saga!r} took {what}; the steps by now are {', '.join(names)}. Nothing was "
        "done: give the step its old name and place again, and change it once no run that took it is unfinished "
        f"(python -m rollproof.runtime list {database})"
    )


def learned_by(step: str, result: Any) -> dict[str, Any]:
    """Return the variables that an act returned.

    Raises:
        TypeError: It returned something else.
    """
    return {} if result is None else variables(result, f"what the act of step {step!r} returned")


def found_by(step: str, found: Any) -> Found:
    """Return the answer of a look.

    Raises:
        TypeError: The look returned something else.
    """
    if not isinstance(found, Found):
        kind = type(found).__name__
        raise TypeError(f"the look of step {step!r} returned a {kind}; give Found(Reality.PRESENT) or ABSENT")
    return Found(found.reality, variables(found.learned, f"what the look of step {step!r} learned"))


def _refuse_wrong_parts(step: Step) -> None:
    """Make sure of one step by itself."""
    if not isinstance(step.name, str) or not step.name:
        raise TypeError(f"the name of a step is a text, not {step.name!r}")
    for part in ("act", "undo", "look"):
        value = getattr(step, part)
        if not callable(value) and (value is not None or part == "act"):
            raise TypeError(f"step {step.name!r}: {part} is {value!r}, no function; it is called with the Run")
    ways = [way for way, taken in (
        ("has an undo", step.undo), ("is irreversible", step.irreversible), ("reads only", step.reads_only)
    ) if taken]  # fmt: skip
    if len(ways) > 1:
        raise ValueError(f"step {step.name!r} {' and '.join(ways)}; it can be one of them")
    if not ways:
        raise ValueError(
            f"step {step.name!r} has no undo: say how it is taken back, Step({step.name!r}, act, undo=...); or that it "
            "leaves nothing to take back, reads_only=True; or, for the last steps, that there is no way back, "
            "irreversible=True"
        )
