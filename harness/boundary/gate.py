"""The one gate through which every effect of a child process passes: counts, traces, and strikes.

A crossing has up to three moments: before the effect, in the middle of a write, after the effect. In a traced run the
parent looks at the world at each of them; where the plan says so, a fault strikes there.
"""

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any, NoReturn

from ..values.faults import matches
from ..values.points import Doer, Point, When
from ..values.schedule import Injection
from ..values.strikes import Fail, Kill, Say, Strike
from .channel import Channel, Crossed, Expecting, Noted, Struck
from .companions import Companions

_real_monotonic, _real_sleep = time.monotonic, time.sleep
_FLIGHT_S = 0.05
_real_kill, _real_getpid, _real_exit = os.kill, os.getpid, os._exit


@dataclass(frozen=True, slots=True)
class Armed:
    """An injection of the plan, ready to strike.

    `at` has the globs of ``kind.verb`` that its fault strikes; `outlives` says that the next process meets it too, and
    `begun` that it struck in an earlier one and lasts.
    """

    position: int
    injection: Injection
    strike: Strike
    at: tuple[str, ...]
    outlives: bool = False
    begun: bool = False

    def reaches(self, point: Point) -> bool:
        """Say whether a lasting fault covers this later point: the same host, or the same kind of medium."""
        origin = self.injection.point
        if not matches(self.at, point):
            return False
        if origin.kind in ("http", "llm"):
            return point.target.partition("/")[0] == origin.target.partition("/")[0]
        if origin.kind == "net":
            return point.kind == "net" and point.target == origin.target
        return point.kind == origin.kind


@dataclass(frozen=True, slots=True)
class Limits:
    """How many calls (requests), polls (sleeps) and effects a process may make before it counts as endless."""

    calls: int
    polls: int
    effects: int


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a Ctrl-C wait: an answer of the parent that is half read could not be found again."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _doer() -> Doer:
    """Say who is running now."""
    if threading.current_thread() is not threading.main_thread():
        return "thread"
    return "task" if asyncio._get_running_loop() is not None and asyncio.current_task() is not None else "main"


class Crossing:
    """One passage through the gate."""

    __slots__ = ("gate", "point", "size")

    def __init__(self, gate: "Gate", point: Point, size: int) -> None:
        self.gate, self.point, self.size = gate, point, size

    def moment(self, when: When) -> Armed | None:
        """Let the parent look, then strike: die, raise, or return what only the caller can carry out."""
        gate = self.gate
        if gate.trace:
            with gate.inside():
                gate.channel.ask(Crossed(self.point, when, gate.now(), self.size, _doer()))
        armed = gate.due(self.point, when, lambda strike: not isinstance(strike, Say))
        if armed is None:
            return None
        if isinstance(armed.strike, Kill):
            gate.die()
        if isinstance(armed.strike, Fail) and when != "middle":
            raise copy(armed.strike.error)
        return armed

    def changed_answer(self) -> Armed | None:
        """Return what makes the model say something else here."""
        return self.gate.due(self.point, "after", lambda strike: isinstance(strike, Say))

    @property
    def tears(self) -> bool:
        """Whether a write must be made in two parts here."""
        return self.size > 1 and (self.gate.trace or self.gate.expects(self.point, "middle"))


class Gate:
    """Counts crossings, keeps the plan, and talks to the parent."""

    channel: Channel
    plan: Sequence[Armed]
    limits: Limits
    trace: bool

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.tick: Callable[[], None] = lambda: None
        self.points: list[Point] = []
        self.calls = self.polls = 0
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._spent: set[int] = set()
        self._lasting: list[Armed] = []
        self.owed: dict[tuple[str, int], tuple[int, BaseException]] = {}
        self._local = threading.local()
        self._inside: Counter[int] = Counter()
        self._lock = threading.Lock()
        self.turn = threading.RLock()
        self._flying: set[int] = set()
        self._companions, self._concurrent = Companions(), ""
        self.networked = False  # whether there are services on real ports
        self._pid = 0
        self._main = threading.get_ident()

    def begin(
        self, channel: Channel, plan: Sequence[Armed], limits: Limits, earlier: Sequence[Point] = (), *, trace: bool
    ) -> None:
        """Become the gate of this process; until then every effect passes unseen. Points are numbered on."""
        self._counts.update((p.kind, p.verb, p.target, p.task) for p in earlier)
        self.channel, self.plan, self.limits, self.trace = channel, plan, limits, trace
        self._lasting = [armed for armed in plan if armed.begun]
        self._spent = {armed.position for armed in self._lasting}
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
        """Name the point that is reached now."""
        task = self._task()
        with self._lock:
            key = (kind, verb, target, task)
            self._counts[key] += 1
            point = Point(kind, verb, target, self._counts[key], task)
            self.points.append(point)
        if not self._concurrent:
            self._concurrent = self._companions.found()
            if self._concurrent:
                self.note("concurrent", self._concurrent)
        self.tick()
        if kind in ("http", "llm"):
            self.calls += 1
        if self.calls > self.limits.calls or len(self.points) > self.limits.effects:
            self.overrun()
        return Crossing(self, point, size)

    @contextmanager
    def crossing(self, kind: str, verb: str, target: str) -> Iterator[Crossing]:
        """Pass an effect that is done or not done, nothing between; threads take turns."""
        with self.my_turn():
            crossing = self.arrive(kind, verb, target)
            crossing.moment("before")
            with self.quiet():
                yield crossing
            crossing.moment("after")

    @contextmanager
    def my_turn(self) -> Iterator[None]:
        """Keep other threads from crossing meanwhile."""
        with self.turn:
            self._let_land()
            yield

    @contextmanager
    def flying(self, kind: str, verb: str, target: str) -> Iterator[None]:
        """Pass an effect that may wait for another thread, which therefore cannot keep its turn meanwhile."""
        own = threading.get_ident()
        with self.my_turn():
            self._flying.add(own)
        try:
            crossing = self.arrive(kind, verb, target)
            crossing.moment("before")
            with self.quiet():
                yield
            crossing.moment("after")
        finally:
            self._flying.discard(own)

    def _let_land(self) -> None:
        """Wait, in real time and not for long, for the effects that are on their way in other threads.

        One that waits for a lock of this thread's will not end; the others end within this time.
        """
        end = _real_monotonic() + _FLIGHT_S
        while self._flying - {threading.get_ident()} and _real_monotonic() < end:
            _real_sleep(0.0002)

    def poll(self) -> None:
        """Count a wait."""
        self.polls += 1
        if self.polls > self.limits.polls:
            self.overrun()

    def due(self, point: Point, when: When, wanted: Callable[[Strike], bool]) -> Armed | None:
        """Return what strikes at this moment: a planned injection once, a lasting one again and again."""
        for armed in self.plan:
            injection = armed.injection
            here = injection.point == point and injection.when == when and wanted(armed.strike)
            if here and armed.position not in self._spent:
                self._spent.add(armed.position)
                if injection.lasting:
                    self._lasting.append(armed)
                self.channel.tell(Struck(armed.position))
                return armed
        lasting = (a for a in self._lasting if self._repeats(a, when) and a.reaches(point) and wanted(a.strike))
        return next(lasting, None)

    @staticmethod
    def _repeats(armed: Armed, when: When) -> bool:
        """What began in the middle of a write is there before every later one."""
        first = armed.injection.when
        return when == ("before" if first == "middle" else first)

    def expects(self, point: Point, when: When) -> bool:
        """Say whether something would strike at this moment, without striking."""
        return any(a.injection.point == point and a.injection.when == when for a in self.plan)

    def note(self, kind: str, text: str) -> None:
        """Tell the parent something that the statement must know."""
        self.channel.tell(Noted(kind, text))

    def overrun(self) -> NoReturn:
        """End a process that calls or polls for ever; nothing of the agent's may catch this."""
        self.note("unbounded", f"{self.calls} requests, {self.polls} waits, {len(self.points)} effects")
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
