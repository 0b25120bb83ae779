"""The gaps that the statement must name: effects that nobody intercepts, watches, orders, or looks into."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..values.rare import rare
from ..values.schedule import Injection
from .process_runs import ProcessRun
from .unseen import not_explored

_Lines = dict[str, None]
_OF_A_PROCESS = ("unintercepted", "unwatched", "concurrent", "inside", "asked", "unheld", "unordered")


@dataclass(slots=True)
class Noticed:
    """Collects the gaps of all processes, each once, in the order in which they were noticed.

    Attributes:
        written: the paths that started processes changed, by the agent's lines that start them.
        unseen: how many looks were left out for want of time.
        unsupported: what cannot be done with the versions of libraries that are there.
    """

    unintercepted: _Lines = field(default_factory=dict)
    unwatched: _Lines = field(default_factory=dict)
    concurrent: _Lines = field(default_factory=dict)
    inside: _Lines = field(default_factory=dict)
    asked: _Lines = field(default_factory=dict)
    unheld: _Lines = field(default_factory=dict)
    unordered: _Lines = field(default_factory=dict)
    unsupported: _Lines = field(default_factory=dict)
    written: dict[tuple[str, ...], _Lines] = field(default_factory=dict)
    unseen: int = 0

    def add(self, process: ProcessRun) -> None:
        """Take note of one process."""
        self.unseen += process.unseen
        if process.unseen:
            rare("a look at the outside is left out for want of time")
        if process.outcome.kind == "unbounded":
            rare("a process without end is stopped")
        for name in _OF_A_PROCESS:
            getattr(self, name).update(dict.fromkeys(getattr(process, name)))
        for lines, names in process.written.items():
            self.written.setdefault(lines, {}).update(names)

    @property
    def not_explored(self) -> tuple[str, ...]:
        """A sentence for each of the agent's lines that start processes with changes, and for what is not supported."""
        lines = sorted(not_explored(lines, names) for lines, names in self.written.items())
        return (*lines, *sorted(self.unsupported))


def not_carried_out(missing: Iterable[Injection]) -> _Lines:
    """Return the error of the harness for each fault that was due in a process and that nobody carried out."""
    reason = "was due and not carried out: an error of Rollproof, not of the agent"
    return {f"{injection} {reason}": None for injection in missing}
