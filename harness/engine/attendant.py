"""Serve one process until it ends: look at the outside for it, let the twins answer, note what it says."""

import contextlib
import os
import pickle
import signal
from collections.abc import Sequence
from functools import partial
from typing import Literal

from ..boundary import interrupts
from ..boundary.armed import Armed
from ..boundary.channel import (
    Act,
    Channel,
    Connecting,
    Crossed,
    Damaged,
    Ended,
    Expecting,
    Noted,
    Reached,
    Refused,
    Started,
    Struck,
    first_to_speak,
)
from ..network.fronts import FrontProcess, gone
from ..network.serving import TwinServer
from ..values.errors import ChaosError
from ..values.history import Outcome
from ..values.http import HttpRequest, HttpResponse
from ..values.network import Ask, Awaited, Begin, Carried, Closed, Moment, Replied, Requested, Settle, Settled
from ..values.places import Place
from ..values.points import Flight, Point, When
from ..values.rare import rare
from ..values.real_time import SERVICES_S
from ..values.sources import Twin, twin_for
from ..values.strikes import Kill
from .answering import Answering, Asked
from .lives import Lived, Snapshot
from .looking import Look, Looking
from .overseer import Overseer
from .refusals import Refusals
from .watching import Watch
from .wires import Lookout, Wires, in_order

_SHOWN_BYTES = 300


def _unpickled(data: bytes) -> object:
    """Return what `run` returned; None where that cannot be had here, and so not be compared."""
    try:
        return pickle.loads(data) if data else None
    except Exception:
        return None


def _restless() -> ChaosError:
    hint = "an agent's connection stays open after its process has ended: does something else hold it?"
    return ChaosError("not-settled", f"a service has not come to rest within {SERVICES_S:.0f} s", hint)


def tell(channel: Channel, message: object) -> None:
    """Say something to who may have died meanwhile, which the next look will show."""
    with contextlib.suppress(OSError):
        channel.tell(message)


class Attendant:
    """Serves one child until it ends."""

    def __init__(
        self,
        executor: Overseer,
        lived: Lived,
        channel: Channel,
        plan: Sequence[Armed],
        trace: bool,
        earlier: Sequence[Point] = (),
    ) -> None:
        self._executor, self._lived, self._channel, self._plan = executor, lived, channel, plan
        self.clock, self.looking = lived.start.clock, Looking(executor, lived, trace=trace)
        self._answering = Answering(executor, lived)
        self.told = self.rests = self.waits = self.leaves = False
        self._points: list[Point] = []
        self._places: list[Place] = []
        self._problem: ChaosError | None = None
        self._refusals = Refusals(lived)
        self._fronts = {front.line: front for front in executor.setting.fronts}
        proxies = executor.setting.proxies
        lookout = Lookout(executor.telling.reached, self._look_at_wire, self._tell_fired)
        self._wires = Wires(lived, plan, earlier, lookout, executor.allowance.terms.limits.calls, proxies)
        self._servers = {server.line: server for server in executor.setting.servers}
        self._awaited: list[bool] = []
        self._unsettled: set[Channel] = set()

    @property
    def lived(self) -> Lived:
        """What is known of the process by now."""
        return self._lived

    def attend(self, order: object, *, used: bool) -> None:
        """Give the child its order and answer messages until it has gone, or waits for another; sets the outcome.

        `used` says whether the child has carried out another order before.
        """
        self.told = self.rests = self.waits = self.leaves = False
        for line in self._fronts:
            tell(line, Begin())
        self._wires.prepare()
        tell(self._channel, order)
        budget = self._executor.allowance.deadline
        watch = Watch(self._lived.pid, self._executor.allowance.terms.patience_s, used=used)
        while not self.told:
            interrupts.check()
            budget.check()
            left_s = watch.left_s()
            if left_s <= 0:
                rare("a process hangs and is given up")
                patience = f"no end after {self._executor.allowance.terms.patience_s:.0f} s of real time"
                beside = f", {watch.waited_s:.0f} s for a processor not counted" if watch.waited_s >= 1 else ""
                self._lived.outcome = Outcome("hung", error=patience + beside)
                break
            try:
                self._serve([self._channel, *self._fronts, *self._servers], max(0.01, budget.patience(left_s)))
            except EOFError:
                break
            except TimeoutError:
                continue  # it may have waited for a processor: the watch knows
        self._problem = self._problem or self._refusals.problem(self._executor.learned.noticed.asked)
        if self._problem is not None:
            raise self._problem

    def _serve(self, channels: Sequence[Channel], timeout_s: float) -> None:
        """Answer the next message: of the child, of a relay, or of a client of a twin."""
        speaker = first_to_speak(channels, timeout_s)
        front, server = self._fronts.get(speaker), self._servers.get(speaker)
        try:
            message = speaker.receive(timeout_s)
        except EOFError:
            if front is not None:
                raise gone(front.network.name) from None
            if server is not None:
                raise gone(server.name) from None
            raise
        if front is not None:
            reply = self._hear(front, message)
        else:
            reply = self._answer(server, message) if server is not None else self._handle(message)
        if reply is not None:
            tell(speaker, reply)

    def _answer(self, server: TwinServer, asked: Requested | Settled) -> Replied | None:
        """Let a twin answer a client on a real port."""
        if isinstance(asked, Settled):
            self._unsettled.discard(server.line)
            return None
        reply = server.answer(asked, partial(self._serve_request, server.twin))
        self._problem = self._problem or server.take_problem()
        return reply

    def _serve_request(self, twin: Twin, request: HttpRequest) -> HttpResponse:
        """Let a twin act at a point that only its server sees."""
        verb = twin.verb(request)
        point, armed = self._wires.requested(verb, twin.target(request)) if verb else (None, None)
        return self._answering.answer(Asked(twin, request, point, armed, self.clock))

    def _hear(self, front: FrontProcess, message: object) -> object:
        """Answer a relay."""
        if isinstance(message, Moment):
            if self._unsettled:
                return None  # it has an answer already
            reply = self._wires.reached(front.network, message)
            if self._wires.endless:
                self._lived.outcome = Outcome("unbounded", error=f"{self._wires.exchanges} exchanges with services")
            return reply
        if isinstance(message, Settled):
            self._unsettled.discard(front.line)
        if isinstance(message, (Carried, Closed)):
            self._wires.told(front.network.name, message)
        if isinstance(message, Awaited):
            self._awaited.append(message.busy)
            if len(self._awaited) == len(self._fronts):
                tell(self._channel, any(self._awaited))
        return None

    def part(self) -> None:
        """Let the process end where it would wait for another order."""
        self.rests = False

    def follow(self, other: "Attendant") -> None:
        """Serve the same process as `other` did, which goes on: its connections are known."""
        self._wires.follow(other._wires)
        self.looking.follow(other.looking)

    def settle(self) -> None:
        """Let what the process left on its connections come to its end."""
        for lines in (self._fronts, self._servers):  # what a relay sent on before it ended, a twin still answers
            for line in lines:
                tell(line, Settle(dead=not self.told))
                self._unsettled.add(line)
            while self._unsettled:
                try:
                    self._serve([*self._fronts, *self._servers], SERVICES_S)
                except TimeoutError:
                    raise self._problem or _restless() from None
            if self._executor.setting.proxies is not None:
                self._executor.setting.proxies.clear()

    @property
    def _kills(self) -> list[Kill]:
        """The planned deaths of the process that came."""
        struck = (armed.strike for armed in self._plan if armed.position in self._lived.struck)
        return [strike for strike in struck if isinstance(strike, Kill)]

    @property
    def reused(self) -> frozenset[int]:
        """The pids that another program has when the process has ended."""
        own = {self._lived.pid} if any(kill.pid_reused for kill in self._kills) else set()
        return self._lived.start.reused | own

    def close(self, status: int, end: Snapshot) -> None:
        """Note what the process left, and how it died where nothing planned it and it said nothing."""
        if self._problem is not None:
            raise self._problem  # of a request whose answer the process did not wait for
        lived = self._lived
        lived.end, lived.points = end, tuple(self._points)
        if lived.wired:
            self._put_in_order()
        if self.told:
            self.looking.end(end)
        for struck in (armed.injection for armed in self._plan if armed.position in lived.struck):
            if struck.when == "middle":
                sources, target = self._executor.setting.sources, struck.point.target
                self._executor.learned.cuts.learn_of_end(sources, end.disk, target, lived.pid)
        if lived.outcome.kind == "killed" and not self._kills:
            rare("a process ends in a way that nothing planned")
            code = os.waitstatus_to_exitcode(status)
            how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            lived.outcome = Outcome("raised", error=f"the process {how}, which was not planned")
        self._executor.telling.ended(lived, self.clock)

    def _tell_fired(self, position: int, *, in_vain: bool = False) -> None:
        self._executor.telling.fired(self._plan[position].injection, self.clock, in_vain=in_vain)

    def _put_in_order(self) -> None:
        """Put the points that relays saw among those of the process; between these two, one order is tried."""
        lived = self._lived
        flights = dict(zip(lived.points, lived.flights, strict=False))
        lived.points = in_order(lived.points, lived.wired)
        lived.flights = tuple(flights.get(point, Flight((0, 0))) for point in lived.points)
        if any(flight.others for flight in lived.flights) and "connections" not in lived.concurrent:
            lived.concurrent.append("connections")

    def _handle(self, message: object) -> object:
        lived = self._lived
        if isinstance(message, Reached):
            self._reach(message)
        if isinstance(message, Crossed):
            return self._look(message)
        if isinstance(message, Act):
            return self._act(message)
        if isinstance(message, Struck):
            self.clock = message.clock  # of a process that nobody looks at it may be the last word
            lived.hear(message)
            if message.stage != "due":
                self._tell_fired(message.armed, in_vain=message.stage == "in vain")
        elif isinstance(message, Noted):
            self._note(message)
        elif isinstance(message, Expecting):
            self._awaited = []
            for line in self._fronts:
                tell(line, Ask())
        elif isinstance(message, Connecting):
            self.clock = message.clock
            tell(self._channel, self._wires.connecting(message.name, message.place))
        elif isinstance(message, Damaged):
            self.looking.damages.add(message)
        elif isinstance(message, Started):
            self.looking.unseen.started(message)
        elif isinstance(message, Ended):
            self._end(message)
        return None

    def _reach(self, reached: Reached) -> None:
        if reached.frames is not None:
            self._places.append(reached.frames)
        point = Point(*reached[:5])
        self._points.append(point)
        self._executor.telling.reached(point)
        self._lived.places[point] = self._places[reached.place]

    def _look(self, crossed: Crossed) -> bool:
        self.clock = crossed.clock
        self._lived.last = crossed.point
        self.looking.see(Look(crossed.point, crossed.when, self.clock, crossed.size, crossed.by))
        return True

    def _look_at_wire(self, point: Point, when: When, size: int) -> None:
        self.looking.see_wire(Look(point, when, self.clock, size))

    def _act(self, act: Act) -> HttpResponse | Refused:
        self.clock = act.clock
        twin = twin_for(self._executor.setting.twins, act.request.url)
        assert twin is not None
        armed = self._plan[act.armed] if act.armed is not None else None
        try:
            response = self._answering.answer(Asked(twin, act.request, act.point, armed, self.clock))
        except ChaosError as problem:
            self._problem = self._problem or problem
            return Refused(problem.code, problem.message, problem.hint)
        if response.status >= 400:
            said = response.body[:_SHOWN_BYTES].decode(errors="replace")
            self._lived.refused = f"{act.request.method} {act.request.url}: {response.status} {said}"
        return response

    def _note(self, noted: Noted) -> None:
        if noted.kind == "unbounded":
            self._lived.outcome, self._lived.stopped_at = Outcome("unbounded", error=noted.text), noted.place
        elif noted.kind == "name":
            self._executor.learned.names.add(noted.text)
        elif noted.kind == "unsupported":
            self._executor.learned.noticed.unsupported[noted.text] = None
        elif not self._refusals.heard(noted) and not self.looking.unseen.heard(noted):
            getattr(self._lived, noted.kind).append(noted.text)

    def _end(self, ended: Ended) -> None:
        self.clock, self.told, self.rests = ended.clock, True, ended.rests
        self.waits, self.leaves = ended.waits, ended.leaves
        lived = self._lived
        value = _unpickled(ended.value)
        kind: Literal["returned", "raised"] = "returned" if ended.kind == "returned" else "raised"
        lived.outcome = Outcome(kind, value, ended.error, ended.traceback, ended.raised)
        lived.calls, lived.polls = ended.calls + self._wires.exchanges, ended.polls
        lived.late_modules, lived.flights = ended.late_modules, ended.flights
        lived.footprint = ended.footprint
