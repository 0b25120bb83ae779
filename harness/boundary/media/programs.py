"""Programs that the agent starts: a point before one begins, and one when it has ended and nobody used its result yet.

A program is not looked into in between; the statement counts programs that changed watched paths. A program that
nobody waits for has no phase "after", which the statement says.
"""

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from inspect import signature
from typing import Any

from ...values.actions import Exit
from ...values.points import canonical
from ...values.protocol import SubprocessStarted
from ...values.real_time import PROGRAM_ENDS_S
from .. import patching
from ..adapters import python_asyncio
from ..crossing import Crossing
from ..gate import Gate
from ..resolved import ResolvedInjection

_SHELL = "/bin/sh"
_SERVER = "rollproof.network.stdio"  # the module that stands in for a server of tools
_NOT_FOUND = 127  # what a shell says of a program that is not there
_real_waitid, _real_monotonic = os.waitid, time.monotonic


def originals() -> list[object]:
    """Return the functions that agents may have imported by name."""
    return [os.system, os.posix_spawn, os.posix_spawnp, os.waitpid]


class Programs:
    """The running programs of the agent, by its Popen object or by pid."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._seen_dead: dict[int, float] = {}

    def begin(
        self, name: str, start: Callable[[int | None], Any], *, shell: bool, ours: bool = False
    ) -> tuple[Any, Crossing]:
        """Pass the gate with the start of a program; `start` gets the code to exit with instead of acting, or None.

        A program is not held back from the network, unless it is one of the harness's own.
        """
        gate = self._gate
        gate.recorder.everything()
        if not ours:
            gate.note("unheld", f"the program {name}")
        with gate.holding_token("process", "run", name):
            crossing = gate.arrive("process", "run", name)
            code = None
            try:
                resolved = crossing.phase("before")
                code = self._code(resolved)
            except FileNotFoundError:
                if not shell:
                    raise
                # The shell itself starts: it is the one that does not find the program.
                code = _NOT_FOUND
            with gate.untraced():
                return start(code), crossing

    def tell(self, pid: int) -> None:
        """Tell the parent which process a program is: it can change something as long as it lives."""
        self._gate.channel.tell(SubprocessStarted(pid, self._gate.places.current()))

    def runs(self, key: Any, crossing: Crossing) -> None:
        """Remember a program that was started and runs on."""
        self._gate.programs[key] = crossing

    def ended(self, key: Any, code: int | None = None) -> int | None:
        """Pass the gate with the end of a program that was waited for; returns the exit code that a fault gives it."""
        crossing = self._gate.programs.pop(key, None)
        return None if crossing is None or not self._gate.active else self.left(crossing, code)

    def left(self, crossing: Crossing, code: int | None = None) -> int | None:
        """Pass the gate with the end of a program, with `code` where that is known."""
        crossing.outcome = "ended" if code is None else f"exit code {code}"
        with self._gate.holding_token("process", "end", crossing.point.target):
            resolved = crossing.phase("after")
        return self._code(resolved)

    def _code(self, resolved: ResolvedInjection | None) -> int | None:
        """Return the code that a fault lets a program end with, from now on certain; None for its own."""
        if resolved is None or not isinstance(resolved.action, Exit):
            return None
        self._gate.fired(resolved)
        return resolved.action.code

    def at_work(self) -> bool:
        """Return whether a program computes: it has not ended, and does not wait for input of the agent."""
        return any(isinstance(key, subprocess.Popen) and self._works(key) for key in list(self._gate.programs))

    def _works(self, process: "subprocess.Popen[Any]") -> bool:
        if process.returncode is not None or (process.stdin is not None and not process.stdin.closed):
            return False
        with suppress(ChildProcessError):
            # A look that leaves the end to the agent, which waits for the program itself.
            if _real_waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return True
        # The agent hears of the end in real time (a pipe, a signal): for so long virtual time must not overtake it.
        return _real_monotonic() - self._seen_dead.setdefault(process.pid, _real_monotonic()) < PROGRAM_ENDS_S

    def unfinished(self) -> list[str]:
        """Return a sentence for each program that nobody waited for."""
        return [f"{crossing.point} was not waited for" for crossing in self._gate.programs.values()]


def install(gate: Gate) -> Programs:
    """Put the gate before every program. For a child process: there is no way back."""
    programs = Programs(gate)
    _popen(gate, programs)
    python_asyncio.watch_programs(gate.awaiting, programs.ended)
    patching.replace(os, "system", lambda original: _system(gate, programs, original))
    for name in ("posix_spawn", "posix_spawnp"):
        patching.replace(os, name, lambda original: _spawn(gate, programs, original))
    patching.replace(os, "waitpid", lambda original: _waitpid(programs, original))
    return programs


def _name(arguments: Any, *, shell: bool) -> str:
    """Return the base name of a program; that of a line for the shell is its first word that sets no variable."""
    words: list[Any] = [arguments] if isinstance(arguments, (str, bytes, os.PathLike)) else list(arguments)
    text = os.fsdecode(words[0]) if words else ""
    if shell:
        try:
            words = shlex.split(text)
        except ValueError:
            words = text.split()
        text = next((word for word in words if "=" not in word), text)
    return canonical(os.path.basename(text) or text)


def _ending_with(code: int) -> list[str]:
    """Return a program that does nothing but end with this code, -9 for SIGKILL."""
    return [_SHELL, "-c", f"exit {code}" if code >= 0 else f"kill {code} $$"]


def _popen(gate: Gate, programs: Programs) -> None:
    popen: Any = subprocess.Popen
    plain, wait, poll = popen.__init__, popen.wait, popen.poll
    parameters = signature(plain)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = parameters.bind(self, *args, **kwargs)
        if not gate.active:
            plain(*given.args, **given.kwargs)
            return
        asked = given.arguments["args"]
        shell = bool(given.arguments.get("shell"))

        def start(code: int | None) -> None:
            if code is not None:
                # Something is started in any case: the agent holds a `Popen` with a pid, and waits for it.
                given.arguments.update(args=_ending_with(code), shell=False, executable=None)
            plain(*given.args, **given.kwargs)
            programs.tell(self.pid)
            self.args = asked

        ours = not shell and isinstance(asked, (list, tuple)) and _SERVER in asked
        _, crossing = programs.begin(_name(asked, shell=shell), start, shell=shell, ours=ours)
        programs.runs(self, crossing)

    def ended(self: Any) -> int | None:
        code = programs.ended(self, self.returncode) if self.returncode is not None else None
        if code is not None:
            self.returncode = code
        result: int | None = self.returncode
        return result

    def waited(self: Any, timeout: float | None = None) -> int | None:
        wait(self, timeout)
        return ended(self)

    def polled(self: Any) -> int | None:
        poll(self)
        return ended(self)

    popen.__init__, popen.wait, popen.poll = init, waited, polled


def _system(gate: Gate, programs: Programs, original: Callable[[Any], int]) -> Callable[[Any], int]:
    def system(command: Any) -> int:
        if not gate.active:
            return original(command)

        def start(code: int | None) -> int:
            return original(command if code is None else _ending_with(code)[-1])

        status, crossing = programs.begin(_name(command, shell=True), start, shell=True)
        code = programs.left(crossing, os.waitstatus_to_exitcode(status) if status >= 0 else None)
        return int(status) if code is None else _status(code)

    return system


def _spawn(gate: Gate, programs: Programs, original: Callable[..., int]) -> Callable[..., int]:
    def spawn(path: Any, argv: Sequence[Any], env: Any, /, **kwargs: Any) -> int:
        if not gate.active:
            return original(path, argv, env, **kwargs)

        def start(code: int | None) -> int:
            words = (path, argv) if code is None else (_SHELL, _ending_with(code))
            pid = original(*words, env, **kwargs)
            programs.tell(pid)
            return pid

        pid, crossing = programs.begin(_name(path, shell=False), start, shell=False)
        programs.runs(pid, crossing)
        return int(pid)

    return spawn


def _waitpid(programs: Programs, original: Callable[[int, int], tuple[int, int]]) -> Callable[..., tuple[int, int]]:
    def waitpid(pid: int, options: int, /) -> tuple[int, int]:
        found, status = original(pid, options)
        code = programs.ended(found) if found and not os.WIFSTOPPED(status) else None
        return found, status if code is None else _status(code)

    return waitpid


def _status(code: int) -> int:
    """Return the wait status of a program that ended with this code."""
    return code << 8 if code >= 0 else -code
