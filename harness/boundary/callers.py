"""Which task a cancellation can come to: not to one that a library keeps for itself.

Who awaits the answer to a call of a tool is, in the MCP SDK, another task than the one that sends the request.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ..values.http import HttpRequest
from .warming import INSTALLED

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SENDING = ("send_raw_request", "send_request")  # of the SDK since 2.0, and before


def cancel(request: HttpRequest) -> bool:
    """Cancel the task that awaits the answer to this message; returns False where there is none but the sender."""
    number = json.loads(request.body).get("id")
    for task in asyncio.all_tasks():
        if any(_awaits(frame, number) for frame in _frames(task)):
            return task is not asyncio.current_task() and task.cancel()
    return False


def library_alone() -> bool:
    """Say whether the task that runs now is one that a library started, and nothing of the agent's runs in it.

    Nobody cancels such a task by itself.
    """
    task, frame = asyncio.current_task(), sys._getframe(1)
    root: Any = None if task is None else getattr(task.get_coro(), "cr_frame", None)
    while frame is not root and frame.f_back is not None:
        frame = frame.f_back
        if not frame.f_code.co_filename.startswith((*INSTALLED, _OURS, "<")):
            return False
    return root is not None and not _is_main(task, frame)


def _is_main(task: object, frame: FrameType | None) -> bool:
    """Say whether it is the task that its loop runs for."""
    while frame is not None:
        if frame.f_code.co_name == "run_until_complete":
            return frame.f_locals.get("future") is task
        frame = frame.f_back
    return False


def _frames(task: "asyncio.Task[Any]") -> Iterator[FrameType]:
    """Yield the frames in which a task waits, the outermost first."""
    coroutine: Any = task.get_coro()
    while getattr(coroutine, "cr_frame", None) is not None:
        yield coroutine.cr_frame
        coroutine = coroutine.cr_await


def _awaits(frame: FrameType, number: object) -> bool:
    """Say whether the SDK waits in this frame for the answer to the request of this number."""
    package = str(frame.f_globals.get("__name__")).partition(".")[0]
    return package == "mcp" and frame.f_code.co_name in _SENDING and frame.f_locals.get("request_id") == number
