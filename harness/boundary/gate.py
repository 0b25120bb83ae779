"""The one gate that every effect of a child process passes: it numbers points, lets the parent look, fires faults.

A crossing has up to three phases: before the effect, in the middle of a write, after the effect. In a traced run the
parent looks at the outside in each of them; where the plan says so, a fault fires there.
"""

import asyncio
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any, NoReturn

from ..values.actions import Action, Fail, Preempt
from ..values.media import medium_of
from ..values.points import NOBODY, InFlight, Phase, Point
from ..values.protocol import InjectionFired, Note, PendingQuery, PointAnnounced
from ..values.real_time import BLOCKING_EFFECT_S
from .adapters.python_asyncio import running_loop
from .channel import Channel
from .crossing import Crossing, TellingFailure
from .media.footprint import Recorder
from .media.real_connections import RealConnections
from .process.places import Places
from .resolved import Limits, Plan, ResolvedInjection
from .scheduling.actors import Actors
from .scheduling.blocking_effects import BlockingEffects
from .scheduling.critical_section import in_critical_section
from .scheduling.preemption import Preemptions, Wait
from .scheduling.scheduler import Scheduler

_real_kill, _real_getpid, _real_exit = os.kill, os.getpid, os._exit


def _is_no_hold(wanted: Callable[[Action], bool], action: Action) -> bool:
    return wanted(action) and not isinstance(action, Preempt)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back a Ctrl-C for the block: an answer of the parent that is half read would be lost."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Gate:
    """The gate that every effect of one process passes: numbers points, keeps the plan, talks to the parent."""

    channel: Channel
    limits: Limits
    trace: bool

    def __init__(self, now: Callable[[], float], places: Places) -> None:
        self.now, self.places = now, places
        self.tick: Callable[[], bool] = lambda: False
        self.wait: Wait = lambda seconds, happens: happens(0)
        self.settle: Callable[[], None] = lambda: None
        self.stop_at: Callable[[Point | int], object] = lambda _: None  # of a debugger
        self.points: list[Point] = []
        self.in_flight: list[InFlight] = []
        self.calls = self.polls = self._uncounted = 0
        self.silences = 0  # clients that wait for an answer which a fault keeps away
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._plan = Plan(())
        self.owed: dict[tuple[str, int], tuple[int, BaseException]] = {}
        self._due: set[int] = set()  # positions of what nobody has carried out yet
        self.programs: dict[object, Crossing] = {}
        self.recorder = Recorder()
        self._local = threading.local()
        self._waiting_for_parent: Counter[int] = Counter()
        self.blocking_effects = BlockingEffects()
        self._actors, self.preemptions, self._beside_programs = Actors(), Preemptions(), False
        self.scheduler = Scheduler(self)
        self.real_connections = RealConnections(self.scheduler.others, self.left_to_the_machine)
        self._left: set[str] = set()
        self.drawn: set[str] = set()  # names of temporary files: in the outside that it found, and its own
        self.lingers = False  # whether something was begun that leaves traces: a thread, a program, a socket
        self.networked = False  # whether there are services on real ports
        self.trace_once_fired = False  # whether the parent looks at every point from the first fault on
        self._pid = 0
        self._main = threading.get_ident()

    def begin(
        self,
        channel: Channel,
        plan: Sequence[ResolvedInjection],
        limits: Limits,
        earlier: Sequence[Point] = (),
        *,
        trace: bool,
    ) -> None:
        """Become the gate of this process, or of its next schedule; points are numbered on from `earlier`."""
        self.points, self.in_flight = [], []
        self.calls = self.polls = self._uncounted = self.silences = 0
        self.owed.clear()
        self._due.clear()
        self.places.begin()
        self.recorder = Recorder()
        self._counts = Counter((p.kind, p.verb, p.target, p.task) for p in earlier)
        self.channel, self._plan, self.limits, self.trace = channel, Plan(plan), limits, trace
        self._pid = _real_getpid()

    @property
    def active(self) -> bool:
        """Return whether the agent is at work: not the harness, not before `begin`, not in a fork of the agent's."""
        # A process that the agent forked has the wrappers too, but must not speak on the channel of this one.
        return not getattr(self._local, "untraced", 0) and _real_getpid() == self._pid

    @contextmanager
    def untraced(self) -> Iterator[None]:
        """Run the block unseen: the harness's own work, or the real effect of a point."""
        self._local.untraced = getattr(self._local, "untraced", 0) + 1
        try:
            yield
        finally:
            self._local.untraced -= 1

    @contextmanager
    def waiting_for_parent(self) -> Iterator[None]:
        """Mark this thread as waiting for the parent: it looks asleep, and virtual time must not move on."""
        own = threading.get_ident()
        self._waiting_for_parent[own] += 1
        try:
            yield
        finally:
            self._waiting_for_parent[own] -= 1
            if not self._waiting_for_parent[own]:
                del self._waiting_for_parent[own]

    def others_waiting_for_parent(self) -> bool:
        """Return whether another thread waits for the parent's answer."""
        own = threading.get_ident()
        return any(thread != own for thread in list(self._waiting_for_parent))

    def expecting(self) -> bool:
        """Ask the parent whether the network will bring something; it replies when relays have noticed all we sent."""
        if not self.networked or not self.active:
            return False
        # Asked before virtual time moves: a real service may be at work on an answer, which comes in real time.
        with self.untraced(), self.waiting_for_parent(), _undisturbed():
            return bool(self.channel.ask(PendingQuery()))

    def user_callback(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function of the agent's that an untraced effect calls back: within it effects are seen."""

        def called(*args: Any, **kwargs: Any) -> Any:
            depth, self._local.untraced = getattr(self._local, "untraced", 0), 0
            try:
                return function(*args, **kwargs)
            finally:
                self._local.untraced = depth

        return called

    def arrive(self, kind: str, verb: str, target: str, size: int = 0) -> Crossing:
        """Name and count the point that is reached, and tell the parent. The caller holds the token."""
        in_flight = self._who_is_in_flight() if self.trace else NOBODY  # no other run is planned on
        point = self._next_point(kind, verb, target)
        self._counts[kind, verb, target, point.task] += 1
        self.points.append(point)
        self.in_flight.append(in_flight)
        # Before anything happens here: the parent must know the place of a process that is killed at this point.
        self.channel.tell(PointAnnounced(kind, verb, target, point.n, point.task, *self.places.here()))
        self._local.point = point
        self.stop_at(point)
        if self.programs and not self._beside_programs:
            self._beside_programs = True
            self.note("concurrent", "programs")
        # A timer of another thread is due: let it come to its own point first, or which of both is first were chance.
        if self.tick() and not in_critical_section():
            self.settled()
        if medium_of(kind).answered:
            self.calls += 1
        if self.calls > self.limits.calls or len(self.points) - self._uncounted > self.limits.effects:
            self.overrun()
        return Crossing(self, point, size)

    @contextmanager
    def crossing(self, kind: str, verb: str, target: str) -> Iterator[Crossing]:
        """Run an atomic effect: fire what is planned before it, run it untraced, fire what is planned after it."""
        with self.holding_token(kind, verb, target):
            crossing = self.arrive(kind, verb, target)
            crossing.phase("before")
            with self.untraced():
                yield crossing
            crossing.phase("after")

    @contextmanager
    def holding_token(self, kind: str, verb: str, target: str) -> Iterator[None]:
        """Hold the scheduler's token for the block; a thread that is preempted here first waits for other actors."""
        try:
            with TellingFailure(), self._with_token(kind, verb, target):
                yield
        finally:
            self.preemptions.passed(self._actors.me)

    @contextmanager
    def blocking_effect(self, kind: str, verb: str, target: str) -> Iterator[Crossing]:
        """Run an effect that can block on another thread (an SQLite lock): the token is free once it has started."""
        try:
            with TellingFailure():
                with self._with_token(kind, verb, target):
                    crossing = self.arrive(kind, verb, target)
                    crossing.phase("before")
                    self.blocking_effects.begin()
                with self.untraced():
                    yield crossing
                crossing.phase("after")
        finally:
            self.blocking_effects.end()
            self.preemptions.passed(self._actors.me)

    def resume(self) -> None:
        """Wait for the token after a wait in virtual time: the scheduler decides which thread goes on."""
        if _real_getpid() == self._pid:
            with self.scheduler.token():
                pass

    @contextmanager
    def _with_token(self, kind: str, verb: str, target: str) -> Iterator[None]:
        preemption: ResolvedInjection | None = None
        while True:
            if preemption is not None:
                with self._preempting(preemption) as came:
                    # Without the token: it is for others to come first.
                    came.append(self.preemptions.thread(self._actors.me(), preemption.others, self.wait))
            with self.scheduler.token(kind, verb, target):
                point = self._next_point(kind, verb, target)
                # A task has waited already, in `before_await`: here it would stop its whole loop.
                preemption = None if self.awaits else self._preemption_at(point, "before")
                if preemption is None:
                    if self.blocking_effects.others():
                        with self.waiting_for_parent():
                            all_ended = self.blocking_effects.wait_for_all()
                        if not all_ended:
                            self.left_to_the_machine(f"an effect that takes more than {BLOCKING_EFFECT_S:g} s")
                        self.settled()
                    yield
                    return

    @property
    def awaits(self) -> bool:
        """Return whether a task that awaits its effect is running now."""
        return getattr(self._local, "awaits", False)

    @contextmanager
    def awaiting(self) -> Iterator[None]:
        """Mark the running task as awaiting its effect: it can be made to wait without its loop."""
        self._local.awaits = True
        try:
            yield
        finally:
            self._local.awaits = False

    async def before_await(self, kind: str, verb: str, target: str) -> None:
        """Pass the turn to other tasks while a request is on its way; if the plan preempts this one, wait for them."""
        if running_loop() is None:
            return
        if len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
        await self._let_others_come(self._next_point(kind, verb, target), "before")

    async def after_await(self) -> None:
        """Wait for effects of other tasks while an answer is on its way, if the plan preempts this task."""
        if running_loop() is not None:
            await self._let_others_come(self._local.point, "after")

    def _next_point(self, kind: str, verb: str, target: str) -> Point:
        task = self._task()
        return Point(kind, verb, target, self._counts[kind, verb, target, task] + 1, task)

    def _who_is_in_flight(self) -> InFlight:
        """Return the actor at this point, and those that could have reached one of their own."""
        loops = running_loop() is not None
        who, others = self._actors.me(), self._actors.others(self.scheduler.wants)
        # Between two awaits a task cannot wait without its loop: it cannot be preempted there.
        return InFlight(who, others, "task" if self.awaits else "" if loops else "thread")

    def begins(self, thread: threading.Thread) -> None:
        """Number a thread that starts, and note the line that starts it; the process is not pristine any more."""
        if _real_getpid() == self._pid:
            self._actors.number(thread)
            self.places.hand_to(thread)
            self.lingers = True

    def settled(self) -> None:
        """Return when no other thread of this process computes."""
        with self.waiting_for_parent():
            self.settle()
        for place in self._actors.at_plain_locks(self.scheduler.wants) if self.scheduler.others() else ():
            self.left_to_the_machine(f"a lock at {place}")

    def number(self) -> int:
        """Return the number of the current thread; those started earlier have lower ones."""
        return self._actors.number(threading.current_thread())

    async def _let_others_come(self, point: Point, when: Phase) -> None:
        preemption = self._preemption_at(point, when)
        if preemption is not None:
            with self._preempting(preemption) as came:
                came.append(await self.preemptions.task(self._actors.me(), preemption.others))

    @contextmanager
    def _preempting(self, resolved: ResolvedInjection) -> Iterator[list[bool]]:
        """Tell the parent that the preemption fires, and after the block if it was impossible: no other effect came."""
        came: list[bool] = []
        spent = len(self._plan.spent)
        counts = self.calls, self.polls, self._uncounted - len(self.points)
        self._comes(resolved.position)
        self.fired(resolved)
        try:
            yield came
        finally:
            # what others do while somebody is held is no sign of a run without end
            self.calls, self.polls, self._uncounted = *counts[:2], counts[2] + len(self.points)
            if not any(came) and len(self._plan.spent) == spent:
                self.channel.tell(InjectionFired(resolved.position, self.now(), "in vain"))

    def _preemption_at(self, point: Point, when: Phase) -> ResolvedInjection | None:
        """Return the preemption that the plan has for this point and phase, once; None for none."""
        return self._plan.first(point, when, lambda action: isinstance(action, Preempt))

    def left_to_the_machine(self, what: str) -> None:
        """Tell the parent, once for each text, what real time or the kernel decided."""
        if what not in self._left and _real_getpid() == self._pid:
            self._left.add(what)
            self.note("unordered", what)

    def poll(self) -> None:
        """Count a wait, and end a process that waits without end."""
        self.polls += not self.silences  # what goes on beside such a client is no sign of a run without end
        if self.polls > self.limits.polls:
            self.overrun()

    def due(self, point: Point, when: Phase, wanted: Callable[[Action], bool]) -> ResolvedInjection | None:
        """Return the injection that fires in this phase: a planned one once, a lasting one again.

        That it is due proves nothing: the code that carries it out calls `fired`; for a twin the parent does.
        """
        # Preemptions fire before the token is given, not in a phase.
        wants = partial(_is_no_hold, wanted)
        resolved = self._plan.due(point, when, wants, self._comes)
        self.trace = self.trace or (resolved is not None and self.trace_once_fired)
        return resolved

    def _comes(self, position: int) -> None:
        # Told before the action: a process that it kills says nothing afterwards.
        self._due.add(position)
        self.channel.tell(InjectionFired(position, self.now(), "due"))
        self.stop_at(position)

    def fired(self, resolved: ResolvedInjection | None) -> None:
        """Tell the parent that a due action was carried out; for the code that did it, and no other."""
        if resolved is not None and resolved.position in self._due:
            self._due.discard(resolved.position)
            self.channel.tell(InjectionFired(resolved.position, self.now()))

    def owe(self, name: str, fd: int, left: int, resolved: ResolvedInjection) -> None:
        """Keep the error for the caller's next write, of the `left` bytes that a full disk did not take."""
        assert isinstance(resolved.action, Fail)
        self.owed[name, fd] = left, copy(resolved.action.error)
        self.fired(resolved)

    def expects(self, point: Point, when: Phase) -> bool:
        """Return whether an injection is planned for this phase, without firing it."""
        return self._plan.expects(point, when)

    def note(self, kind: str, text: str) -> None:
        """Tell the parent something that the statement must know."""
        self.channel.tell(Note(kind, text))

    def overrun(self) -> None:
        """End a process that calls or polls for ever; nothing of the agent's may catch this.

        If it waits so for a preempted thread or task, that one goes on instead.
        """
        if self.preemptions.give_up():
            return
        text = f"{self.calls} requests, {self.polls} waits, {len(self.points)} effects"
        self.channel.tell(Note("unbounded", text, self.places.current()))
        self.die()

    def die(self) -> NoReturn:
        """Die as by ``kill -9``, now."""
        _real_kill(_real_getpid(), signal.SIGKILL)
        _real_exit(137)

    def _task(self) -> str:
        thread = threading.current_thread()
        # Python numbers such names by how many threads came before; only a name that the agent gave is part of a point.
        if thread.ident == self._main or thread.name.startswith(("Thread-", "ThreadPoolExecutor", "asyncio_")):
            return ""
        return thread.name.replace("#", "").replace("%", "").replace("+", "")
