"""One agent process: install the boundary, run the function, say how it ended, leave nothing behind in the parent."""

import asyncio
import atexit
import ctypes
import gc
import inspect
import os
import pickle
import re
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ..values.points import canonical
from ..values.sources import Twin
from . import clock, ending, entropy, files, http, patching, sqlite, warming
from .channel import Channel, Ended
from .gate import Armed, Gate, Limits
from .guard import Guard
from .scope import Root, Scope

_real_exit = os._exit
_NUMBER = re.compile(r"(?<!\d)\d{1,9}(?!\d)")
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
_MAX_VALUE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Order:
    """What one process has to do.

    Attributes:
        function: the test's own `run` or `recover`; sync or async.
        stream: key of the process's random stream.
        start: virtual time at which it starts, seconds since the epoch.
        trace: whether the parent looks at the world at every point.
        show: whether what the agent prints reaches the terminal.
    """

    function: Callable[[], Any]
    roots: Sequence[Root]
    twins: Sequence[Twin]
    plan: Sequence[Armed]
    limits: Limits
    stream: str
    start: float
    trace: bool = False
    show: bool = False
    hosts: frozenset[str] = frozenset()
    pids: frozenset[int] = frozenset()


def prepare() -> Callable[[], None]:
    """Do once in the parent what every child needs; returns what puts the parent back.

    The collector is kept off the parent's objects: a collection in a child would copy them all (60 ms).
    """
    undo = http.prepare()
    warm(())

    def put_back() -> None:
        gc.unfreeze()
        undo()

    return put_back


def warm(modules: Sequence[str]) -> None:
    """Import what a child imported late, fill caches, and find the names that modules bound early."""
    warming.import_modules(modules)
    warming.warm_caches()
    known = [*files.originals(), *sqlite.originals(), *clock.originals(), *ending.originals(), os.urandom]
    patching.early_bound({id(function): function for function in known})
    gc.collect()
    gc.freeze()


def live(order: Order, channel: Channel) -> NoReturn:
    """Be the agent's process from its first moment to its end; never returns."""
    code = 70
    try:
        _detach(order.show)
        os.register_at_fork(after_in_child=channel.close)  # who outlives this process must not keep its line open
        time = clock.Clock(order.start)
        gate = Gate(channel, order.plan, order.limits, trace=order.trace, now=time.now)
        with gate.quiet():
            _install(order, gate, time)
        ended = _run(order.function, gate, show=order.show)
        with gate.quiet():
            channel.tell(ended)
        code = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        _real_exit(code)


def _install(order: Order, gate: Gate, time: clock.Clock) -> None:
    pids = order.pids | {os.getpid()}
    scope = Scope(order.roots, lambda path: canonical(_NUMBER.sub(lambda n: "*" if int(n[0]) in pids else n[0], path)))
    guard = Guard(gate, scope, order.hosts)
    gate.tick = time.tick
    http.carry(http.Exchange(gate, order.twins, guard.forbid))
    entropy.install(order.stream)
    sqlite.install(gate, scope, time)
    files.install(gate, scope)
    clock.install(gate, time)
    ending.install(gate, lambda text: _tell_end(gate, text))
    guard.install()


def _tell_end(gate: Gate, text: str) -> None:
    """Say how the process ends where no exception will."""
    with gate.quiet():
        stack = "".join(traceback.StackSummary.from_list(_not_ours(traceback.extract_stack())).format())
        gate.channel.tell(_ended(gate, "raised", b"", text, stack))


def _ended(gate: Gate, kind: str, value: bytes, error: str, trace: str, late: tuple[str, ...] = ()) -> Ended:
    return Ended(kind, value, error, trace, gate.now(), gate.calls, gate.polls, tuple(gate.points), late)


def _detach(show: bool) -> None:
    """Cut what a fork shares with its parent: exit handlers, the running loop, signals, the terminal."""
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setpgid(0, 0)
    gc.enable()
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]
    atexit._clear()
    atexit.register(weakref.finalize._exitfunc)  # type: ignore[attr-defined]
    asyncio._set_running_loop(None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not show:
        sink = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(sink, fd)


def _run(function: Callable[[], Any], gate: Gate, *, show: bool) -> Ended:
    kind, value, error, trace = "returned", b"", "", ""
    loaded = frozenset(sys.modules) if gate.trace else frozenset()
    try:
        result = function()
        if inspect.isawaitable(result):
            result = asyncio.run(_await(result))
        value = _pickled(result)
    except BaseException as problem:
        kind, error = "raised", f"{type(problem).__name__}: {problem}".rstrip(": ")
        trace = _agent_traceback(problem) if show else ""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except BaseException as problem:
        trace += f"\nat exit: {problem!r}"
    late = warming.late_modules(loaded) if gate.trace else ()
    return _ended(gate, kind, value, error, trace, late)


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _pickled(result: Any) -> bytes:
    try:
        data = pickle.dumps(result)
    except Exception:
        return b""
    return data if len(data) <= _MAX_VALUE_BYTES else b""


def _agent_traceback(problem: BaseException) -> str:
    """Return the traceback without our own frames at its top."""
    frames = traceback.TracebackException.from_exception(problem)
    own = _not_ours(frames.stack)
    if own:
        frames.stack = traceback.StackSummary.from_list(own)
    return "".join(frames.format())


def _not_ours(frames: Sequence[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return [frame for frame in frames if not frame.filename.startswith(here)]
