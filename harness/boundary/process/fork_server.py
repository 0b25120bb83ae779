"""The process that an agent's processes are forked from: it has the boundary in place, and otherwise stands still.

Forking costs by what the forking process holds and by what it writes meanwhile. The test's process holds all that was
seen so far, and works; this one does not. One child is always forked ahead, while the one before it still runs.
"""

import contextlib
import os
import signal
import socket
import struct
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from typing import NoReturn

from ...values.errors import ChaosError
from ...values.rare import rare
from ...values.real_time import DYING_S
from ..channel import Channel
from . import memory
from .child import Agent, Boundary
from .detaching import adopt_orphans, end_with_parent, let_go
from .kept_times import KeptTime, kept_by_this_process

_FORK, _WAIT = b"F", b"W"
_NUMBER = struct.Struct("!i")
_REQUEST_BYTES = 1 + _NUMBER.size
_WORTH_IT = 32  # forks; with large pages each costs 7 ms less, and 20 to 30 of them pay for the change


class ForkServer:
    """The handle on the fork server in the test's process."""

    def __init__(self, agent: Agent) -> None:
        self._control, theirs = socket.socketpair()
        kept = kept_by_this_process()  # here: looking at every object would copy its page in the forked process
        # What is still in the buffers would be written by both processes.
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Python 3.12+: a child of a process with threads may deadlock; ours only runs the agent, and is watched.
            warnings.simplefilter("ignore", DeprecationWarning)
            parent, self.pid = os.getpid(), os.fork()
        if self.pid == 0:
            self._control.close()
            try:
                _serve(theirs, agent, parent, kept)
            except ConnectionError:
                pass  # the test's process hung up in the middle of a word
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            finally:
                _end_all()  # what called this goes on in the parent alone
        theirs.close()
        self._spare: tuple[int, Channel] | None = None
        self._ask(_FORK, 0)

    def child(self) -> tuple[int, Channel]:
        """Return the pid of a forked process that waits for its request, and the channel to it.

        The next one is forked ahead.
        """
        pid, channel = self._fetch()
        self._spare = None
        self._ask(_FORK, 0)
        return pid, channel

    def reap(self, pid: int) -> int:
        """Wait until a process has ended, and kill it and all its descendants if it has not; returns its status."""
        self._fetch()
        # The reply to the last fork had to be read first: replies come in the order of the requests.
        self._ask(_WAIT, pid)
        self._control.settimeout(DYING_S)
        with _going():
            try:
                status = self._control.recv(_NUMBER.size)
            except TimeoutError:
                end_group(pid)
                status = b""
            self._control.settimeout(None)
            status = status or self._control.recv(_NUMBER.size)
        if not status:
            raise _gone()
        return int(_NUMBER.unpack(status)[0])

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(ChaosError):
            pid, channel = self._fetch()
            channel.close()
            self.reap(pid)
        self._control.close()
        os.waitpid(self.pid, 0)

    def abort(self) -> None:
        """Kill the fork server and all its descendants at once; safe at any point of an interruption."""
        os.kill(self.pid, signal.SIGTERM)
        if self._spare is not None:
            self._spare[1].close()
        self._control.close()  # a signal that comes while Python still forks is forgotten; that we hang up is not
        os.waitpid(self.pid, 0)

    def _fetch(self) -> tuple[int, Channel]:
        if self._spare is None:
            with _going():
                data, fds, _, _ = socket.recv_fds(self._control, _NUMBER.size, 1)
            if not data:
                raise _gone()
            self._spare = _NUMBER.unpack(data)[0], Channel(socket.socket(fileno=fds[0]))
        return self._spare

    def _ask(self, what: bytes, number: int) -> None:
        with _going():
            self._control.sendall(what + _NUMBER.pack(number))


def end_group(pid: int) -> None:
    """Kill all processes of a group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _end_orphans(spare: int) -> None:
    """Kill the descendants that an agent's process left running, until only the process that was forked ahead is
    there.
    """
    path = f"/proc/self/task/{os.getpid()}/children"
    while os.path.exists(path):
        with open(path, encoding="ascii") as children:
            orphans = [pid for pid in map(int, children.read().split()) if pid != spare]
        if not orphans:
            return
        for pid in orphans:
            rare("an orphan of an agent is ended")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # waited for already, when a signal came
                os.waitpid(pid, 0)


def _end_all(number: int = 0, frame: object = None) -> NoReturn:
    """End every process that was forked here, and all that these started, whatever session they made themselves.

    They cannot run on: orphans of theirs become children of this process, which goes last.
    """
    _end_orphans(0)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) is not None:  # the list of children may leave some out while others end
            _end_orphans(0)
    os._exit(0)


@contextlib.contextmanager
def _going() -> Iterator[None]:
    """Turn a broken connection to the fork server into the error that it has ended."""
    try:
        yield
    except ConnectionError:
        raise _gone() from None


def _gone() -> ChaosError:
    rare("the process that agents are forked from has ended")
    return ChaosError(
        "nursery-gone",
        "the process that agents are forked from has ended",
        "was it killed, for want of memory? nothing after that could be judged",
    )


def _serve(control: socket.socket, agent: Agent, parent: int, kept: Sequence[KeptTime]) -> None:
    """Fork and wait as asked, until the test's process hangs up."""
    before = signal.signal(signal.SIGTERM, _end_all)
    os.setpgid(0, 0)  # who kills the group of the test's process leaves this one, which ends the agent's
    adopt_orphans()
    end_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The test's process may have died before the kernel was asked to tell.
    if os.getppid() != parent:
        os._exit(0)
    boundary = Boundary(agent, kept)
    let_go()
    memory.freeze()
    spare = forked = 0
    while len(request := control.recv(_REQUEST_BYTES, socket.MSG_WAITALL)) == _REQUEST_BYTES:
        if request[:1] == _WAIT:
            pid = _NUMBER.unpack(request[1:])[0]
            status = os.waitpid(pid, 0)[1]
            end_group(pid)
            _end_orphans(spare)
            # Only now: when the status is known, nothing of the agent runs any more.
            control.sendall(_NUMBER.pack(status))
            continue
        ours, theirs = socket.socketpair()
        forked += 1
        if forked == _WORTH_IT:
            memory.on_large_pages()
        spare = os.fork()
        if spare == 0:
            if before is not None:
                # An agent has its signals as they were in the test's process.
                signal.signal(signal.SIGTERM, before)
            control.close()
            theirs.close()
            # A copy of either end, left open here, would keep the test's process from seeing that the other one has
            # ended.
            boundary.run_process(Channel(ours))
        socket.send_fds(control, [_NUMBER.pack(spare)], [theirs.fileno()])
        ours.close()
        theirs.close()
