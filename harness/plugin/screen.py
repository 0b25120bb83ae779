"""The terminal while an exploration runs: how far it is, and lines in the middle of the one that pytest is writing."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from math import inf
from typing import Any

import pytest

from ..boundary.adapters import pytest_session
from ..reports.layout import WIDTH, width_of

_REFRESH_S = 0.2
_IN_A_LOG_S = 60.0
_SHORTEST_NAME = 12


class Progress:
    """Says how far an exploration is: for how long it runs, a count, a rate, what is running and what is left.

    Args:
        name: of the test.
        write: receives the line.
        every_s: how many seconds there are between two lines.
        clock: gives the time in seconds.
        room: columns of the line, which then comes at once; None where every line is kept, and has what it needs.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[str], object],
        every_s: float,
        clock: Callable[[], float],
        room: int | None = None,
    ) -> None:
        self._name, self._write, self._every_s, self._clock, self._room = name, write, every_s, clock, room
        self._began = clock()
        self._told = self._began if room is None else -inf  # a live line comes at once
        self._what: Callable[[], str] = lambda: "begins"
        self._executions = 0

    def at(self, what: Callable[[], str], executions: int) -> None:
        """Note what is running, `what` in words, and how many processes there were; show it where it is time."""
        self._what, self._executions = what, executions
        self.show()

    def show(self) -> None:
        """Write a line where it is time for one."""
        now = self._clock()
        if now - self._told < self._every_s:
            return
        self._told = now
        elapsed = now - self._began
        rate = self._executions / max(elapsed, 0.001)
        told = f"{self._executions} executions, {rate:.0f}/s, {elapsed:.0f} s, {self._what()}"
        self._write(f"{self._named(told)}: {told}")

    def _named(self, told: str) -> str:
        """Return the name of the test, cut where there is no room for it beside what is `told`."""
        room = len(self._name) if self._room is None else max(_SHORTEST_NAME, self._room - len(told) - 2)
        return self._name if len(self._name) <= room else f"{self._name[: room - 1]}…"


class Screen:
    """Writes to the terminal past pytest, which does not know of it."""

    def __init__(self, config: pytest.Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self._shown = False  # whether the live line is there

    def progress(self, nodeid: str) -> Progress:
        """Return the `Progress` of the exploration of a test.

        A live line where somebody watches; in a log, where every line is kept, and from a worker of pytest-xdist, one
        line each minute.
        """
        name = nodeid.rpartition("::")[2]
        if self._is_watched:
            return Progress(name, self._overwrite_live, _REFRESH_S, self._clock, self._room)
        return Progress(name, lambda line: self.say([f"chaos: {line}"]), _IN_A_LOG_S, self._clock)

    def _overwrite_live(self, line: str) -> None:
        self._shown = True
        self._overwrite(f"{line[: self._room]:<{self._room}}\r")

    def say(self, lines: list[str]) -> None:
        """Write lines while a test runs, from a worker to where they reach the terminal."""
        if hasattr(self._config, "workerinput"):
            self.write("".join(f"{line}\n" for line in lines))
        elif lines and self.is_there:
            self.between_lines(lines)

    def write(self, text: str) -> None:
        """Write to where a worker's errors go: its output is its line to the controller."""
        with self._past_capture(), suppress(OSError):
            os.write(2, text.encode(errors="replace"))

    def between_lines(self, lines: "list[str]") -> None:
        """Write whole lines in the middle of the line that pytest is writing, and begin that one again after them."""
        before = f"{'':<{self._room}}\r" if self._shown else "\n"
        self._overwrite(before + "".join(f"{line}\n" for line in lines) + pytest_session.current_line(self.writer))
        self._shown = False

    @property
    def is_there(self) -> bool:
        """Return whether pytest writes to the terminal: not with ``-p no:terminal``."""
        return self._reporter is not None

    @property
    def width(self) -> int:
        """Columns of what is written: of a log as many as there always are."""
        return width_of(self.writer.fullwidth) if self._is_watched else WIDTH

    @property
    def _room(self) -> int:
        """Columns of the live line: in the last one some terminals begin the next line."""
        return self.width - 2

    @property
    def writer(self) -> Any:
        """Return pytest's writer to the terminal."""
        return self._config.get_terminal_writer()

    @property
    def _is_watched(self) -> bool:
        """Return whether somebody watches: a terminal, and no log of a CI, which keeps every line."""
        worker = hasattr(self._config, "workerinput")
        return not worker and self.is_there and self._reporter.isatty and not os.environ.get("CI")

    @property
    def _reporter(self) -> Any:
        return self._config.pluginmanager.get_plugin("terminalreporter")

    def _overwrite(self, text: str) -> None:
        """Write over the line that pytest is writing, which does not know of it."""
        with self._past_capture():
            self.writer.write_raw(f"\r{text}", flush=True)

    def _past_capture(self) -> AbstractContextManager[None]:
        """Write past pytest's capture in the block, to the terminal."""
        capture: Any = self._config.pluginmanager.get_plugin("capturemanager")
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()

    def restore(self) -> None:
        """Put back what pytest had written there."""
        if self._shown:
            self._overwrite(f"{'':<{self._room}}\r{pytest_session.current_line(self.writer)}")
            self._shown = False
