"""Run one process of the agent in a child, from a given world, under a given plan, and say what came of it."""

import os
import pickle
import signal
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

from ..boundary import child
from ..boundary.channel import Act, Channel, Crossed, Ended, Noted, Refused, Struck
from ..boundary.gate import Armed, Limits
from ..boundary.nursery import Nursery, end_group
from ..boundary.scope import Root
from ..values.errors import ChaosError
from ..values.history import Execution, Outcome
from ..values.http import HttpRequest, HttpResponse, ModelAnswer
from ..values.points import Effect, Point
from ..values.schedule import When
from ..values.sources import twin_for
from ..values.strikes import Kill, Respond, Say
from ..world.disk import Disk, DiskState
from .setting import Setting

BIRTH = 1_768_467_600.0  # virtual time at which the first process starts: 2026-01-15 09:00 UTC
RESTART_S = 1.0
FIRST_STREAM = "run/0"
UNLIMITED = Limits(calls=10_000, polls=10_000, effects=100_000)
_DYING_S = 1.0
Role = Literal["run", "recover", "recover again", "retry"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole outside at one moment: disk, services, and the virtual time."""

    disk: DiskState
    services: tuple[bytes, ...]
    clock: float

    def same_state(self, other: "Snapshot") -> bool:
        """Say whether disk and services are equal, whatever the time."""
        return self.services == other.services and (self.disk is other.disk or self.disk == other.disk)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the outside looked like at one moment of a traced process: where a crash would leave it."""

    point: Point
    when: When
    world: Snapshot


@dataclass(slots=True)
class Lived:
    """One process from its start to its end."""

    role: Role
    start: Snapshot
    outcome: Outcome = field(default_factory=lambda: Outcome("killed"))
    end: Snapshot = None  # type: ignore[assignment]  # set when the process has ended
    sightings: list[Sighting] = field(default_factory=list)
    points: tuple[Point, ...] = ()
    effects: dict[Point, Effect] = field(default_factory=dict)
    struck: set[int] = field(default_factory=set)
    resent: Counter[str] = field(default_factory=Counter)
    unintercepted: list[str] = field(default_factory=list)
    unwatched: list[str] = field(default_factory=list)
    calls: int = 0
    polls: int = 0
    planned: int = 0
    late_modules: tuple[str, ...] = ()

    def execution(self) -> Execution:
        """Return what an invariant may know of this process."""
        return Execution(self.role, self.outcome, self.planned > 0, dict(self.resent))


class Executor:
    """Forks children, answers them, and looks at the outside for them."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.executions = 0
        self.pids: set[int] = set()
        self.names: set[str] = set()
        self.limits = UNLIMITED
        self.patience_s = 30.0
        self.same_outside: Callable[[Snapshot, Snapshot], bool] = Snapshot.same_state
        self._nursery: Nursery | None = None
        self._dying = 0
        self._disk = Disk(setting.sources)
        self._roots = [Root(str(s.path), s.name, s.private) for s in setting.sources]

    def prepare(self) -> Callable[[], None]:
        """Get ready to fork; returns what puts this process back."""
        undo = child.prepare()

        def put_back() -> None:
            self._close_nursery()
            undo()

        return put_back

    def warm(self, life: Lived) -> None:
        """Do here, once, what this process did late and every further one would do again."""
        self._close_nursery()
        child.warm(life.late_modules)

    def _open_nursery(self) -> Nursery:
        if self._nursery is None:
            setting = self.setting
            functions = {role: setting.recover if "recover" in role else setting.run for role in get_args(Role)}
            self._nursery = Nursery(child.Agent(functions, self._roots, setting.twins, setting.hosts))
            self.pids.add(self._nursery.pid)
        return self._nursery

    def _close_nursery(self) -> None:
        if self._nursery is not None:
            self._bury()
            self._nursery.close()
            self._nursery = None

    def _bury(self) -> int:
        """Wait until the process that lived last has gone, its locks and its pid with it; returns its status."""
        status = 0
        if self._nursery is not None and self._dying:
            status = self._nursery.reap(self._dying)
        self._dying = 0
        return status

    @cached_property
    def roots(self) -> dict[str, str]:
        """Absolute paths of the sources and their readable names."""
        return {root.path: root.name for root in self._roots}

    def capture(self, clock: float) -> Snapshot:
        """Look at the outside as it is now."""
        return Snapshot(self._disk.capture(), tuple(s.save() for s in self.setting.services), clock)

    def restore(self, world: Snapshot) -> None:
        """Put the outside back."""
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
        trace: bool = False,
        show: bool = False,
    ) -> Lived:
        """Let one process live from `start`, and return its life.

        Raises ChaosError where the agent asked for something that the harness cannot answer.
        """
        nursery = self._open_nursery()
        self._bury()
        self.restore(start)
        setting = self.setting
        for twin in setting.twins:
            twin.vary(0 if stream == FIRST_STREAM else zlib.crc32(stream.encode()))
        order = child.Order(
            role,
            tuple(plan),
            self.limits,
            f"{setting.seed}/{stream}",
            start.clock,
            trace,
            show,
            frozenset(self.pids),
        )
        lived = Lived(role, start, planned=len(plan))
        self._dying, channel = nursery.child()
        self.executions += 1
        self.pids.add(self._dying)
        attendant = _Attendant(self, lived, channel, plan, trace)
        try:
            channel.tell(order)
            attendant.attend()
        finally:
            end_group(self._dying)
            status = 0 if attendant.told else self._bury()
            channel.close()
        attendant.close(status, self.capture(attendant.clock))
        setting.progress(role, self.executions)
        return lived


class _Attendant:
    """Serves one child until it ends."""

    def __init__(self, executor: Executor, lived: Lived, channel: Channel, plan: Sequence[Armed], trace: bool) -> None:
        self._executor, self._lived, self._channel, self._plan, self._trace = executor, lived, channel, plan, trace
        self.clock = lived.start.clock
        self.told = False
        self._refused: set[str] = set()
        self._problem: ChaosError | None = None
        self._last = lived.start

    def attend(self) -> None:
        """Answer messages until the child has gone; sets the outcome."""
        deadline = time.monotonic() + self._executor.patience_s
        while True:
            try:
                message = self._channel.receive(max(0.01, deadline - time.monotonic()))
            except EOFError:
                break
            except TimeoutError:
                patience = f"no end after {self._executor.patience_s:.0f} s of real time"
                self._lived.outcome = Outcome("hung", error=patience)
                break
            reply = self._handle(message)
            if reply is not None:
                self._channel.tell(reply)
            if self.told:
                break
        if self._problem is not None:
            raise self._problem

    def close(self, status: int, end: Snapshot) -> None:
        """Note what the process left, and how it died where nothing planned it and it said nothing."""
        lived = self._lived
        lived.end = end
        if self._trace and self.told and not self._executor.same_outside(self._last, end):
            lived.unintercepted.append("a change after the last point that nothing was seen to make")
        planned = any(isinstance(armed.strike, Kill) and armed.position in lived.struck for armed in self._plan)
        if lived.outcome.kind == "killed" and not planned:
            code = os.waitstatus_to_exitcode(status)
            how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            lived.outcome = Outcome("raised", error=f"the process {how}, which was not planned")

    def _handle(self, message: object) -> object:
        lived = self._lived
        if isinstance(message, Crossed):
            return self._look(message)
        if isinstance(message, Act):
            return self._act(message)
        if isinstance(message, Struck):
            lived.struck.add(message.armed)
        elif isinstance(message, Noted):
            self._note(message)
        elif isinstance(message, Ended):
            self._end(message)
        return None

    def _look(self, crossed: Crossed) -> bool:
        lived, self.clock = self._lived, crossed.clock
        world = self._executor.capture(crossed.clock)
        if crossed.when == "before" and not self._executor.same_outside(self._last, world):
            lived.unintercepted.append(f"a change before {crossed.point} that nothing was seen to make")
        if crossed.when == "before":
            lived.effects.setdefault(crossed.point, Effect(crossed.point, crossed.size))
        lived.sightings.append(Sighting(crossed.point, crossed.when, world))
        self._last = world
        return True

    def _act(self, act: Act) -> HttpResponse | Refused:
        self.clock = act.clock
        twin = twin_for(self._executor.setting.twins, act.request.url)
        assert twin is not None
        armed = self._plan[act.armed] if act.armed is not None else None
        try:
            if armed is not None and isinstance(armed.strike, Respond):
                response = twin.refuse(act.request, armed.strike.status, armed.strike.headers)
            else:
                response = twin.handle(act.request)
                response = self._say(twin, act, response, armed)
        except ChaosError as problem:
            self._problem = self._problem or problem
            return Refused(problem.code, problem.message, problem.hint)
        self._watch_credentials(act.request, response)
        return response

    def _say(self, twin: Any, act: Act, response: HttpResponse, armed: Armed | None) -> HttpResponse:
        answer = twin.read_answer(response)
        if isinstance(answer, ModelAnswer):
            self._lived.effects[act.point] = Effect(act.point, 0, answer)
            if armed is not None and isinstance(armed.strike, Say):
                fault = self._executor.setting.known[armed.injection.fault]
                variants = list(fault.strikes(Effect(act.point, 0, answer)))
                index = int(armed.injection.variant or 1) - 1
                if index < len(variants) and isinstance(variants[index], Say):
                    changed: HttpResponse = twin.write_answer(response, variants[index].answer)  # type: ignore[union-attr]
                    return changed
        return response

    def _watch_credentials(self, request: HttpRequest, response: HttpResponse) -> None:
        credential = request.headers.get("authorization") or request.headers.get("x-api-key", "")
        if not credential:
            return
        label = f"the credential for {request.host}"
        if credential in self._refused:
            self._lived.resent[label] += 1
        if response.status == 401:
            self._refused.add(credential)

    def _note(self, noted: Noted) -> None:
        if noted.kind == "unbounded":
            self._lived.outcome = Outcome("unbounded", error=noted.text)
        elif noted.kind == "name":
            self._executor.names.add(noted.text)
        elif noted.kind == "forbidden":
            host, line = noted.text.split("\n")
            self._problem = self._problem or ChaosError(
                "no-twin",
                f"the agent connects to {host!r}, which has no twin ({line})",
                f'declare it: chaos.api("https://{host}") or chaos.llm(…, base_url=…) for a model;\n'
                "clients other than httpx and httpx2 cannot reach a twin yet",
            )
        else:
            getattr(self._lived, noted.kind).append(noted.text)

    def _end(self, ended: Ended) -> None:
        self.clock, self.told = ended.clock, True
        lived = self._lived
        value = pickle.loads(ended.value) if ended.value else None
        kind: Literal["returned", "raised"] = "returned" if ended.kind == "returned" else "raised"
        lived.outcome = Outcome(kind, value, ended.error, ended.traceback)
        lived.calls, lived.polls, lived.points = ended.calls, ended.polls, ended.points
        lived.late_modules = ended.late_modules
