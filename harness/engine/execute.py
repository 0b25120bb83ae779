"""Run one process of the agent in a child, from a given world, under a given plan, and say what came of it."""

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import get_args

from ..boundary import child
from ..boundary.armed import Armed
from ..boundary.channel import Channel
from ..boundary.places import calling
from ..boundary.printing import Printed
from ..values.errors import ChaosError
from ..values.history import Role
from ..values.points import Point, drawn_in
from ..values.schedule import SWAP
from ..values.strikes import Damage
from .attendant import Attendant
from .budget import Allowance
from .lives import FIRST_STREAM, Lived, Snapshot, Tracing
from .outside import Outside
from .processes import Processes
from .reusing import Reusing, Sample
from .session import Learned
from .setting import Setting
from .telling import Telling
from .worlds import Worlds

Again = Callable[[Lived], Snapshot | None]
"""Returns the world in which a process is called again after what it did; None where it is not."""


@dataclass(frozen=True, slots=True)
class How:
    """How one process is to live.

    Attributes:
        trace: whether the outside is looked at at every point.
        show: whether its output is shown.
        earlier: points of processes before it, on which its own are numbered.
        again: says from which worlds it is called again, in its memory, where an error leaves it; None for not at all.
        apart: whether it is there only to be called again, even if something was left to do before its end.
    """

    trace: Tracing = False
    show: bool = False
    earlier: tuple[Point, ...] = ()
    again: Again | None = None
    apart: bool = False


_PLAINLY = How()


def _born(role: Role, start: Snapshot, plan: Sequence[Armed], pid: int) -> Lived:
    """Return what is known of a process before it does anything."""
    planned = sum(armed.injection.fault != SWAP for armed in plan)
    misread = any(isinstance(armed.strike, Damage) for armed in plan)
    return Lived(role, start, pid=pid, pids=start.pids | {pid}, planned=planned, misread=misread)


class Executor:
    """Forks children, answers them, and looks at the outside for them.

    Attributes:
        call: where the test starts the exploration.
        learned: what processes told, to be known of all later ones.
        allowance: what a process may do and take, as agreed by now, and how long all may take.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.call = calling(sys._getframe(1))
        self.outside = Outside(setting)
        self.learned = Learned()
        self.worlds = Worlds(setting, self.learned.names)
        self.telling = Telling(setting.readers)
        self.allowance = Allowance()
        self.reusing = Reusing()
        self.processes = Processes(self._agent, self.outside.note)
        self._printed = Printed()

    def prepare(self) -> Callable[[], None]:
        """Get ready to fork; returns what puts this process back."""
        for server in self.setting.servers:
            server.stop()
        undo = child.prepare(real_network=bool(self.setting.reach))

        def put_back() -> None:
            with suppress(ChaosError):  # it is gone: that was said where it was missed
                self.processes.close()
            undo()
            for server in self.setting.servers:
                server.answer_meanwhile()

        return put_back

    @contextmanager
    def afresh(self) -> Iterator[None]:
        """Use a process of its own for each that is carried out meanwhile, and none that was used before."""
        with self.reusing.switched(False):
            self.processes.retire()
            yield

    def warm(self, life: Lived) -> None:
        """Do here, once, what this process did late and every further one would do again."""
        self.processes.close()
        child.warm(life.late_modules)

    def _agent(self) -> child.Agent:
        setting = self.setting
        functions = {role: setting.recover if "recover" in role else setting.run for role in get_args(Role)}
        fixed = (self.outside.sources, setting.twins, setting.reach, setting.seed, self.call, setting.outlets)
        return child.Agent(functions, *fixed, self._printed.descriptor)

    def capture(
        self, clock: float, pids: frozenset[int] = frozenset(), reused: frozenset[int] = frozenset()
    ) -> Snapshot:
        """Look at the outside as it is now."""
        return self.outside.capture(clock, pids, reused)

    def close(self) -> None:
        """Remove what is kept on disk; no snapshot can be used any more."""
        self.outside.close()
        self._printed.close()

    def live(self, role: Role, start: Snapshot, stream: str, plan: Sequence[Armed] = (), how: How = _PLAINLY) -> Lived:
        """Let one process live from `start`, and return its life.

        With `how.again` a process that an error leaves is called again, in its memory, from the worlds that it returns.
        One with something left to do before its end is not (`Lived.apart` then), unless it is for that only: `apart`.
        Raises ChaosError where the agent asked for something that the harness cannot answer, OutOfTime where the budget
        is spent.
        """
        self.allowance.deadline.check()
        self._begin(start, stream)
        order = self._order(role, start, stream, plan, how)
        channel, used = self.processes.next(order.torn_pids | start.reused)
        lived = _born(role, start, plan, self.processes.pid)
        self.telling.started(lived)
        attendant = self._attended(order, lived, channel, how, used=used)
        status = self._part(attendant, attendant.lived, channel)
        attendant.settle()
        attendant.looking.damages.put_back()
        attendant.close(status, self.capture(attendant.clock, lived.pids, attendant.reused))
        self.learned.noticed.confirm(plan[position].injection for position in sorted(lived.unconfirmed))
        for one in (lived, *lived.called_again):
            self.learned.noticed.add(one)
        if used:
            self.reusing.count(Sample(stream, tuple(plan), how.earlier, lived))
        return lived

    def _order(self, role: Role, start: Snapshot, stream: str, plan: Sequence[Armed], how: How) -> child.Order:
        begins = (role, tuple(plan), self.allowance.terms.limits, f"{self.setting.seed}/{stream}", start.clock)
        return child.Order(
            *begins,
            how.trace is True,
            how.show or role in self.allowance.terms.shown,
            start.pids,
            how.earlier,
            self.reusing.on,
            trace_once_struck=how.trace == "once struck",
            drawn=self._drawn_in(start),
            torn_pids=self.learned.cuts.torn_pids(start.disk),
            reused_pids=start.reused,
            given=self.outside.given,
            stays=how.again is not None,
        )

    def _attended(self, order: child.Order, lived: Lived, channel: Channel, how: How, *, used: bool) -> Attendant:
        """Serve a process until it has ended or rests; returns who attended it last."""
        attendant = Attendant(self, lived, channel, order.plan, order.trace, order.earlier)
        try:
            attendant.attend(order, used=used)
            if how.again is not None and attendant.waits:
                attendant = self._after_an_error(attendant, order, channel, how.again, apart=how.apart)
        except Exception:
            attendant.part()
            self._part(attendant, lived, channel)
            attendant.settle()
            raise  # what interrupts is no Exception: nobody waits then
        return attendant

    def _after_an_error(
        self, attendant: Attendant, order: child.Order, channel: Channel, again: Again, *, apart: bool
    ) -> Attendant:
        """Let a process end that an error has left, or call it again; returns who attended it last."""
        first = attendant.lived
        if not apart and (attendant.leaves or self.setting.reach):
            first.needs_another_process()
        while not first.apart and attendant.waits:
            attendant.looking.damages.put_back()
            attendant.close(0, self.capture(attendant.clock, first.pids, first.start.reused))
            start = again(attendant.lived)
            if start is None:
                break
            self.allowance.deadline.check()
            lived = Lived("recover", start, pids=first.pids, pid=first.pid, goes_on=True)
            earlier = tuple(point for life in first.called_again for point in life.points)
            following = Attendant(self, lived, channel, (), order.trace, earlier)
            following.follow(attendant)
            attendant = following
            first.called_again.append(lived)
            self.telling.started(lived)
            call = replace(order, role="recover", plan=(), start=start.clock, pids=start.pids, earlier=earlier)
            drawn, torn_pids = order.drawn | self._drawn_in(start), self.learned.cuts.torn_pids(start.disk)
            call = replace(call, drawn=drawn, torn_pids=torn_pids)
            attendant.attend(replace(call, goes_on=True, trace_once_struck=False), used=True)
        if attendant.leaves:
            attendant.attend(child.Finish(), used=True)
        return attendant

    def _begin(self, start: Snapshot, stream: str) -> None:
        """Make the outside what a process is to find."""
        self.outside.check()
        self.processes.make_way(start.pids)
        self.outside.restore(start)
        for twin in self.setting.twins:
            twin.vary(0 if stream == FIRST_STREAM else zlib.crc32(stream.encode()))

    def _drawn_in(self, start: Snapshot) -> frozenset[str]:
        """Return the names of temporary files in what a process is to find; each was told before anything had it."""
        if not self.learned.names:
            return frozenset()
        known = start.disk.described
        if "drawn" not in known:
            known["drawn"] = drawn_in((path for _, path in start.disk.files), self.learned.names)
        found: frozenset[str] = known["drawn"]
        return found

    def _part(self, attendant: Attendant, lived: Lived, channel: Channel) -> int:
        """Keep a process that is at rest, end any other; returns its status, 0 where it said how it ended."""
        if attendant.rests:
            self.processes.keep(channel)
            return 0
        self.processes.end(channel)
        others = lived.unintercepted or lived.started  # what they still do is over when they are
        status = 0 if attendant.told and not others else self.processes.bury()
        if printed := self._printed.take():
            lived.print(printed)
            if lived.role in self.allowance.terms.shown:
                self.telling.printed(printed)
        return status
