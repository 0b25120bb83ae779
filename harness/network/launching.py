"""Starting a Toxiproxy server as a process of ours, and ending it."""

import os
import select
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from typing import Self

from ..values.errors import ChaosError
from ..values.rare import rare

HOST = "127.0.0.1"
_START_S, _END_S = 20.0, 10.0


class Helper:
    """A process that works for this one, in a session of its own: Ctrl-C does not reach it, our end does."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._files = ExitStack()
        # A file: a pipe that nobody reads would fill up and stop the server. `end` closes it.
        self._errors = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        # -P: a file of the user's in the working directory is never taken for a module of Python's.
        command = [sys.executable, "-P", "-m", f"rollproof.network.{module}", *arguments]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._output = self._files.enter_context(self._process.stdout)

    @classmethod
    def embedded(cls, seed: str) -> Self:
        """Start the embedded server."""
        return cls("embedded", seed, str(os.getpid()))

    @classmethod
    def binary(cls, path: str) -> Self:
        """Start the real server."""
        return cls("guardian", str(os.getpid()), "run", path)

    @classmethod
    def remover(cls, host: str, port: int, prefix: str) -> Self:
        """Start the process that removes our proxies from a shared server, should this one end without doing so."""
        return cls("guardian", str(os.getpid()), "remove", host, str(port), prefix)

    @property
    def pid(self) -> int:
        """Return the pid of the process."""
        return self._process.pid

    def port(self) -> int:
        """Wait for the port that a server prints.

        Raises:
            ChaosError: where it does not start; the process is over then.
        """
        ready, _, _ = select.select([self._output], [], [], _START_S)
        line = self._output.readline() if ready else b""
        if line.strip().isdigit():
            return int(line)
        rare("a Toxiproxy server does not start")
        complaint = self._complaint()
        self.end()
        raise ChaosError("toxiproxy-start", f"the Toxiproxy server did not start: {complaint}")

    def end(self) -> None:
        """End the process, and wait until it and what it runs is gone."""
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._files.close()

    def _complaint(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it printed nothing"
