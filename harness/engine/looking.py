"""Look at the outside while a process stands still: where a crash would leave it, and what nobody explains."""

import time
from dataclasses import dataclass, replace

from ..values.points import ActorKind, Effect, Phase, Point
from .damages import Damages
from .process_runs import CrashState, ProcessRun, RawState, Tracing
from .trace_context import TraceContext
from .unseen import Unseen


@dataclass(frozen=True, slots=True)
class Look:
    """A phase in which the outside is looked at; `size` bytes are written there, by an actor of the kind `by`."""

    point: Point
    when: Phase
    clock: float
    size: int = 0
    by: ActorKind = "main"


class Looking:
    """The looks at one process.

    Attributes:
        trace: whether relays' points are looked at, too; "once fired": those that come when a fault was due.
        damages: what a lying disk has damaged, and nobody but the process is to meet.
        unseen: explains the changes between two looks.
    """

    def __init__(self, executor: TraceContext, process: ProcessRun, *, trace: Tracing) -> None:
        self._executor, self._process, self.trace = executor, process, trace
        # None before the first look at a process that is not traced yet, and where a look explains nothing.
        self._last = process.start if trace is True else None
        self._looked_s = 0.0
        self.damages = Damages()
        self.unseen = Unseen(process, executor.worlds.changed, executor.outside.roots.values())

    def follow(self, other: "Looking") -> None:
        """Continue the look of `other` at a process that goes on; the programs that it started are known."""
        self.unseen.follow(other.unseen)

    def see(self, look: Look) -> None:
        """Look, unless that has taken too long by now."""
        process, point, when = self._process, look.point, look.when
        process.times.setdefault(point, look.clock)
        if self.trace == "for the story":
            process.for_story.append(CrashState(point, when, self._captured(look)))
            return
        effect = process.effects.get(point) or Effect(point, look.size, by=look.by)
        # Noted also where nobody looks: faults are planned at the phases that were reached.
        process.effects[point] = replace(effect, reached=effect.reached | {when})
        look_s = self._executor.allowance.terms.look_s
        if look_s is not None and self._looked_s > look_s:
            # The time for looking is spent: crash states of later points are not known, and the claim says so.
            process.unseen += self._executor.config.points.has(point)
            self._last = None
            return
        began = time.monotonic()
        world = self._captured(look)
        self._looked_s += time.monotonic() - began
        self.unseen.look(self._last, world, point, when)
        # By what a write has added since the last look, the value that it had cut there is known.
        if when != "before" and point.verb == "write" and self._last is not None:
            sources, torn_values = self._executor.config.sources, self._executor.learned.torn_values
            torn_values.learn(sources, self._last.disk, world.disk, look.clock, process.pids)
        process.crash_states.append(CrashState(point, when, world))
        self._last = world

    def _captured(self, look: Look) -> RawState:
        # A lying disk damages files for one process only: nobody else, and no crash state, is to see it.
        with self.damages.whole():
            return self._executor.capture(look.clock, self._process.pids, self._process.start.reused)

    def see_relay_point(self, look: Look) -> None:
        """Look at a phase that only a relay sees, where the process is traced by now."""
        # The process itself says of its own points when to look; of these it knows nothing.
        if self._process.due if self.trace == "once fired" else self.trace:
            self.see(look)
            if (
                self.trace is True and look.when == "after" and look.size > 1
            ):  # it can be cut, though nobody looks there
                effect = self._process.effects[look.point]
                self._process.effects[look.point] = replace(effect, size=look.size, reached=effect.reached | {"middle"})

    def end(self, end: RawState) -> None:
        """Explain what changed since the last look."""
        self.unseen.look(self._last, end)
