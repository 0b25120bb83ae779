"""Places: the agent's own calls that lead to an effect, the frames of no library and not of Rollproof.

Where a stack has none, the effect was handed to a library's thread or task: the place is then that of the task that
awaits it in the same library, or that of the code that handed the work over, or the call that started the exploration.
"""

import asyncio
import functools
import os
import sys
import sysconfig
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from types import CodeType, FrameType, TracebackType
from typing import Any

from ...values.places import Frame, Place
from ..adapters import langgraph_nodes
from ..adapters.python_asyncio import running_loop
from . import steps
from .callers import frames_of, package_of

_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_Calls = tuple[tuple[CodeType, int], ...]


@functools.cache
def is_own(file: str) -> bool:
    """Return whether a source file is the agent's: neither Python's library, nor installed, nor Rollproof's.

    The scenarios that come with Rollproof are agents like any other.
    """
    # ``<string>``, ``<frozen os>``: no file that anybody could open.
    if file.startswith("<"):
        return False
    if file.startswith(_folders("rollproof.scenarios")):
        return True
    ours = _folders("rollproof", "rollproof.faults", "rollproof.invariants", "rollproof.reports")
    return not file.startswith((*_libraries(), *ours)) and not any(part in file for part in _INSTALLED)


@functools.cache
def _libraries() -> tuple[str, ...]:
    return tuple(os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib"))


@functools.cache
def _folders(*packages: str) -> tuple[str, ...]:
    specs = [spec for package in packages if (spec := find_spec(package)) is not None]
    return tuple(os.path.join(folder, "") for spec in specs for folder in spec.submodule_search_locations or ())


def calling(frame: FrameType | None) -> Place:
    """Return the agent's own calls from a frame outwards."""
    return _named(_own_calls(frame))


def of_traceback(trace: TracebackType | None) -> Place:
    """Return the agent's own calls that a traceback shows, the one that raised first."""
    calls: list[tuple[CodeType, int]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        if is_own(code.co_filename):
            calls.append((code, trace.tb_lineno))
        trace = trace.tb_next
    return _named(tuple(reversed(calls)))


def _own_calls(frame: FrameType | None, end: CodeType | None = None) -> _Calls:
    calls: list[tuple[CodeType, int]] = []
    while frame is not None and frame.f_code is not end:
        code = frame.f_code
        if is_own(code.co_filename):
            calls.append((code, frame.f_lineno))
        frame = frame.f_back
    return tuple(calls)


def _named(calls: _Calls) -> Place:
    return tuple(Frame(code.co_filename, line, code.co_qualname) for code, line in calls)


class Places:
    """Numbers the places of one process in the order in which they are first met, so that each is sent once.

    Args:
        start: the code of ours that calls the agent: what is further out belongs to the test.
        call: the place of the call that started the exploration.
    """

    def __init__(self, start: CodeType, call: Place) -> None:
        self._start, self._call = start, call
        self._numbers: dict[object, int] = {}
        self._handed: weakref.WeakKeyDictionary[object, Place] = weakref.WeakKeyDictionary()
        self._loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._local = threading.local()
        self._met: list[_Calls] = []

    def begin(self) -> None:
        """Forget the numbers of places: the tracer of the next run has not been told them."""
        self._numbers.clear()
        self._met.clear()

    def here(self) -> tuple[int, Place | None, steps.Names]:
        """Return the number of the place where the current thread is, the place where it is a new one, and its names.

        The names are those of the steps that it is inside of.
        """
        calls = _own_calls(sys._getframe(1), self._start)
        key: object = tuple((id(code), line) for code, line in calls)
        place = None if calls else self._without_own_calls()
        key = key if calls else place
        known, within = self._numbers.get(key), steps.within()
        if known is not None:
            return known, None, within
        self._met.append(calls)  # an id stands for its code as long as that is kept
        self._numbers[key] = len(self._numbers)
        return self._numbers[key], _named(calls) if place is None else place, within

    def current(self) -> Place:
        """Return the place where the current thread is."""
        calls = _own_calls(sys._getframe(1), self._start)
        return _named(calls) if calls else self._without_own_calls()

    def raised(self, problem: BaseException) -> Place:
        """Return the place where an exception was raised; of a group, that of its first one."""
        first = problem
        while isinstance(first, BaseExceptionGroup) and first.exceptions:
            first = first.exceptions[0]
        return of_traceback(first.__traceback__) or of_traceback(problem.__traceback__) or self._call

    def hand_to(self, worker: object) -> None:
        """Remember that a thread or a task was started here, and within which steps."""
        self._handed[worker] = self.current()
        if isinstance(worker, threading.Thread):  # a task has the context of the code that starts it
            steps.hand_to(worker)

    def carried(
        self, place: Place, within: steps.Names, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Call a function in a thread of a pool, for the code that handed it over."""
        before, self._local.handed = getattr(self._local, "handed", None), place
        try:
            with steps.handed(within):
                return function(*args, **kwargs)
        finally:
            self._local.handed = before

    def install(self, active: Callable[[], bool]) -> None:
        """Note the lines that hand work to tasks and pools of threads. For a child process: there is no way back."""
        steps.libraries[:] = [langgraph_nodes.nodes, _of_runtime]
        submit: Any = ThreadPoolExecutor.submit
        create_task: Any = asyncio.BaseEventLoop.create_task

        @functools.wraps(submit)
        def noted(pool: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            if not active():
                return submit(pool, function, *args, **kwargs)
            carried = functools.partial(self.carried, self.current(), steps.within(), function)
            return submit(pool, carried, *args, **kwargs)

        @functools.wraps(create_task)
        def created(loop: Any, coroutine: Any, **kwargs: Any) -> Any:
            task = create_task(loop, coroutine, **kwargs)
            self._loops.add(loop)
            self.hand_to(task)
            return task

        ThreadPoolExecutor.submit = noted  # type: ignore[method-assign]
        asyncio.BaseEventLoop.create_task = created  # type: ignore[method-assign, assignment]

    def _without_own_calls(self) -> Place:
        """Return the place of an effect of library code.

        Of the task that awaits it, or of the code that handed the work over.
        """
        task = asyncio.current_task() if running_loop() is not None else None
        thread = threading.current_thread()
        if task is not None or thread is not threading.main_thread():
            waiting = self._awaiting(task, {*_packages(sys._getframe(1))})
            # Where several tasks await the same library, nothing says whose effect this is.
            if len(waiting) == 1:
                return waiting.pop()
        handed = self._handed.get(task) if task is not None else None
        return handed or getattr(self._local, "handed", None) or self._handed.get(thread) or self._call

    def _awaiting(self, current: "asyncio.Task[Any] | None", packages: set[str]) -> set[Place]:
        """Return the places of the tasks that await something of these libraries."""
        found = set()
        for task in (task for loop in list(self._loops) for task in asyncio.all_tasks(loop)):
            frames = [] if task is current else list(frames_of(task))
            own = tuple((f.f_code, f.f_lineno) for f in reversed(frames) if is_own(f.f_code.co_filename))
            if own and packages & set(map(package_of, frames)):
                found.add(_named(own))
        return found


def _of_runtime() -> steps.Names:
    """Return the step of a saga of ours that runs here: the runtime knows nothing of the harness, which reads it."""
    current = sys.modules.get("rollproof.runtime.current")
    name = current.STEP.get() if current is not None else ""
    return (name,) if name else ()


def _packages(frame: FrameType | None) -> Iterator[str]:
    """Yield the libraries whose code runs in a stack; those of Python, and ours, are none."""
    for one in _outwards(frame):
        package = package_of(one)
        if package != "rollproof" and package not in sys.stdlib_module_names:
            yield package


def _outwards(frame: FrameType | None) -> Iterable[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
