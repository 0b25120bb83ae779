"""One agent process: install the boundary, run the function, say how it ended, leave nothing behind in the parent."""

import asyncio
import contextvars
import gc
import inspect
import os
import pickle
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, NoReturn

from ...values.actions import Fail
from ...values.errors import exits_well
from ...values.media import media, medium_of
from ...values.network import Reach
from ...values.places import Place, Raised
from ...values.points import Point, canonical, hide_drawn
from ...values.protocol import RunEnded
from ...values.sources import Twin
from .. import adapters
from ..adapters import python_exit, python_threads
from ..channel import Channel
from ..gate import Gate
from ..media import files, forking, http, listing, mail, programs, reads, sqlite, unheld
from ..media.guard import Guard
from ..media.rereading import Rereading
from ..media.scope import Root, Scope
from ..media.transport import unreachable_in
from ..resolved import Limits, ResolvedInjection
from ..scheduling import clock, locks, scheduler
from . import ending, kept_times, pids, printing, warming
from .detaching import detach
from .own_process import OwnProcess
from .places import Places
from .pristine import PristineState

_real_exit = os._exit
_NUMBER = re.compile(r"(?<!\d)\d{1,9}(?!\d)")
_MAX_VALUE_BYTES = 1 << 20
_MOMENT = 0.001  # virtual seconds


@dataclass(frozen=True, slots=True)
class Agent:
    """The values that all processes of one agent share; fixed when the fork server starts.

    Attributes:
        functions: the test's own, by the role of a process; sync or async.
        reach: the real hosts and services that are permitted.
        call: where in the test the exploration was started.
        outlets: descriptors of the terminal and its like, besides the standard ones: no process prints there.
        printed: the descriptor of the file that a process prints into if its output is to be shown.
    """

    functions: Mapping[str, Callable[[], Any]]
    roots: Sequence[Root]
    twins: Sequence[Twin]
    reach: Reach = field(default_factory=Reach)
    seed: int = 0
    call: Place = ()
    outlets: Sequence[int] = ()
    printed: int | None = None


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The parent's request to a forked process: run this function under this plan. Travels as a pickle.

    Attributes:
        stream: key of the process's random stream.
        start: virtual time at which it starts, seconds since the epoch.
        trace: whether the parent looks at the outside at every point; `trace_once_fired`: from its first fault on.
        show: whether what the agent prints is kept for people; only a process's first request can ask for that.
        pids: of the processes that made the outside what it is.
        earlier: points of the processes before, on which its own are numbered.
        drawn: names of temporary files that the outside shows; `torn_pids` numbers in it that are parts of pids.
        reused_pids: those of earlier processes that another program has by now.
        given: names of files that were there before the first process; None if reading the others is no point.
        again: whether the process may get another request, if it is pristine after this one.
        stays: whether the process waits to be called again where an error leaves it, as a queue's worker does.
        goes_on: whether this is such a call, of the process as it is by now; it waits again, however it ends.
        stops: points where a debugger stops it beside each fault, each with the reason; None without a debugger.
    """

    role: str
    plan: tuple[ResolvedInjection, ...]
    limits: Limits
    stream: str
    start: float
    trace: bool
    show: bool
    pids: frozenset[int]
    earlier: tuple[Point, ...] = ()
    again: bool = False
    trace_once_fired: bool = False
    drawn: frozenset[str] = frozenset()
    torn_pids: frozenset[int] = frozenset()
    reused_pids: frozenset[int] = frozenset()
    given: frozenset[str] | None = None
    stays: bool = False
    goes_on: bool = False
    stops: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class FinishRequest:
    """The parent's request to a waiting process that will not be called again: run the exit handlers, and end."""


class Boundary:
    """All wrappers between the agent and the outside; installed once, in the fork server.

    Until a process begins, everything passes through it unseen.
    """

    def __init__(self, agent: Agent, kept: Sequence[kept_times.KeptTime]) -> None:
        self._agent = agent
        self._unsupported = adapters.failures()  # before anything stands in the place of what is probed
        self._own = OwnProcess(printing.outlets(agent.outlets), kept)
        self._time = clock.Clock()
        self._pristine_state: PristineState | None = None
        self._gate = Gate(self._time.now, Places(_run.__code__, agent.call))
        self._gate.tick, self._gate.wait, self._gate.settle = self._time.tick, self._time.wait, self._time.settle
        scope = Scope(agent.roots, self._renamed)
        self._gate.networked = bool(agent.reach.networks)
        self._gate.real_connections.permitted = bool(agent.reach.hosts)
        self._reads = reads.Reads(self._gate, scope)
        guard = Guard(self._gate, scope, self._reads, agent.reach, agent.twins, mail.servers())
        mail.carry(self._gate)
        http.carry(http.Exchange(self._gate, agent.twins, guard.connections.refuse, agent.reach))
        self._rereading = Rereading(self._gate, scope)
        sqlite.install(self._gate, scope, self._reads, self._time, self._rereading)
        files.install(self._gate, scope, self._reads)
        self._earlier_pids = pids.install(self._gate)
        listing.install(self._gate, scope, agent.seed, self._reads.linked)
        reads.install(self._gate, self._reads)
        self._programs = programs.install(self._gate)
        forking.install(self._gate)
        clock.install(self._gate, self._time, self._programs.at_work)
        self._gate.places.install(lambda: self._gate.active)
        scheduler.install(self._gate.scheduler, lambda: self._gate.active, self._gate.begins)
        locks.install()
        locks.schedule(self._gate.scheduler)
        ending.install(self._gate, lambda text: _tell_end(self._gate, text))
        for medium in media().values():
            if medium.adapter:
                module, _, function = medium.adapter.partition(":")
                getattr(import_module(module), function)(self._gate)
        guard.install()

    def run_process(self, channel: Channel) -> NoReturn:
        """Serve requests as a forked process of the agent.

        One, or more while it stays pristine or waits; never returns.
        """
        code = 70
        try:
            detach()
            python_threads.begin_alone()
            os.register_at_fork(after_in_child=channel.close)  # who outlives this process must not keep its line open
            ended = self._carry_out(self._await_request(channel), channel)
            while ended.pristine or ended.waits:
                request = self._await_request(channel)
                ended = self._carry_out(request, channel) if request is not None else self._finish(ended, channel)
            code = 0
        except EOFError:
            code = 0  # nobody needs this process any more
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            _real_exit(code)

    def _await_request(self, channel: Channel) -> RunRequest | None:
        """Wait for the next request and get ready for it; None for `FinishRequest`. Other threads stand still."""
        with self._gate.scheduler.token(), self._gate.waiting_for_parent():
            request = channel.receive()
            if isinstance(request, FinishRequest):
                return None
            self._get_ready(request, channel)
        assert isinstance(request, RunRequest)
        return request

    def _get_ready(self, request: RunRequest, channel: Channel) -> None:
        self._own.begin(request.pids, self._agent.printed if request.show else None)
        self._reads.forget()
        self._time.begin(request.start)
        if not request.goes_on:  # who goes on has drawn numbers, and draws the next ones
            self._own.draw(request.stream, request.start)
        self._own.be_patient(request.plan)
        if request.again and self._pristine_state is None:
            self._pristine_state = PristineState(self._gate)
        self._gate.begin(channel, request.plan, request.limits, request.earlier, trace=request.trace)
        if request.stops is not None:
            from .debugging import Stops  # Python's debugger is loaded for those who want it

            self._gate.stop_at = Stops(self._gate, request.plan, request.stops).stop_at
        self._gate.trace_once_fired, self._gate.drawn = request.trace_once_fired, set(request.drawn)
        self._tell_unsupported()
        self._rereading.know(request.given)
        self._earlier_pids.know(request.torn_pids, request.reused_pids)

    def _tell_unsupported(self) -> None:
        """Tell the parent which features the installed libraries do not allow, now and whenever one shows later."""

        def note(text: str) -> None:
            with suppress(OSError):  # in a process that the agent forked
                self._gate.note("unsupported", text)

        for text in self._unsupported:
            note(text)
        adapters.listeners[:] = [note]

    def _carry_out(self, request: RunRequest | None, channel: Channel) -> RunEnded:
        """Call the agent's function once, and report how it ended."""
        assert request is not None
        if any(_comes_as_signal(resolved) for resolved in request.plan):
            signal.signal(signal.SIGINT, signal.default_int_handler)
        function = self._agent.functions[request.role]
        # What the agent sets in its context must not be there at the next call.
        ended = contextvars.copy_context().run(_run, function, self._gate, self._pristine_state, request)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return self._tell(ended, channel)

    def _finish(self, ended: RunEnded, channel: Channel) -> RunEnded:
        """Run the exit handlers of a process that was not called again, and report how that ended."""
        late = _exit()
        told = replace(ended, traceback=ended.traceback + late, clock=self._gate.now(), waits=False, leaves=False)
        told = replace(told, in_flight=tuple(self._gate.in_flight), footprint=self._gate.recorder.footprint())
        return self._tell(replace(told, calls=self._gate.calls, polls=self._gate.polls), channel)

    def _tell(self, ended: RunEnded, channel: Channel) -> RunEnded:
        # The reply says that relays have seen all that this process sent: no point of its comes after its end.
        self._gate.expecting()
        with self._gate.untraced():
            for left in self._programs.unfinished():
                self._gate.note("unintercepted", left)
            channel.tell(ended)
        return ended

    def _renamed(self, path: str) -> str:
        # a uuid first: among its digits a pid can stand
        path = canonical(hide_drawn(path, self._gate.drawn))
        return _NUMBER.sub(lambda n: "*" if int(n[0]) in self._own.pids else n[0], path)


def _comes_as_signal(resolved: ResolvedInjection) -> bool:
    """Return whether the parent will press Ctrl-C here: at a point that this process does not see."""
    is_ctrl_c = isinstance(resolved.action, Fail) and type(resolved.action.error) is KeyboardInterrupt
    return is_ctrl_c and not medium_of(resolved.injection.point.kind).in_process


def _tell_end(gate: Gate, text: str) -> None:
    """Report the end of a process that no exception will report."""
    with gate.untraced():
        frames = traceback.extract_stack()
        start = max((n for n, f in enumerate(frames) if (f.filename, f.name) == (__file__, _run.__name__)), default=-1)
        stack = "".join(traceback.StackSummary.from_list(_not_ours(frames[start + 1 :])).format())
        raised = Raised(text.partition("(")[0], gate.places.current())
        gate.channel.tell(_ended(gate, b"", _Failure(text, stack, raised)))


@dataclass(frozen=True, slots=True)
class _Failure:
    """The error that ended the agent's function, as people read it; empty where it returned."""

    error: str = ""
    trace: str = ""
    raised: Raised | None = None


def _ended(gate: Gate, value: bytes, failure: _Failure) -> RunEnded:
    """Return the report on how the agent's function ended, with the counts of the gate until then."""
    kind = "returned" if failure.raised is None else "raised"
    told = RunEnded(
        kind, value, failure.error, failure.trace, gate.now(), gate.calls, gate.polls, raised=failure.raised
    )
    return replace(told, in_flight=tuple(gate.in_flight), footprint=gate.recorder.footprint())


def _type_name(kind: type) -> str:
    """Return the name of a type, with its module where it is no builtin."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _run(
    function: Callable[[], Any], gate: Gate, pristine_state: PristineState | None, request: RunRequest
) -> RunEnded:
    value, failure = b"", _Failure()
    traced, show, waits = gate.trace, request.show, request.goes_on
    loaded = len(sys.modules)  # a set of the names would touch, and so copy, a page for nearly each of them
    try:
        result = function()
        if inspect.isawaitable(result):
            result = asyncio.run(_await(result))
        value = _pickled(result)
        del result
    except BaseException as problem:
        waits = waits or (request.stays and isinstance(problem, Exception))  # who is interrupted ends
        if exits_well(problem):
            value = _pickled(None)
        else:
            error = f"{type(problem).__name__}: {problem}".rstrip(": ")
            raised = Raised(_type_name(type(problem)), gate.places.raised(problem))
            failure = _Failure(error, _agent_traceback(problem) if show else "", raised)
            if (refusal := unreachable_in(problem)) is not None:
                gate.note("needed", f"{refusal.host}\n{refusal.line}")
    pristine = pristine_state is not None and pristine_state.is_pristine()
    # A process that goes on has no exit yet; what its finalizers leave is looked at below.
    failure = replace(failure, trace=failure.trace + _exit(finish=not pristine and not waits))
    if show:
        printing.flush()
    late = warming.late_modules(loaded) if traced else ()
    for native in unheld.loaded() if traced and show else ():  # the fault-free run; looking takes a while
        gate.note("unheld", native)
    still = pristine_state is not None and pristine and pristine_state.is_pristine()
    leaves = waits and _leaves()
    return replace(_ended(gate, value, failure), late_modules=late, pristine=still, waits=waits, leaves=leaves)


def _exit(*, finish: bool = True) -> str:
    """Run threads' ends, exit handlers and finalizers.

    Without `finish` only the finalizers. Returns the text of an error.
    """
    try:
        if finish:
            python_threads.wait_for_others()
            python_exit.carry_out()
        gc.collect()  # finalizers of what nobody holds act now
    except BaseException as problem:
        return f"\nat exit: {problem!r}"
    return ""


def _leaves() -> bool:
    """Return whether the process has non-daemon threads or exit handlers that run before it ends."""
    current = threading.current_thread()
    others = [thread for thread in threading.enumerate() if thread is not current and not thread.daemon]
    for thread in others:
        thread.join(_MOMENT)  # one that was told to end has ended then, however busy the machine is
    return any(thread.is_alive() for thread in others) or python_exit.is_anything_left()


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _pickled(result: Any) -> bytes:
    try:
        data = pickle.dumps(result)
    except Exception:
        return b""
    return data if len(data) <= _MAX_VALUE_BYTES else b""


def _agent_traceback(problem: BaseException) -> str:
    """Return the traceback without our own frames."""
    frames = traceback.TracebackException.from_exception(problem)
    frames.stack = traceback.StackSummary.from_list(_not_ours(frames.stack))
    return "".join(frames.format())


def _not_ours(frames: Sequence[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return [frame for frame in frames if not frame.filename.startswith(here)]
