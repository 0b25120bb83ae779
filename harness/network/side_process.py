"""Start a side process that listens on a port of loopback and talks to this one; it ends with this one."""

import socket
import subprocess
import sys

from ..boundary.channel import Channel

LOOPBACK = "127.0.0.1"


class SideProcess:
    """A child of the test's process that runs a module of ours. `port` accepts connections at once, before it is up."""

    def __init__(self, module: str, *arguments: str) -> None:
        listener = socket.create_server((LOOPBACK, 0), backlog=512)
        self.port: int = listener.getsockname()[1]
        ours, theirs = socket.socketpair()
        fds = (theirs.fileno(), listener.fileno())
        command = [sys.executable, "-P", "-m", module, *map(str, fds), *arguments]
        self._process = subprocess.Popen(command, pass_fds=fds, stdin=subprocess.DEVNULL, start_new_session=True)
        theirs.close()
        listener.close()
        self.pipe = Channel(ours)
        self.pid = self._process.pid

    def close(self) -> None:
        """End the process."""
        self.pipe.close()
        self._process.kill()
        self._process.wait()
