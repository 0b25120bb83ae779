"""Stop a process of the agent in Python's debugger, which talks to the person through the test's process.

The process has no terminal: what the debugger prints goes to the parent as messages, and each line that it reads
comes from there.
"""

import os
import pdb
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from ...values.points import Point
from ...values.protocol import DebuggerAsks
from ..gate import Gate
from ..resolved import ResolvedInjection
from .places import is_own

_SKIPPED = ["rollproof", "rollproof.*", "contextlib", "asyncio", "asyncio.*", "concurrent.*", "threading"]
"""Modules that stepping goes through without a stop: between an effect of the agent and the gate."""
_CALLER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "child.py")
"""Calls the agent: frames outside of it are no business of the person's."""


class Stops:
    """Stops at chosen points, and where a fault is due, until the person lets the process go on without stops.

    Args:
        plan: the faults of the process, by their positions.
        points: the tokens of those where it stops before the effect, each with the reason.
    """

    def __init__(self, gate: Gate, plan: Sequence[ResolvedInjection], points: Mapping[str, str]) -> None:
        self._gate, self._plan, self._points = gate, plan, points
        self._ended = self._warned = False

    def stop_at(self, what: Point | int) -> None:
        """Stop before the effect of a chosen point, and before the fault of a position happens."""
        if isinstance(what, int):
            self._stop(f"the fault comes now: {self._plan[what].injection.describe()}")
        elif (token := str(what)) in self._points:
            self._stop(f"{self._points[token]}: {token}")

    def _stop(self, why: str) -> None:
        if self._ended:
            return
        frame = _agent_frame(sys._getframe(1))
        debugger = _Debugger(_Terminal(self._gate), self._end)
        debugger.message(f"\n[chaos] {why}")
        if not self._warned:
            self._warned = True
            debugger.message("[chaos] values are real here, secrets included: take care where you copy them to")
        with self._gate.untraced(), self._gate.waiting_for_parent():
            debugger.stop_in(frame)

    def _end(self) -> None:
        self._ended = True


class _Debugger(pdb.Pdb):
    """Python's debugger, begun in a frame that is not the innermost one."""

    def __init__(self, terminal: "_Terminal", end: Callable[[], None]) -> None:
        super().__init__(stdin=terminal, stdout=terminal, skip=_SKIPPED, nosigint=True)  # type: ignore[arg-type]
        self._goes_on, self._end = False, end

    def stop_in(self, frame: FrameType) -> None:
        """Stop for the person, in this frame."""
        self.reset()
        outer: FrameType | None = frame
        while outer is not None and outer.f_code.co_filename != _CALLER:
            self.botframe, outer = outer, outer.f_back
        self.interaction(frame, None)
        self.stdout.flush()
        if not self._goes_on:
            # Steps are seen only by frames that are traced, and these began before anybody asked.
            for inner, _ in self.get_stack(frame, None)[0]:
                inner.f_trace = self.trace_dispatch
            sys.settrace(self.trace_dispatch)

    def interaction(self, *arguments: Any) -> None:
        """Serve the person at the debugger's prompt; everything that was printed is shown when the process goes on."""
        super().interaction(*arguments)
        self.stdout.flush()

    def do_continue(self, arg: str) -> bool | None:
        """Go on to the next stop."""
        self._goes_on = True
        return super().do_continue(arg)

    do_c = do_cont = do_continue

    def do_quit(self, arg: str) -> bool | None:
        """Go on to the end, without stops: the schedule is carried out whole."""
        self._end()
        return self.do_continue(arg)

    do_q = do_exit = do_quit
    do_EOF = do_quit  # the debugger's own name for the end of its input


class _Terminal:
    """The terminal of the person, at the parent's; shows what was printed when a line is to be read, or is flushed."""

    encoding = "utf-8"

    def __init__(self, gate: Gate) -> None:
        self._gate, self._printed = gate, ""

    def write(self, text: str) -> int:
        self._printed += text
        return len(text)

    def flush(self) -> None:
        """Show what was printed."""
        if self._printed:
            self._ask(waits=False)

    def readline(self) -> str:
        """Return the next line that the person types, "" at the end of input."""
        return self._ask(waits=True)

    def _ask(self, *, waits: bool) -> str:
        text, self._printed = self._printed, ""
        with self._gate.untraced(), self._gate.waiting_for_parent():
            return str(self._gate.channel.ask(DebuggerAsks(text, waits)))


def _agent_frame(frame: FrameType | None) -> FrameType:
    """Return the innermost frame of the agent's own code; of a library where there is none."""
    first = frame
    while frame is not None:
        if is_own(frame.f_code.co_filename):
            return frame
        frame = frame.f_back
    assert first is not None
    return first
