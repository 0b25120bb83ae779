"""Run one process of the agent in a child, from a raw state, under a plan, and record what came of it."""

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol, get_args

from ..boundary.channel import Channel
from ..boundary.process import child, preparing
from ..boundary.process.places import calling
from ..boundary.process.printing import Printed
from ..boundary.resolved import ResolvedInjection
from ..values.actions import Damage
from ..values.errors import ChaosError
from ..values.history import Role
from ..values.points import Point, drawn_in
from ..values.schedule import SWAP
from ..world.storage.remembering import forget_all
from .budget import Allowance
from .config import ExplorationConfig
from .noticed import not_carried_out
from .outside import Outside
from .process_runs import FIRST_STREAM, ProcessRun, RawState, Tracing, Treatment
from .processes import Processes
from .reusing import Reusing, Sample
from .session import Learned
from .telling import Telling
from .tracer import Tracer
from .worlds import Worlds

Again = Callable[[ProcessRun], RawState | None]
"""Returns the state in which a process is called again after what it did; None where it is not."""


@dataclass(frozen=True, slots=True)
class How:
    """Settings by which one process is run and served.

    Attributes:
        trace: whether the outside is looked at at every point.
        show: whether its output is shown.
        earlier: points of processes before it, on which its own are numbered.
        again: returns the state in which it is called again, in its memory, after an error; None for not at all.
        apart: whether it is there only to be called again, even if something was left to do before its end.
        treatment: what is changed of it, to see whether that cures it.
    """

    trace: Tracing = False
    show: bool = False
    earlier: tuple[Point, ...] = ()
    again: Again | None = None
    apart: bool = False
    treatment: Treatment | None = None


_PLAINLY = How()


class Runner(Protocol):
    """Runs processes of the agent, as `Executor.run_process` does."""

    def run_process(
        self, role: Role, start: RawState, stream: str, plan: Sequence[ResolvedInjection] = ..., how: How = ...
    ) -> ProcessRun:
        """Run one process from the state `start`, and return its record."""


def _born(
    role: Role, start: RawState, plan: Sequence[ResolvedInjection], pid: int, treatment: Treatment | None
) -> ProcessRun:
    """Return the record of a process that has done nothing yet."""
    planned = sum(resolved.injection.fault != SWAP for resolved in plan)
    misread = any(isinstance(resolved.action, Damage) for resolved in plan)
    pids = start.pids | {pid}
    process = ProcessRun(role, start, pid=pid, pids=pids, planned=planned, misread=misread, plan=tuple(plan))
    return replace(process, treatment=treatment)


class Executor:
    """Forks children, answers them, and looks at the outside for them.

    Attributes:
        call: where the test starts the exploration.
        learned: what processes told, to be known of all later ones.
        allowance: what a process may do and take, as agreed by now, and how long all may take.
    """

    def __init__(self, config: ExplorationConfig) -> None:
        self.config = config
        self.call = calling(sys._getframe(1))
        self.outside = Outside(config)
        self.learned = Learned()
        self.telling = Telling(config.readers, config.cleaner)
        self.worlds = Worlds(config, self.learned.names, self.telling.spent)
        self.allowance = Allowance()
        self.reusing = Reusing()
        self.processes = Processes(self._agent, self.outside.note)
        self._printed = Printed()

    def prepare(self) -> Callable[[], None]:
        """Prepare the test's process for forking; returns a function that undoes it."""
        for server in self.config.servers:
            # Twins on real ports answered the test in a thread; while processes run, the tracer lets them answer.
            server.stop()
        undo = preparing.prepare(real_network=bool(self.config.reach))

        def put_back() -> None:
            with suppress(ChaosError):  # it is gone: that was said where it was missed
                self.processes.close()
            undo()
            for server in self.config.servers:
                server.answer_meanwhile()

        return put_back

    @contextmanager
    def afresh(self) -> Iterator[None]:
        """Run every process of the block in a freshly forked one."""
        with self.reusing.switched(False):
            self.processes.retire()
            yield

    @contextmanager
    def used_meanwhile(self) -> Iterator[None]:
        """Allow processes of the block to carry out several schedules where they may, without counting that."""
        try:
            with self.reusing.uncounted(self.config.reuse and not self.config.reach):
                yield
        finally:
            self.processes.retire()

    def warm(self, process: ProcessRun) -> None:
        """Import here what a run imported late, so that no later process has to."""
        if preparing.warm(process.late_modules):
            # The fork server is older than these imports: the next one, forked from here, has them.
            self.processes.close()

    def _agent(self) -> child.Agent:
        config = self.config
        functions = {role: config.recover if "recover" in role else config.run for role in get_args(Role)}
        fixed = (self.outside.sources, config.twins, config.reach, config.seed, self.call, config.outlets)
        return child.Agent(functions, *fixed, self._printed.descriptor)

    def capture(
        self, clock: float, pids: frozenset[int] = frozenset(), reused: frozenset[int] = frozenset()
    ) -> RawState:
        """Look at the outside as it is now."""
        with self.telling.spent.on("capture"):
            return self.outside.capture(clock, pids, reused)

    def close(self) -> None:
        """Forget all raw states, and remove their stored content from disk; none can be used afterwards."""
        self.outside.close()
        self._printed.close()
        forget_all()

    def run_process(
        self, role: Role, start: RawState, stream: str, plan: Sequence[ResolvedInjection] = (), how: How = _PLAINLY
    ) -> ProcessRun:
        """Run one process from the state `start`, and return its record.

        With `how.again` a process that an error leaves is called again, in its memory, in the state that it returns.
        One with something left to do before its end is not (`ProcessRun.apart` then), unless it is for that only:
        `apart`. Raises ChaosError where the agent asked for something that the harness cannot answer, OutOfTime where
        the budget is spent.
        """
        self.allowance.deadline.check()
        self._begin(start, stream)
        request = self._order(role, start, stream, plan, how)
        # No process may have a number that half of a pid in the outside reads as, or that another program has by now.
        with self.telling.spent.on("fork"):
            channel, used = self.processes.next(request.torn_pids | start.reused)
        process = _born(role, start, plan, self.processes.pid, how.treatment)
        self.telling.started(process)
        with self.telling.spent.on("agent"):
            tracer = self._traced(request, process, channel, how, used=used)
        # The process first, then its connections: no request of a dead process may reach the next one's outside.
        with self.telling.spent.on("fork"):
            status = self._part(tracer, tracer.process, channel)
        tracer.settle()
        tracer.looking.damages.put_back()
        # A damage of a lying disk is no state of the outside: the copies are back before the end is captured.
        tracer.close(status, self.capture(tracer.clock, process.pids, tracer.reused))
        # What was due in a process that ended by itself, and was not carried out, must not count as survived.
        missing = [plan[position].injection for position in sorted(process.unconfirmed)]
        self.learned.unconfirmed.update(not_carried_out(missing))
        for one in (process, *process.called_again):
            self.learned.noticed.add(one)
        if used:
            self.reusing.count(Sample(stream, tuple(plan), how.earlier, process))
        return process

    def _order(
        self, role: Role, start: RawState, stream: str, plan: Sequence[ResolvedInjection], how: How
    ) -> child.RunRequest:
        begins = (role, tuple(plan), self.allowance.terms.limits, f"{self.config.seed}/{stream}", start.clock)
        return child.RunRequest(
            *begins,
            how.trace in (True, "for the story"),
            how.show or role in self.allowance.terms.shown,
            start.pids,
            how.earlier,
            self.reusing.on,
            trace_once_fired=how.trace == "once fired",
            drawn=self._drawn_in(start),
            torn_pids=self.learned.torn_values.torn_pids(start.disk),
            reused_pids=start.reused,
            given=self.outside.given,
            stays=how.again is not None,
            stops=None if self.allowance.terms.stops is None else self.allowance.terms.stops.get(role, {}),
        )

    def _traced(
        self, request: child.RunRequest, process: ProcessRun, channel: Channel, how: How, *, used: bool
    ) -> Tracer:
        """Serve a process until it has ended or is pristine; returns its last tracer."""
        tracer = Tracer(self, process, channel, request.plan, how.trace, request.earlier)
        try:
            tracer.serve(request, used=used)
            if how.again is not None and tracer.waits:
                tracer = self._after_an_error(tracer, request, channel, how.again, apart=how.apart)
        except Exception:
            tracer.part()
            self._part(tracer, process, channel)
            tracer.settle()
            # The connections of a dead process must end before the outside is put back, also after an error.
            raise  # what interrupts is no Exception: nobody waits then
        return tracer

    def _after_an_error(
        self, tracer: Tracer, request: child.RunRequest, channel: Channel, again: Again, *, apart: bool
    ) -> Tracer:
        """End a process that an error has left, or call it again, as a worker does; returns its last tracer."""
        first = tracer.process
        # A restart is to show what a process leaves that has ended. Where a thread, an exit handler or a real
        # connection is left, calling this one again would hide that: another process repeats the run for it.
        if not apart and (tracer.leaves or self.config.reach):
            first.needs_another_process()
        while not first.apart and tracer.waits:
            tracer.looking.damages.put_back()
            # The worker stands still meanwhile: its failed call ends here, and the next one starts from here.
            tracer.close(0, self.capture(tracer.clock, first.pids, first.start.reused))
            start = again(tracer.process)
            if start is None:
                break
            self.allowance.deadline.check()
            process = ProcessRun("recover", start, pids=first.pids, pid=first.pid, goes_on=True)
            earlier = tuple(point for process in first.called_again for point in process.points)
            following = Tracer(self, process, channel, (), tracer.looking.trace, earlier)
            following.follow(tracer)
            tracer = following
            first.called_again.append(process)
            self.telling.started(process)
            # The plan was for the first call: this one is healthy.
            call = replace(request, role="recover", plan=(), start=start.clock, pids=start.pids, earlier=earlier)
            drawn, torn_pids = request.drawn | self._drawn_in(start), self.learned.torn_values.torn_pids(start.disk)
            call = replace(call, drawn=drawn, torn_pids=torn_pids)
            tracer.serve(replace(call, goes_on=True, trace_once_fired=False), used=True)
        if tracer.leaves:
            # It is not called again: its exit handlers run now, as when a worker is stopped.
            tracer.serve(child.FinishRequest(), used=True)
        return tracer

    def _begin(self, start: RawState, stream: str) -> None:
        """Put the outside into the state that the next process starts from."""
        self.outside.check()
        # The last process first: what it still does would be in the state that the next one starts from.
        with self.telling.spent.on("fork"):
            self.processes.make_way(start.pids)
        with self.telling.spent.on("restore"):
            self.outside.restore(start)
        for twin in self.config.twins:
            # As a real service, a twin gives other ids in each run; in the first one always the same.
            twin.set_run(0 if stream == FIRST_STREAM else zlib.crc32(stream.encode()))

    def _drawn_in(self, start: RawState) -> frozenset[str]:
        """Return the names of temporary files in the state that a process starts from; each name was told before it was
        used.
        """
        if not self.learned.names:
            return frozenset()
        # Kept with the state: a name that is drawn later cannot be in it.
        known = start.disk.described
        if "drawn" not in known:
            known["drawn"] = drawn_in((path for _, path in start.disk.files), self.learned.names)
        found: frozenset[str] = known["drawn"]
        return found

    def _part(self, tracer: Tracer, process: ProcessRun, channel: Channel) -> int:
        """Keep a pristine process, end any other; returns its exit status, 0 if it has reported its end itself."""
        if tracer.pristine:
            self.processes.keep(channel)
            return 0
        self.processes.end(channel)
        # Other processes of the agent may still write: wait until all of its group are gone.
        others = process.unintercepted or process.started  # what they still do is over when they are
        status = 0 if tracer.told and not others else self.processes.bury()
        if printed := self._printed.take():
            process.print(printed)
            if process.role in self.allowance.terms.shown:
                self.telling.printed(printed)
        return status
