"""Run one process of the agent in a child, from a given world, under a given plan, and say what came of it."""

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import get_args

from ..boundary import child, interrupts
from ..boundary.armed import Armed, Limits
from ..boundary.channel import Channel
from ..boundary.places import calling
from ..boundary.printing import Printed
from ..boundary.scope import Root
from ..guard.guarding import Held
from ..values.errors import ChaosError
from ..values.history import Role
from ..values.points import Point, drawn_in
from ..values.real_time import FIRST_PROCESS_S
from ..values.schedule import SWAP
from ..values.strikes import Damage
from ..world.cuts import Cuts
from ..world.disk import Disk
from .attendant import Attendant
from .budget import Deadline
from .lives import FIRST_STREAM, Lived, Snapshot, Tracing
from .processes import Processes
from .setting import Setting
from .unseen import not_explored

_FIRST, _SAMPLED = 16, 64  # the first lives in used processes, and later one of so many, are lived again in fresh ones
Again = Callable[[Lived], Snapshot | None]
"""Returns the world in which a process is called again after what it did; None where it is not."""
UNLIMITED = Limits(calls=10_000, polls=10_000, effects=100_000)


@dataclass(frozen=True, slots=True)
class Sample:
    """A life in a process that had carried out another schedule before, and what it was to meet."""

    stream: str
    plan: tuple[Armed, ...]
    earlier: tuple[Point, ...]
    lived: Lived


def _something_changed(old: Snapshot, new: Snapshot) -> list[str]:
    return [] if old.same_state(new) else ["the outside"]


def _unborn(role: Role, start: Snapshot, plan: Sequence[Armed]) -> Lived:
    planned = sum(armed.injection.fault != SWAP for armed in plan)
    return Lived(role, start, planned=planned, misread=any(isinstance(armed.strike, Damage) for armed in plan))


class Executor:
    """Forks children, answers them, and looks at the outside for them.

    Attributes:
        call: where the test starts the exploration.
        rereads: whether it is a point where an agent reads what it wrote: not one of the names in `given`.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.call = calling(sys._getframe(1))
        self.executions = 0
        self.unintercepted: dict[str, None] = {}
        self.unwatched: dict[str, None] = {}
        self.concurrent: dict[str, None] = {}
        self.inside: dict[str, None] = {}
        self.asked: dict[str, None] = {}
        self.unheld: dict[str, None] = {}
        self.unordered: dict[str, None] = {}
        self.written: dict[tuple[str, ...], dict[str, None]] = {}
        self.credentials: dict[str, bytes] = {}
        self.names: set[str] = set()
        self.cuts = Cuts()
        self.limits = UNLIMITED
        self.patience_s = FIRST_PROCESS_S
        self.deadline = Deadline()
        self.look_s: float | None = None  # how many seconds are spent on looking during one process; None for no limit
        self.unseen = 0
        self.working_on: Callable[[str], str] = lambda role: role
        self.changed: Callable[[Snapshot, Snapshot], list[str]] = _something_changed
        self.shown: frozenset[Role] = frozenset()  # what these print is shown at once
        self._printed = Printed()
        self.held: Held | None = None
        self._hold: Callable[[], Held] | None = None
        self.processes = Processes(self._agent, self._note)
        self.reuse = False
        self.reused = 0
        self.samples: list[Sample] = []
        self.rereads = any(fault.rereads for fault in setting.faults)
        self.given: frozenset[str] = frozenset()
        self._disk = Disk(setting.sources)
        self._roots = [Root(str(s.path), s.name, s.private) for s in setting.sources]

    def hold(self, initial: Snapshot) -> None:
        """Let a guardian know what is to be put back, whatever ends this process, until `release`."""
        guard = self.setting.guard
        if guard is not None:
            self._hold = lambda: guard().hold(self.setting.sources, initial.disk)
            self.held = self._hold()

    def release(self) -> None:
        """Say that everything is where it belongs."""
        if self.held is not None:
            self.held.release()
        self.held = self._hold = None

    def prepare(self) -> Callable[[], None]:
        """Get ready to fork; returns what puts this process back."""
        for server in self.setting.servers:
            server.stop()
        undo = child.prepare(real_network=bool(self.setting.reach))

        def put_back() -> None:
            with suppress(ChaosError):  # it is gone: that was said where it was missed
                self.processes.close()
            self.changed = _something_changed  # no cycle keeps all that was seen
            undo()
            for server in self.setting.servers:
                server.answer_meanwhile()

        return put_back

    @contextmanager
    def afresh(self) -> Iterator[None]:
        """Use a process of its own for each that is carried out meanwhile, and none that was used before."""
        reuse, self.reuse = self.reuse, False
        self.processes.retire()
        try:
            yield
        finally:
            self.reuse = reuse

    def warm(self, life: Lived) -> None:
        """Do here, once, what this process did late and every further one would do again."""
        self.processes.close()
        child.warm(life.late_modules)

    def _note(self, pid: int) -> None:
        """Let the guardian know what it has to wait for."""
        if self.held is not None:
            self.held.note(pid)

    def _agent(self) -> child.Agent:
        setting = self.setting
        functions = {role: setting.recover if "recover" in role else setting.run for role in get_args(Role)}
        fixed = (self._roots, setting.twins, setting.reach, setting.seed, self.call, setting.outlets)
        return child.Agent(functions, *fixed, self._printed.descriptor)

    @cached_property
    def roots(self) -> dict[str, str]:
        """Absolute paths of the sources and their readable names."""
        return {root.path: root.name for root in self._roots}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the sources."""
        return tuple(self._disk.notes)

    @property
    def not_explored(self) -> tuple[str, ...]:
        """Which of the agent's lines start processes that change what is watched, and what."""
        return tuple(sorted(not_explored(lines, names) for lines, names in self.written.items()))

    @property
    def linked(self) -> tuple[str, ...]:
        """Files outside that were written by the name they have inside."""
        return tuple(self._disk.linked)

    def close(self) -> None:
        """Remove what is kept on disk; no snapshot can be used any more."""
        self._disk.close()
        self._printed.close()

    def capture(
        self, clock: float, pids: frozenset[int] = frozenset(), reused: frozenset[int] = frozenset()
    ) -> Snapshot:
        """Look at the outside as it is now."""
        with interrupts.shielded():
            return Snapshot(self._disk.capture(), tuple(s.save() for s in self.setting.services), clock, pids, reused)

    def first_world(self, clock: float) -> Snapshot:
        """Look at the outside before the first process; what is there then is not what the agent wrote."""
        found = self.capture(clock)
        names = [source.name for source in self.setting.sources]
        self.given = frozenset(
            f"{names[index]}/{path}" if path else names[index]
            for (index, path), entry in found.disk.files.items()
            if entry.kind == "file"
        )
        return found

    def restore(self, world: Snapshot) -> None:
        """Put the outside back."""
        with interrupts.shielded():
            self._disk.restore(world.disk)
            for service, state in zip(self.setting.services, world.services, strict=True):
                service.restore(state)

    def live(
        self,
        role: Role,
        start: Snapshot,
        stream: str,
        plan: Sequence[Armed] = (),
        *,
        trace: Tracing = False,
        show: bool = False,
        earlier: tuple[Point, ...] = (),
        again: Again | None = None,
        apart: bool = False,
    ) -> Lived:
        """Let one process live from `start`, and return its life; its points are numbered on after `earlier`.

        With `again` a process that an error leaves is called again, in its memory, from the worlds that it returns.
        One with something left to do before its end is not (`Lived.apart` then), unless it is for that only: `apart`.
        Raises ChaosError where the agent asked for something that the harness cannot answer, OutOfTime where the budget
        is spent.
        """
        self.deadline.check()
        self._begin(start, stream)
        begins = (role, tuple(plan), self.limits, f"{self.setting.seed}/{stream}", start.clock)
        order = child.Order(
            *begins,
            trace is True,
            show or role in self.shown,
            start.pids,
            earlier,
            self.reuse,
            trace_once_struck=trace == "once struck",
            drawn=self._drawn_in(start),
            torn_pids=self.cuts.torn_pids(start.disk),
            reused_pids=start.reused,
            given=self.given if self.rereads else None,
            stays=again is not None,
        )
        lived = _unborn(role, start, plan)
        channel, used = self.processes.next(order.torn_pids | start.reused)
        self.executions += 1
        lived.pid, lived.pids = self.processes.pid, start.pids | {self.processes.pid}
        attendant = self._attended(order, lived, channel, again, apart, used=used)
        status = self._part(attendant, attendant.lived, channel)
        attendant.settle()
        attendant.damages.put_back()
        attendant.close(status, self.capture(attendant.clock, lived.pids, attendant.reused))
        for one in (lived, *lived.called_again):
            self._remember(one)
        if used:
            self._sample(Sample(stream, tuple(plan), earlier, lived))
        return lived

    def _attended(
        self, order: child.Order, lived: Lived, channel: Channel, again: Again | None, apart: bool, *, used: bool
    ) -> Attendant:
        """Serve a process until it has ended or rests; returns who attended it last."""
        attendant = Attendant(self, lived, channel, order.plan, order.trace, order.earlier)
        try:
            attendant.attend(order, used=used)
            if again is not None and attendant.waits:
                attendant = self._after_an_error(attendant, order, channel, again, apart)
        except Exception:
            attendant.rests = False
            self._part(attendant, lived, channel)
            attendant.settle()
            raise  # what interrupts is no Exception: nobody waits then
        return attendant

    def _after_an_error(
        self, attendant: Attendant, order: child.Order, channel: Channel, again: Again, apart: bool
    ) -> Attendant:
        """Let a process end that an error has left, or call it again; returns who attended it last."""
        first = attendant.lived
        first.apart = not apart and (attendant.leaves or bool(self.setting.reach))
        while not first.apart and attendant.waits:
            attendant.damages.put_back()
            attendant.close(0, self.capture(attendant.clock, first.pids, first.start.reused))
            start = again(attendant.lived)
            if start is None:
                break
            self.deadline.check()
            lived = Lived("recover", start, pids=first.pids, pid=first.pid, goes_on=True)
            earlier = tuple(point for life in first.called_again for point in life.points)
            following = Attendant(self, lived, channel, (), order.trace, earlier)
            following.follow(attendant)
            attendant = following
            first.called_again.append(lived)
            self.executions += 1
            call = replace(order, role="recover", plan=(), start=start.clock, pids=start.pids, earlier=earlier)
            call = replace(call, drawn=order.drawn | self._drawn_in(start), torn_pids=self.cuts.torn_pids(start.disk))
            attendant.attend(replace(call, goes_on=True, trace_once_struck=False), used=True)
        if attendant.leaves:
            attendant.attend(child.Finish(), used=True)
        return attendant

    def _begin(self, start: Snapshot, stream: str) -> None:
        """Make the outside what a process is to find."""
        if self.held is not None:
            if not self.held.stands and self._hold is not None:
                self.held = self.held.taken_over_by(self._hold())
            self.held.check()
        self.processes.make_way(start.pids)
        self.restore(start)
        for twin in self.setting.twins:
            twin.vary(0 if stream == FIRST_STREAM else zlib.crc32(stream.encode()))

    def _drawn_in(self, start: Snapshot) -> frozenset[str]:
        """Return the names of temporary files in what a process is to find; each was told before anything had it."""
        if not self.names:
            return frozenset()
        known = start.disk.described
        if "drawn" not in known:
            known["drawn"] = drawn_in((path for _, path in start.disk.files), self.names)
        found: frozenset[str] = known["drawn"]
        return found

    def _remember(self, lived: Lived) -> None:
        """Keep what the statement must know, and say what is going on."""
        self.setting.progress(lambda: self.working_on(lived.role), self.executions)
        self.unseen += lived.unseen
        for name in ("unintercepted", "unwatched", "concurrent", "inside", "asked", "unheld", "unordered"):
            getattr(self, name).update(dict.fromkeys(getattr(lived, name)))
        for lines, names in lived.written.items():
            self.written.setdefault(lines, {}).update(names)

    def _sample(self, used: Sample) -> None:
        """Count a life in a used process; keep the first ones, and of the later ones each `_SAMPLED`th."""
        self.reused += 1
        if self.reused <= _FIRST or self.reused % _SAMPLED == 0:
            self.samples.append(used)

    def _part(self, attendant: Attendant, lived: Lived, channel: Channel) -> int:
        """Keep a process that is at rest, end any other; returns its status, 0 where it said how it ended."""
        if attendant.rests:
            self.processes.keep(channel)
            return 0
        self.processes.end(channel)
        others = lived.unintercepted or lived.started  # what they still do is over when they are
        status = 0 if attendant.told and not others else self.processes.bury()
        lived.printed = self._printed.take()
        if lived.role in self.shown and lived.printed:
            self.setting.shown(lived.printed)
        return status
