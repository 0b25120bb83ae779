"""What the statement must say of all processes: what nobody intercepts, watches, orders, or looks into."""

from dataclasses import dataclass, field

from .lives import Lived
from .unseen import not_explored

_Lines = dict[str, None]
_OF_A_PROCESS = ("unintercepted", "unwatched", "concurrent", "inside", "asked", "unheld", "unordered")


@dataclass(slots=True)
class Noticed:
    """Collects it, each thing once, in the order in which it was noticed.

    Attributes:
        written: by the lines that start processes, what these changed.
        unseen: how often nobody looked, for want of time.
    """

    unintercepted: _Lines = field(default_factory=dict)
    unwatched: _Lines = field(default_factory=dict)
    concurrent: _Lines = field(default_factory=dict)
    inside: _Lines = field(default_factory=dict)
    asked: _Lines = field(default_factory=dict)
    unheld: _Lines = field(default_factory=dict)
    unordered: _Lines = field(default_factory=dict)
    written: dict[tuple[str, ...], _Lines] = field(default_factory=dict)
    unseen: int = 0

    def add(self, lived: Lived) -> None:
        """Take note of one process."""
        self.unseen += lived.unseen
        for name in _OF_A_PROCESS:
            getattr(self, name).update(dict.fromkeys(getattr(lived, name)))
        for lines, names in lived.written.items():
            self.written.setdefault(lines, {}).update(names)

    @property
    def not_explored(self) -> tuple[str, ...]:
        """Which of the agent's lines start processes that change what is watched, and what."""
        return tuple(sorted(not_explored(lines, names) for lines, names in self.written.items()))
