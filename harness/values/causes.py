"""The identity of a failure: a broken promise, the way it is broken, and the effect of the agent behind it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

Way = Literal["left over", "missing", "twice", "torn", "not the same", "raised", "not ended", "untrue", "by order"]


_TEXTS = ("effect", "statement", "exception", "raising", "killed")


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of a finding, as reports show it.

    Attributes:
        promise: the gravest of the broken invariants.
        way: how it is broken.
        effect: the agent's effect behind it, ``kind.verb:target`` with random parts as ``*``; "" where there is none.
        file: of the place of the effect; relative to pytest's root where it is below it.
        line: in that file, from 1; 0 where no place is known.
        function: its qualified name.
        statement: its text there, in one line; of a block its head.
        callers: ``file:line`` of the calls that lead there, where they are needed to tell it from others.
        exception: type and place of what a recovery raised; "" where none did.
        raising: the statement that raised it, in one line.
        killed: effect and place of the only statement at which a crash leads there; "" where there are several.
        unchecked: fields of a model's answer that were changed, where nothing checks them.
        goes_on: whether it shows where the process is called again that an error left, as a queue's worker goes on.
        identity: kind and place that tell it from all others of its exploration, and are the same after edits
            elsewhere; empty where only the fields above are known.
    """

    promise: str
    way: Way
    effect: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    statement: str = ""
    callers: tuple[str, ...] = ()
    exception: str = ""
    raising: str = ""
    killed: str = ""
    unchecked: tuple[str, ...] = ()
    goes_on: bool = False
    identity: tuple[str, ...] = ()

    def hiding(self, hidden: Callable[[str], str]) -> "Cause":
        """Return the cause with the secrets in each of its texts hidden."""
        texts: Any = {name: hidden(getattr(self, name)) for name in _TEXTS}
        lists: Any = {name: tuple(map(hidden, getattr(self, name))) for name in ("callers", "unchecked")}
        return replace(self, **texts, **lists)

    def as_json(self) -> dict[str, Any]:
        """Return the contract's JSON form."""
        names = ("promise", "way", "effect", "file", "line", "function", "statement", "exception")
        return {name: getattr(self, name) for name in names}
