"""Serve one process until it ends: look at the outside for it, let the twins answer, note what it says."""

import contextlib
import math
import os
import pickle
import signal
import time
from collections.abc import Sequence
from functools import partial
from typing import Literal

from ..boundary.channel import Channel, first_to_speak
from ..boundary.process import interrupts
from ..boundary.resolved import ResolvedInjection
from ..network.relay_handle import RelayHandle, gone
from ..network.twin_server_process import TwinServerProcess
from ..values.actions import Kill
from ..values.errors import ChaosError
from ..values.history import Outcome
from ..values.http import HttpRequest, HttpResponse
from ..values.places import Place
from ..values.points import NOBODY, Phase, Point
from ..values.protocol import (
    Carried,
    ConnectionClosed,
    ConnectRequest,
    DebuggerAsks,
    FileDamaged,
    InjectionFired,
    Note,
    PendingQuery,
    PhaseReached,
    PointAnnounced,
    PointOutcome,
    Refusal,
    RelayPending,
    RelayPendingQuery,
    RelayStop,
    RunBegins,
    RunEnded,
    ServedReply,
    ServedRequest,
    SettleDone,
    SettleRequest,
    SubprocessStarted,
    TwinRequest,
)
from ..values.rare import rare
from ..values.real_time import SERVICES_S
from ..values.sources import Twin, twin_for
from .answering import Answering, Asked
from .looking import Look, Looking
from .process_runs import ProcessRun, RawState, Strike, Tracing
from .refusals import Refusals
from .relay_points import Lookout, RelayPoints, in_order
from .trace_context import TraceContext
from .watching import Watch

_SHOWN_BYTES = 300
_SIGN_OF_LIFE_S = 1.0
"""How long a process may run, or be silent, before it is told once more that it runs on."""


def _unpickled(data: bytes) -> object:
    """Return the value that `run` returned; None where it cannot be loaded here, and so not be compared."""
    try:
        return pickle.loads(data) if data else None
    except Exception:
        return None


def _restless() -> ChaosError:
    hint = "an agent's connection stays open after its process has ended: does something else hold it?"
    return ChaosError("not-settled", f"a service has not come to rest within {SERVICES_S:.0f} s", hint)


def tell(channel: Channel, message: object) -> None:
    """Send, ignoring a broken pipe: the peer may be dead, and the next receive raises EOFError."""
    with contextlib.suppress(OSError):
        channel.tell(message)


class Tracer:
    """Serves one process of the agent: looks at the outside, lets twins answer, keeps the record."""

    def __init__(
        self,
        executor: TraceContext,
        process: ProcessRun,
        channel: Channel,
        plan: Sequence[ResolvedInjection],
        trace: Tracing,
        earlier: Sequence[Point] = (),
    ) -> None:
        self._executor, self._process, self._channel, self._plan = executor, process, channel, plan
        self.clock, self.looking = process.start.clock, Looking(executor, process, trace=trace)
        self._answering = Answering(executor, process)
        self.told = self.pristine = self.waits = self.leaves = False
        self._points: list[Point] = []
        self._places: list[Place] = []
        self._problem: ChaosError | None = None
        self._refusals = Refusals(process)
        self._relays = {relay.pipe: relay for relay in executor.config.relays}
        proxies = executor.config.proxies
        lookout = Lookout(executor.telling.reached, self._look_at_wire, self._tell_fired)
        self._relay_points = RelayPoints(
            process, plan, earlier, lookout, executor.allowance.terms.limits.calls, proxies
        )
        self._servers = {server.pipe: server for server in executor.config.servers}
        self._awaited: list[bool] = []
        self._unsettled: set[Channel] = set()

    @property
    def process(self) -> ProcessRun:
        """The record of the process, as far as it has come."""
        return self._process

    def serve(self, request: object, *, used: bool) -> None:
        """Send the process its request, and answer its messages until it has ended or waits for another one.

        Sets the outcome.

        `used` says whether the child has carried out another request before.
        """
        self.told = self.pristine = self.waits = self.leaves = False
        for pipe in self._relays:
            # Before the request: until then a relay lets connections through unasked.
            tell(pipe, RunBegins())
        self._relay_points.prepare()
        tell(self._channel, request)
        budget = self._executor.allowance.deadline
        watch = Watch(self._process.pid, self._executor.allowance.terms.patience_s, used=used)
        told_at = -math.inf
        while not self.told:
            interrupts.check()
            budget.check()
            left_s = watch.left_s()
            if left_s <= 0:
                rare("a process hangs and is given up")
                patience = f"no end after {self._executor.allowance.terms.patience_s:.0f} s of real time"
                beside = f", {watch.waited_s:.0f} s for a processor not counted" if watch.waited_s >= 1 else ""
                self._process.outcome = Outcome("hung", error=patience + beside)
                break
            try:
                patience_s = min(_SIGN_OF_LIFE_S, max(0.01, budget.patience(left_s)))
                self._serve_one([self._channel, *self._relays, *self._servers], patience_s)
            except EOFError:
                break
            except TimeoutError:
                pass  # it computes, or waits for a processor: the watch knows
            if time.monotonic() - told_at >= _SIGN_OF_LIFE_S:
                told_at = time.monotonic()
                self._executor.telling.runs_on(self._process)
        self._problem = self._problem or self._refusals.problem(self._executor.learned.noticed.asked)
        if self._problem is not None:
            raise self._problem

    def _serve_one(self, channels: Sequence[Channel], timeout_s: float) -> None:
        """Answer the next message: of the child, of a relay, or of a client of a twin."""
        speaker = first_to_speak(channels, timeout_s)
        relay, server = self._relays.get(speaker), self._servers.get(speaker)
        try:
            message = speaker.receive(timeout_s)
        except EOFError:
            if relay is not None:
                # An error of the harness: taken for the agent's end it would be judged.
                raise gone(relay.network.name) from None
            if server is not None:
                raise gone(server.name) from None
            raise
        if relay is not None:
            reply = self._hear(relay, message)
        else:
            reply = self._answer(server, message) if server is not None else self._handle(message)
        if reply is not None:
            tell(speaker, reply)

    def _answer(self, server: TwinServerProcess, asked: ServedRequest | SettleDone) -> ServedReply | None:
        """Answer a client on a real port by its twin."""
        if isinstance(asked, SettleDone):
            self._unsettled.discard(server.pipe)
            return None
        reply = server.answer(asked, partial(self._serve_request, server.twin))
        self._problem = self._problem or server.take_problem()
        return reply

    def _serve_request(self, twin: Twin, request: HttpRequest) -> HttpResponse:
        """Carry out a request at its twin, at a point that only the twin's server sees."""
        verb = twin.verb(request)
        point, resolved = self._relay_points.requested(verb, twin.target(request)) if verb else (None, None)
        return self._answering.answer(Asked(twin, request, point, resolved, self.clock))

    def _hear(self, relay: RelayHandle, message: object) -> object:
        """Answer a relay."""
        if isinstance(message, RelayStop):
            if self._unsettled:
                return None  # it has an answer already
            reply = self._relay_points.reached(relay.network, message)
            if self._relay_points.endless:
                self._process.outcome = Outcome(
                    "unbounded", error=f"{self._relay_points.exchanges} exchanges with services"
                )
            return reply
        if isinstance(message, SettleDone):
            self._unsettled.discard(relay.pipe)
        if isinstance(message, (Carried, ConnectionClosed)):
            self._relay_points.told(relay.network.name, message)
        if isinstance(message, RelayPending):
            self._awaited.append(message.busy)
            # Virtual time may move only when no service, behind whichever relay, is at work.
            if len(self._awaited) == len(self._relays):
                tell(self._channel, any(self._awaited))
        return None

    def part(self) -> None:
        """End the process where it would wait for another request."""
        self.pristine = False

    def follow(self, other: "Tracer") -> None:
        """Serve the same process as `other` did, which goes on: its connections are known."""
        self._relay_points.follow(other._relay_points)
        self.looking.follow(other.looking)

    def settle(self) -> None:
        """Wait until relays and twins have finished what the process left on its connections."""
        # Relays first: no new request can come to a twin then.
        for pipes in (self._relays, self._servers):  # what a relay sent on before it ended, a twin still answers
            for pipe in pipes:
                tell(pipe, SettleRequest(dead=not self.told))
                self._unsettled.add(pipe)
            while self._unsettled:
                try:
                    self._serve_one([*self._relays, *self._servers], SERVICES_S)
                except TimeoutError:
                    raise self._problem or _restless() from None
            if self._executor.config.proxies is not None:
                self._executor.config.proxies.clear()

    @property
    def _kills(self) -> list[Kill]:
        """The planned deaths of the process that came."""
        fired = (resolved.action for resolved in self._plan if resolved.position in self._process.fired)
        return [action for action in fired if isinstance(action, Kill)]

    @property
    def reused(self) -> frozenset[int]:
        """The pids that another program has when the process has ended."""
        own = {self._process.pid} if any(kill.pid_reused for kill in self._kills) else set()
        return self._process.start.reused | own

    def close(self, status: int, end: RawState) -> None:
        """Complete the record: the state that the process left, and how it died if neither it nor the plan says so."""
        if self._problem is not None:
            raise self._problem  # of a request whose answer the process did not wait for
        process = self._process
        process.end, process.points = end, tuple(self._points)
        if process.relayed:
            self._put_in_order()
        self._answering.tool_calls.name(process, self._plan, self._executor.learned.tools)
        if self.told:
            self.looking.end(end)
        for fired in (resolved.injection for resolved in self._plan if resolved.position in process.fired):
            # A process that died in the middle of a write leaves no later look that would show the whole value.
            if fired.when == "middle":
                sources, target = self._executor.config.sources, fired.point.target
                self._executor.learned.torn_values.learn_of_end(sources, end.disk, target, process.pid)
        if process.outcome.kind == "killed" and not self._kills:
            rare("a process ends in a way that nothing planned")
            code = os.waitstatus_to_exitcode(status)
            how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            process.outcome = Outcome("raised", error=f"the process {how}, which was not planned")
            process.due &= process.fired  # it may have died before it could confirm
        self._executor.telling.ended(process, self.clock)

    def _tell_fired(self, resolved: ResolvedInjection, *, impossible: bool = False) -> None:
        self._executor.telling.fired(resolved.injection, self.clock, impossible=impossible)

    def _put_in_order(self) -> None:
        """Merge the points that relays saw into those of the process; no other interleaving of these two is tried."""
        process = self._process
        in_flight = dict(zip(process.points, process.in_flight, strict=False))
        process.points = in_order(process.points, process.relayed)
        process.in_flight = tuple(in_flight.get(point, NOBODY) for point in process.points)
        if any(one.others for one in process.in_flight) and "connections" not in process.concurrent:
            process.concurrent.append("connections")

    def _handle(self, message: object) -> object:
        process = self._process
        if isinstance(message, PointAnnounced):
            self._reach(message)
        if isinstance(message, PhaseReached):
            return self._look(message)
        if isinstance(message, TwinRequest):
            return self._act(message)
        if isinstance(message, InjectionFired):
            # A process that is killed at this point sends nothing after it.
            self.clock = message.clock  # of a process that nobody looks at it may be the last word
            process.strikes.setdefault(message.position, Strike(len(self._points), message.clock))
            if process.hear(message):
                self._tell_fired(self._plan[message.position], impossible=message.stage == "in vain")
        elif isinstance(message, PointOutcome):
            process.met[message.point] = message.outcome
        elif isinstance(message, Note):
            self._note(message)
        elif isinstance(message, PendingQuery):
            self._awaited = []
            for pipe in self._relays:
                tell(pipe, RelayPendingQuery())
        elif isinstance(message, ConnectRequest):
            self.clock = message.clock
            tell(self._channel, self._relay_points.connecting(message.name, message.place))
        elif isinstance(message, FileDamaged):
            self.looking.damages.add(message)
        elif isinstance(message, DebuggerAsks):
            converse = self._executor.config.converse
            return converse(message.text, message.waits) if converse is not None else ""
        elif isinstance(message, SubprocessStarted):
            self.looking.unseen.started(message)
        elif isinstance(message, RunEnded):
            self._end(message)
        return None

    def _reach(self, reached: PointAnnounced) -> None:
        # A place is sent once, and named by its number afterwards.
        if reached.frames is not None:
            self._places.append(reached.frames)
        point = Point(*reached[:5])
        self._points.append(point)
        self._executor.telling.reached(point)
        self._process.places[point] = self._places[reached.place]
        if reached.within:
            self._process.within[point] = reached.within

    def _look(self, crossed: PhaseReached) -> bool:
        self.clock = crossed.clock
        self._process.last = crossed.point
        if crossed.when == "after":
            self._process.outcomes[crossed.point] = crossed.outcome
        self.looking.see(Look(crossed.point, crossed.when, self.clock, crossed.size, crossed.by))
        return True

    def _look_at_wire(self, point: Point, when: Phase, size: int) -> None:
        self.looking.see_relay_point(Look(point, when, self.clock, size))

    def _act(self, act: TwinRequest) -> HttpResponse | Refusal:
        self.clock = act.clock
        twin = twin_for(self._executor.config.twins, act.request.url)
        assert twin is not None
        resolved = self._plan[act.position] if act.position is not None else None
        try:
            response = self._answering.answer(Asked(twin, act.request, act.point, resolved, self.clock))
        except ChaosError as problem:
            # Only the first: the process goes wrong after it, and later ones may follow from that.
            self._problem = self._problem or problem
            return Refusal(problem.code, problem.message, problem.hint)
        if response.status >= 400:
            said = response.body[:_SHOWN_BYTES].decode(errors="replace")
            self._process.refused = f"{act.request.method} {act.request.url}: {response.status} {said}"
        return response

    def _note(self, noted: Note) -> None:
        if noted.kind == "unbounded":
            self._process.outcome, self._process.stopped_at = Outcome("unbounded", error=noted.text), noted.place
        elif noted.kind == "name":
            self._executor.learned.names.add(noted.text)
        elif noted.kind == "unsupported":
            self._executor.learned.noticed.unsupported[noted.text] = None
        elif not self._refusals.heard(noted) and not self.looking.unseen.heard(noted):
            # Every other kind is called as the list of the record that keeps it.
            getattr(self._process, noted.kind).append(noted.text)

    def _end(self, ended: RunEnded) -> None:
        self.clock, self.told, self.pristine = ended.clock, True, ended.pristine
        self.waits, self.leaves = ended.waits, ended.leaves
        process = self._process
        value = _unpickled(ended.value)
        kind: Literal["returned", "raised"] = "returned" if ended.kind == "returned" else "raised"
        process.outcome = Outcome(kind, value, ended.error, ended.traceback, ended.raised)
        process.calls, process.polls = ended.calls + self._relay_points.exchanges, ended.polls
        process.late_modules = ended.late_modules
        if self.looking.trace != "for the story":  # no interleaving is planned on it
            process.in_flight = ended.in_flight
        process.footprint = ended.footprint
