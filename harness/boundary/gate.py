"""The one gate through which every effect of a child process passes: counts, traces, and strikes.

A crossing has up to three moments: before the effect, in the middle of a write, after the effect. In a traced run the
parent looks at the world at each of them; where the plan says so, a fault strikes there.
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

from ..values.media import medium_of
from ..values.points import Flight, Point, When
from ..values.real_time import FLIGHT_S
from ..values.strikes import Fail, Hold, Strike
from .adapters.python_asyncio import running_loop
from .armed import Armed, Limits, Plan
from .brief import within
from .channel import Channel, Expecting, Noted, Reached, Struck
from .companions import Companions
from .crossing import Crossing
from .flying import Flying
from .footprint import Recorder
from .holding import Holding, Wait
from .places import Places
from .turns import Turns

_real_kill, _real_getpid, _real_exit = os.kill, os.getpid, os._exit


def _others(armed: Armed) -> int:
    assert isinstance(armed.strike, Hold)
    return armed.strike.others


def _is_no_hold(wanted: Callable[[Strike], bool], strike: Strike) -> bool:
    return wanted(strike) and not isinstance(strike, Hold)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a Ctrl-C wait: an answer of the parent that is half read could not be found again."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Gate:
    """Counts crossings, keeps the plan, and talks to the parent."""

    channel: Channel
    limits: Limits
    trace: bool

    def __init__(self, now: Callable[[], float], places: Places) -> None:
        self.now, self.places = now, places
        self.tick: Callable[[], bool] = lambda: False
        self.wait: Wait = lambda seconds, happens: happens(0)
        self.settle: Callable[[], None] = lambda: None
        self.points: list[Point] = []
        self.flights: list[Flight] = []
        self.calls = self.polls = self._uncounted = 0
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._plan = Plan(())
        self.owed: dict[tuple[str, int], tuple[int, BaseException]] = {}
        self._due: set[int] = set()  # positions of what nobody has carried out yet
        self.programs: dict[object, Crossing] = {}
        self.recorder = Recorder()
        self._local = threading.local()
        self._inside: Counter[int] = Counter()
        self.flying = Flying()
        self._companions, self.holding, self._beside_programs = Companions(), Holding(), False
        self.turns = Turns(self)
        self._left: set[str] = set()
        self.drawn: set[str] = set()  # names of temporary files: in the outside that it found, and its own
        self.lingers = False  # whether something was begun that leaves traces: a thread, a program, a socket
        self.networked = False  # whether there are services on real ports
        self.trace_once_struck = False  # whether the parent looks at every point from the first fault on
        self._pid = 0
        self._main = threading.get_ident()

    def begin(
        self, channel: Channel, plan: Sequence[Armed], limits: Limits, earlier: Sequence[Point] = (), *, trace: bool
    ) -> None:
        """Become the gate of this process; until then every effect passes unseen. Points are numbered on.

        Called again where the process carries out another schedule.
        """
        self.points, self.flights = [], []
        self.calls = self.polls = self._uncounted = 0
        self.owed.clear()
        self._due.clear()
        self.places.begin()
        self.recorder = Recorder()
        self._counts = Counter((p.kind, p.verb, p.target, p.task) for p in earlier)
        self.channel, self._plan, self.limits, self.trace = channel, Plan(plan), limits, trace
        self._pid = _real_getpid()

    @property
    def active(self) -> bool:
        """False inside the harness's own work, before `begin`, and in processes that the agent forked itself."""
        return not getattr(self._local, "quiet", 0) and _real_getpid() == self._pid

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Do the harness's own work, or the real effect behind a crossing, unseen."""
        self._local.quiet = getattr(self._local, "quiet", 0) + 1
        try:
            yield
        finally:
            self._local.quiet -= 1

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Wait for the parent's answer, which looks like sleep and is none: other threads' timers wait for its end."""
        own = threading.get_ident()
        self._inside[own] += 1
        try:
            yield
        finally:
            self._inside[own] -= 1
            if not self._inside[own]:
                del self._inside[own]

    def others_inside(self) -> bool:
        """Say whether another thread waits for the parent's answer."""
        own = threading.get_ident()
        return any(thread != own for thread in list(self._inside))

    def expecting(self) -> bool:
        """Say whether the network will bring something that the agent can wait for; asks the parent.

        When the reply comes, all that this process sent has been noticed by the relays.
        """
        if not self.networked or not self.active:
            return False
        with self.quiet(), self.inside(), _undisturbed():
            return bool(self.channel.ask(Expecting()))

    def aloud(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Let the agent's own function, called back from within a quiet effect, be seen again."""

        def called(*args: Any, **kwargs: Any) -> Any:
            depth, self._local.quiet = getattr(self._local, "quiet", 0), 0
            try:
                return function(*args, **kwargs)
            finally:
                self._local.quiet = depth

        return called

    def arrive(self, kind: str, verb: str, target: str, size: int = 0) -> Crossing:
        """Name the point that is reached now; for who has the turn."""
        flight = self._flight() if self.trace else Flight((0, 0))
        point = self._next_point(kind, verb, target)
        self._counts[kind, verb, target, point.task] += 1
        self.points.append(point)
        self.flights.append(flight)
        self.channel.tell(Reached(kind, verb, target, point.n, point.task, *self.places.here()))
        self._local.point = point
        if self.programs and not self._beside_programs:
            self._beside_programs = True
            self.note("concurrent", "programs")
        if self.tick() and not within():
            self.settled()
        if medium_of(kind).answered:
            self.calls += 1
        if self.calls > self.limits.calls or len(self.points) - self._uncounted > self.limits.effects:
            self.overrun()
        return Crossing(self, point, size)

    @contextmanager
    def crossing(self, kind: str, verb: str, target: str) -> Iterator[Crossing]:
        """Pass an effect that is done or not done, nothing between; threads take turns."""
        with self.my_turn(kind, verb, target):
            crossing = self.arrive(kind, verb, target)
            crossing.moment("before")
            with self.quiet():
                yield crossing
            crossing.moment("after")

    @contextmanager
    def my_turn(self, kind: str, verb: str, target: str) -> Iterator[None]:
        """Keep other threads from crossing meanwhile; who comes to a place where others go first lets them."""
        try:
            with self._in_turn(kind, verb, target):
                yield
        finally:
            self.holding.passed(self._companions.me)

    @contextmanager
    def flight(self, kind: str, verb: str, target: str) -> Iterator[None]:
        """Pass an effect that may wait for another thread, which therefore cannot keep its turn meanwhile."""
        try:
            with self._in_turn(kind, verb, target):
                crossing = self.arrive(kind, verb, target)
                crossing.moment("before")
                self.flying.begin()
            with self.quiet():
                yield
            crossing.moment("after")
        finally:
            self.flying.end()
            self.holding.passed(self._companions.me)

    def resume(self) -> None:
        """Go on after a wait, when all others rest."""
        if _real_getpid() == self._pid:
            with self.turns.mine():
                pass

    @contextmanager
    def _in_turn(self, kind: str, verb: str, target: str) -> Iterator[None]:
        held: Armed | None = None
        while True:
            if held is not None:
                with self._holds(held) as came:
                    came.append(self.holding.thread(self._companions.me(), _others(held), self.wait))
            with self.turns.mine(kind, verb, target):
                held = None if self.awaits else self._held(self._next_point(kind, verb, target), "before")
                if held is None:
                    if self.flying.others():
                        with self.inside():
                            landed = self.flying.let_land()
                        if not landed:
                            self.left_to_the_machine(f"an effect that takes more than {FLIGHT_S:g} s")
                        self.settled()
                    yield
                    return

    @property
    def awaits(self) -> bool:
        """Whether a task that awaits its effect is running now."""
        return getattr(self._local, "awaits", False)

    @contextmanager
    def awaiting(self) -> Iterator[None]:
        """Be a task that awaits its effect: it can be made to wait without its loop."""
        self._local.awaits = True
        try:
            yield
        finally:
            self._local.awaits = False

    async def depart(self, kind: str, verb: str, target: str) -> None:
        """Let other tasks go on as they do while a request is on its way; longer where the plan says so."""
        if running_loop() is None:
            return
        if len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
        await self._let_others_come(self._next_point(kind, verb, target), "before")

    async def land(self) -> None:
        """Let other tasks go on, where the plan says so, while an answer is on its way."""
        if running_loop() is not None:
            await self._let_others_come(self._local.point, "after")

    def _next_point(self, kind: str, verb: str, target: str) -> Point:
        task = self._task()
        return Point(kind, verb, target, self._counts[kind, verb, target, task] + 1, task)

    def _flight(self) -> Flight:
        """Say who is here, and who else could be."""
        loops = running_loop() is not None
        who, others = self._companions.me(), self._companions.others(self.turns.wants)
        return Flight(who, others, "task" if self.awaits else "" if loops else "thread")

    def begins(self, thread: threading.Thread) -> None:
        """Know a thread that begins: its number, the names of later ones and what it keeps for itself remain."""
        if _real_getpid() == self._pid:
            self._companions.number(thread)
            self.places.hand_to(thread)
            self.lingers = True

    def settled(self) -> None:
        """Return when no other thread of this process computes."""
        with self.inside():
            self.settle()
        for place in self._companions.at_plain_locks(self.turns.wants) if self.turns.others() else ():
            self.left_to_the_machine(f"a lock at {place}")

    def number(self) -> int:
        """Return the number of the current thread; those started earlier have lower ones."""
        return self._companions.number(threading.current_thread())

    async def _let_others_come(self, point: Point, when: When) -> None:
        held = self._held(point, when)
        if held is not None:
            with self._holds(held) as came:
                came.append(await self.holding.task(self._companions.me(), _others(held)))

    @contextmanager
    def _holds(self, armed: Armed) -> Iterator[list[bool]]:
        """Tell the parent that somebody waits here; afterwards where nobody came, and no fault is why."""
        came: list[bool] = []
        spent = len(self._plan.spent)
        counts = self.calls, self.polls, self._uncounted - len(self.points)
        self._comes(armed.position)
        self.fired(armed)
        try:
            yield came
        finally:
            # what others do while somebody is held is no sign of a run without end
            self.calls, self.polls, self._uncounted = *counts[:2], counts[2] + len(self.points)
            if not any(came) and len(self._plan.spent) == spent:
                self.channel.tell(Struck(armed.position, self.now(), "in vain"))

    def _held(self, point: Point, when: When) -> Armed | None:
        """Return what the plan says about others that go first here, once."""
        return self._plan.first(point, when, lambda strike: isinstance(strike, Hold))

    def left_to_the_machine(self, what: str) -> None:
        """Tell the parent, once, what was not decided here."""
        if what not in self._left and _real_getpid() == self._pid:
            self._left.add(what)
            self.note("unordered", what)

    def poll(self) -> None:
        """Count a wait."""
        self.polls += 1
        if self.polls > self.limits.polls:
            self.overrun()

    def due(self, point: Point, when: When, wanted: Callable[[Strike], bool]) -> Armed | None:
        """Return what strikes at this moment: a planned injection once, a lasting one again and again.

        Whoever carries it out says so: `fired`, or for what a twin does, the parent. That it is due proves nothing.
        """
        wants = partial(_is_no_hold, wanted)
        armed = self._plan.due(point, when, wants, self._comes)
        self.trace = self.trace or (armed is not None and self.trace_once_struck)
        return armed

    def _comes(self, position: int) -> None:
        self._due.add(position)
        self.channel.tell(Struck(position, self.now(), "due"))

    def fired(self, armed: Armed | None) -> None:
        """Say that an action was carried out that was due; for who does it, and nobody else."""
        if armed is not None and armed.position in self._due:
            self._due.discard(armed.position)
            self.channel.tell(Struck(armed.position, self.now()))

    def owe(self, name: str, fd: int, left: int, armed: Armed) -> None:
        """Keep the error that the rest of a write meets, so many bytes; the first part was all that was written."""
        assert isinstance(armed.strike, Fail)
        self.owed[name, fd] = left, copy(armed.strike.error)
        self.fired(armed)

    def expects(self, point: Point, when: When) -> bool:
        """Say whether something would strike at this moment, without striking."""
        return self._plan.expects(point, when)

    def note(self, kind: str, text: str) -> None:
        """Tell the parent something that the statement must know."""
        self.channel.tell(Noted(kind, text))

    def overrun(self) -> None:
        """End a process that calls or polls for ever; nothing of the agent's may catch this.

        Where it waits so for a thread or task that is held, that one goes on instead.
        """
        if self.holding.give_up():
            return
        text = f"{self.calls} requests, {self.polls} waits, {len(self.points)} effects"
        self.channel.tell(Noted("unbounded", text, self.places.current()))
        self.die()

    def die(self) -> NoReturn:
        """Die as by ``kill -9``, now."""
        _real_kill(_real_getpid(), signal.SIGKILL)
        _real_exit(137)

    def _task(self) -> str:
        thread = threading.current_thread()
        if thread.ident == self._main or thread.name.startswith(("Thread-", "ThreadPoolExecutor", "asyncio_")):
            return ""
        return thread.name.replace("#", "").replace("%", "").replace("+", "")
