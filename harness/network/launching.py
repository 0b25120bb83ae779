"""Starting a Toxiproxy server as a process of ours, and ending it."""

import os
import select
import subprocess
import sys
from typing import Self

from ..values.errors import ChaosError

HOST = "127.0.0.1"
_START_S, _END_S = 20.0, 10.0


class Helper:
    """A process that works for this one, in a session of its own: Ctrl-C does not reach it, our end does."""

    def __init__(self, module: str, *arguments: str) -> None:
        # -P: a file of the user's in the working directory is never taken for a module of Python's.
        command = [sys.executable, "-P", "-m", f"rollproof.network.{module}", *arguments]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

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
        """Start who removes our proxies from a shared server, should we end without doing so."""
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
        output = self._process.stdout
        assert output is not None
        ready, _, _ = select.select([output], [], [], _START_S)
        line = output.readline() if ready else b""
        if line.strip().isdigit():
            return int(line)
        self.end()
        raise ChaosError("toxiproxy-start", f"the Toxiproxy server did not start: {self._complaint()}")

    def end(self) -> None:
        """End the process, and wait until it and what it runs is gone."""
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _complaint(self) -> str:
        with self._process.stderr or open(os.devnull, "rb") as errors:
            lines = errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it printed nothing"
