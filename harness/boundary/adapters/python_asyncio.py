"""asyncio: the running loop, the future that a task waits for, and the programs that a loop starts.

3.14: all names are there. The public child watchers are gone. A task that waits for a program whose pipes were never
connected is woken in `BaseSubprocessTransport._try_finish`, too, which ends the same `_wait`.
3.15: not known.
"""

import asyncio
import asyncio.base_subprocess
import asyncio.selector_events
import asyncio.unix_events
import selectors
from collections.abc import Callable
from contextlib import suppress
from inspect import iscoroutinefunction
from typing import Any

from .part import Adapter, find, found

ADAPTER = Adapter("Python", "3.11", "3.14")


def _public_running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


running_loop: Callable[[], asyncio.AbstractEventLoop | None] = (
    found("asyncio:_get_running_loop") or _public_running_loop
)
"""Return the loop that runs in this thread, None where none does; at each point, and without an exception."""

LEAVING = ADAPTER.part("agents of tests that are coroutines themselves are not tried", "asyncio:_set_running_loop")


def leave_running_loop() -> None:
    """Forget the loop that ran where this process was forked."""
    if LEAVING.works:
        find("asyncio:_set_running_loop")(None)


WAITING = ADAPTER.part(
    "",
    "asyncio:_get_running_loop",
    "asyncio.tasks:_wait",
    "asyncio.tasks:_GatheringFuture",
    "asyncio:Task._fut_waiter",
    costs="tasks that wait for others count as able to go first: these orders cannot come, which is counted",
)


def waits_for_tasks(task: "asyncio.Task[Any]") -> bool:
    """Return whether a task waits for another one, or for several that were gathered."""
    return isinstance(getattr(task, "_fut_waiter", None), _TASKS)


_TASKS = tuple(kind for kind in (asyncio.Task, found("asyncio.tasks:_GatheringFuture")) if kind is not None)
collecting = found("asyncio.tasks:_wait")
"""The function in which ``asyncio.wait`` waits for its tasks; None where nobody knows it."""

TIMERS = ADAPTER.part(
    "which ends first, a deadline of the agent's own or a client's, is not tried",
    "asyncio:BaseEventLoop#_scheduled",
    probe=lambda: iscoroutinefunction(asyncio.sleep),
)


def ends_before(loop: Any, moment: float) -> bool:
    """Return whether a timer of this loop ends before a given time."""
    return TIMERS.works and any(not timer.cancelled() and timer.when() < moment for timer in loop._scheduled)


SLEEPS = ADAPTER.part(
    "",
    "asyncio:BaseEventLoop#_scheduled",
    "asyncio:Task._fut_waiter",
    "asyncio.futures:_set_result_unless_cancelled",
    "asyncio.events:TimerHandle#_callback",
    "asyncio.events:TimerHandle#_args",
    probe=lambda: iscoroutinefunction(asyncio.sleep),
    costs="a sleep beside an idle connection to a permitted host takes real seconds",
)


def only_sleeps(loop: Any) -> bool:
    """Return whether all tasks of a loop wait for a sleep, or for other tasks."""
    if not SLEEPS.works:
        return False
    ends = find("asyncio.futures:_set_result_unless_cancelled")
    sleeps = {id(timer._args[0]) for timer in loop._scheduled if timer._callback is ends and not timer.cancelled()}
    return all(id(getattr(t, "_fut_waiter", None)) in sleeps or waits_for_tasks(t) for t in asyncio.all_tasks(loop))


_LOOP = "asyncio.selector_events:BaseSelectorEventLoop"
MADE_BEFORE = ADAPTER.part(
    "waits of a loop that was made before the exploration take real time",
    f"{_LOOP}#_selector",
    f"{_LOOP}._close_self_pipe",
    f"{_LOOP}._make_self_pipe",
)


def watch_selectors(see: Callable[[Any, Any], None]) -> None:
    """Call `see` with each loop and its selector: when it is made here, or when one runs that was made before.

    For a child process: there is no way back.
    """
    loops: Any = asyncio.selector_events.BaseSelectorEventLoop
    construct, run_forever = loops.__init__, loops.run_forever

    def init(self: Any, selector: Any = None) -> None:
        selector = selectors.DefaultSelector() if selector is None else selector
        construct(self, selector)
        self._seen_here = True
        see(self, selector)

    def run(self: Any) -> None:
        if not hasattr(self, "_seen_here") and not self.is_running() and not self.is_closed() and MADE_BEFORE.works:
            self._seen_here = True
            _take_out_of_the_parent(self)
            see(self, self._selector)
        run_forever(self)

    loops.__init__, loops.run_forever = init, run


def _take_out_of_the_parent(loop: Any) -> None:
    """Give a loop that was made before a fork what it shares with the other process: its selector, and its waker."""
    before = loop._selector
    loop._selector = type(before)()
    for key in before.get_map().values():
        with suppress(OSError):  # a descriptor that this process has closed
            loop._selector.register(key.fileobj, key.events, key.data)
    loop._close_self_pipe()
    loop._make_self_pipe()


_TRANSPORT = "asyncio.base_subprocess:BaseSubprocessTransport"
PROGRAMS = ADAPTER.part(
    "faults at the end of programs that asyncio starts are not tried",
    f"{_TRANSPORT}._wait",
    f"{_TRANSPORT}._process_exited(returncode)",
    f"{_TRANSPORT}#_proc",
    f"{_TRANSPORT}#_returncode",
    "asyncio.unix_events:_UnixSubprocessTransport._start",
    probe=lambda: iscoroutinefunction(find(f"{_TRANSPORT}._wait")),
)


def watch_programs(starting: Callable[[], Any], ended: Callable[[Any], int | None]) -> None:
    """Enter `starting` around each start of a program; `ended` maps its exit code to the one that asyncio is told, None
    leaves it.

    For a child process: there is no way back.
    """
    if not PROGRAMS.works:
        return
    transport: Any = asyncio.base_subprocess.BaseSubprocessTransport
    unix: Any = find("asyncio.unix_events:_UnixSubprocessTransport")
    plain, exited, start = transport._wait, transport._process_exited, unix._start

    def started(self: Any, *args: Any, **kwargs: Any) -> None:
        with starting():
            start(self, *args, **kwargs)

    def process_exited(self: Any, returncode: int) -> None:
        self._program = self._proc  # which is gone when the transport is closed
        exited(self, returncode)

    async def wait(self: Any) -> Any:
        await plain(self)
        with starting():
            code = ended(self._program)
        if code is not None:
            self._returncode = self._program.returncode = code
        return self._returncode

    transport._process_exited, unix._start = process_exited, started
    transport._wait = wait
