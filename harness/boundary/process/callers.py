"""Find the task that a cancellation comes to: never one that a library keeps for itself.

In the MCP SDK, the task that awaits the answer to a call of a tool is not the one that sends the request.
"""

import asyncio
import gc
import json
import sys
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType
from typing import Any

from ...values.http import HttpRequest
from ..adapters import mcp_sdk
from ..adapters.python_asyncio import running_loop

_CLIENTS = frozenset({"aiohttp", "anyio", "httpcore", "httpcore2", "httpx", "httpx2", "mcp", "rollproof", "websockets"})
_FRAMES, _AWAITED = ("cr_frame", "ag_frame", "gi_frame"), ("cr_await", "ag_await", "gi_yieldfrom")
_AWAITABLE = (AsyncGeneratorType, CoroutineType)


def cancel_caller(request: HttpRequest) -> bool:
    """Cancel the task that awaits the answer to this message.

    Returns False where the task that runs now makes the call itself. Where nobody can be found, nothing happens.
    """
    if running_loop() is None:
        return True
    message = json.loads(request.body)
    waiting = [task for task in asyncio.all_tasks() if any(mcp_sdk.awaits(frame, message) for frame in frames_of(task))]
    if waiting:
        min(waiting, key=_distance).cancel()
    return bool(waiting) or library_alone()


def library_alone() -> bool:
    """Return whether the task that runs now is one that a library started, and nothing of the agent's runs in it.

    Nobody cancels such a task by itself. The standard library and the libraries of `_CLIENTS` are known to start some.
    """
    task, frame = asyncio.current_task(), sys._getframe(1)
    root: Any = None if task is None else getattr(task.get_coro(), "cr_frame", None)
    while root is not None and _is_library(frame):
        if frame is root:
            return True
        assert frame.f_back is not None
        frame = frame.f_back
    return False


def _is_library(frame: FrameType) -> bool:
    package = package_of(frame)
    return package in _CLIENTS or package in sys.stdlib_module_names


def package_of(frame: FrameType) -> str:
    """Return the name of the package whose code runs in a frame."""
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _distance(task: "asyncio.Task[Any]") -> tuple[bool, int, str]:
    """Order tasks that call alike in several sessions: first the one that opened this session, then by age."""
    import anyio  # the SDK has loaded it

    name = task.get_name()
    return anyio.get_current_task().parent_id != id(task), len(name), name  # Task-9 before Task-10


def frames_of(task: "asyncio.Task[Any]") -> Iterator[FrameType]:
    """Yield the frames in which a task waits, the outermost first."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        frame = next(filter(None, (getattr(awaited, name, None) for name in _FRAMES)), None)
        if frame is not None:
            yield frame
            awaited = next(filter(None, (getattr(awaited, name, None) for name in _AWAITED)), None)
        else:  # a step of an async generator, or what awaits a coroutine for C code: they say nothing of it
            awaited = next((one for one in gc.get_referents(awaited) if isinstance(one, _AWAITABLE)), None)
