"""Look at the outside while a process stands still: where a crash would leave it, and what nobody explains."""

import time
from dataclasses import dataclass, replace

from ..values.points import Doer, Effect, Point, When
from .damages import Damages
from .lives import Lived, Sighting, Snapshot
from .overseer import Overseer
from .unseen import Unseen


@dataclass(frozen=True, slots=True)
class Look:
    """A moment at which the outside is looked at; `size` bytes are written there, and `by` says who is at the point."""

    point: Point
    when: When
    clock: float
    size: int = 0
    by: Doer = "main"


class Looking:
    """The looks at one process.

    Attributes:
        damages: what a lying disk has damaged, and nobody but the process is to meet.
        unseen: explains the changes between two looks.
    """

    def __init__(self, executor: Overseer, lived: Lived, *, trace: bool) -> None:
        self._executor, self._lived, self._trace = executor, lived, trace
        self._last = lived.start if trace else None  # None before the first look at a process that is not traced yet
        self._looked_s = 0.0
        self.damages = Damages()
        self.unseen = Unseen(lived, executor.worlds.changed, executor.outside.roots.values())

    def follow(self, other: "Looking") -> None:
        """Look at the same process as `other` did, which goes on: what it started is known."""
        self.unseen.follow(other.unseen)

    def see(self, look: Look) -> None:
        """Look, unless that has taken too long by now."""
        lived, point, when = self._lived, look.point, look.when
        effect = lived.effects.get(point) or Effect(point, look.size, by=look.by)
        lived.effects[point] = replace(effect, reached=effect.reached | {when})
        look_s = self._executor.allowance.terms.look_s
        if look_s is not None and self._looked_s > look_s:
            lived.unseen, self._last = lived.unseen + 1, None
            return
        began = time.monotonic()
        with self.damages.whole():
            world = self._executor.capture(look.clock, lived.pids, lived.start.reused)
        self._looked_s += time.monotonic() - began
        self.unseen.look(self._last, world, point, when)
        if when != "before" and point.verb == "write" and self._last is not None:
            sources, cuts = self._executor.setting.sources, self._executor.learned.cuts
            cuts.learn(sources, self._last.disk, world.disk, look.clock, lived.pids)
        lived.sightings.append(Sighting(point, when, world))
        self._last = world

    def see_wire(self, look: Look) -> None:
        """Look at a moment that only a relay sees, where the process is traced."""
        if self._trace:
            self.see(look)
            if look.when == "after" and look.size > 1:  # it can be cut, though nobody looks there
                effect = self._lived.effects[look.point]
                self._lived.effects[look.point] = replace(effect, size=look.size, reached=effect.reached | {"middle"})

    def end(self, end: Snapshot) -> None:
        """Explain what changed since the last look."""
        self.unseen.look(self._last, end)
