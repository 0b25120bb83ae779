"""The MCP SDK: the frames in which a task awaits the answer to a call, and the function that starts a server.

Local variables of `send_raw_request` are read, of `BaseSession.send_request` before 2.0. Which task awaits there can
change without any name that does, so versions above the tested ones are not tried.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from inspect import iscoroutinefunction
from types import CodeType, FrameType
from typing import Any

from .part import Adapter, Changed, find

ADAPTER = Adapter("mcp", "1.0", "3")
_SENDING = "mcp.shared.jsonrpc_dispatcher:JSONRPCDispatcher.send_raw_request"
_SENDING_BEFORE = "mcp.shared.session:BaseSession.send_request"
_KNOWN = tuple(f"{_SENDING}({local})" for local in ("request_id", "method", "out_params"))


@cache
def _codes() -> frozenset[CodeType]:
    """Return the code objects in which the SDK waits for an answer; raises Changed if none is known."""
    try:
        for name in _KNOWN:
            find(name)
        return frozenset({find(_SENDING).__code__})
    except Changed as problem:
        try:
            find(f"{_SENDING_BEFORE}(request_id)")
        except Changed:
            raise problem from None
        return frozenset({find(_SENDING_BEFORE).__code__})


CANCELLING = ADAPTER.part(
    "cancellation inside {library} is not tried",
    *(f"{name}?" for name in (*_KNOWN, f"{_SENDING_BEFORE}(request_id)")),
    probe=lambda: _codes(),
    strictly=True,
)


def awaits(frame: FrameType, message: Mapping[str, Any]) -> bool:
    """Return whether the SDK waits in this frame for the answer to this message; other sessions use its number too."""
    if not CANCELLING.works or frame.f_code not in _codes():
        return False
    known = frame.f_locals
    same = known.get("request_id") == message.get("id") and known.get("method", message["method"]) == message["method"]
    return bool(same and known.get("out_params", message.get("params")) == message.get("params"))


_STARTING = "mcp.client.stdio:_create_platform_compatible_process"
STARTING = ADAPTER.part(
    "servers of tools that {library} starts as a process are not answered for",
    f"{_STARTING}(command)",
    f"{_STARTING}(args)",
    probe=lambda: iscoroutinefunction(find(_STARTING)),
)


def start_by(
    replacement: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]],
) -> Callable[[], None]:
    """Replace the SDK's function that starts a server by `replacement` of it; returns a function that undoes it."""
    if not STARTING.works:
        return lambda: None
    module, plain = find("mcp.client.stdio"), find(_STARTING)
    module._create_platform_compatible_process = replacement(plain)

    def put_back() -> None:
        module._create_platform_compatible_process = plain

    return put_back
