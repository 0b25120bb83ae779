"""The terminal while an exploration runs: how far it is, and lines in the middle of the one that pytest is writing."""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import pytest

from ..boundary.adapters import pytest_session

_REFRESH_S = 0.2
_IN_A_LOG_S = 60.0
_WIDTH = 78


class Screen:
    """Writes to the terminal past pytest, which does not know of it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shown = 0.0  # when the live line was written; 0 where none is there

    def progress(self, nodeid: str) -> Callable[[Callable[[], str], int], None]:
        """Return what says how far an exploration is: a count, a rate, what is running and what is left.

        A live line where somebody watches; in a log, where every line is kept, and from a worker of pytest-xdist, one
        line each minute.
        """
        reporter = self._reporter
        worker = hasattr(self._config, "workerinput")
        silent = reporter is None and not worker
        live = not silent and not worker and reporter.isatty and not os.environ.get("CI")
        began = logged = time.monotonic()

        def show(what: Callable[[], str], executions: int) -> None:
            nonlocal logged
            now = time.monotonic()
            if silent or now - (self._shown if live else logged) < (_REFRESH_S if live else _IN_A_LOG_S):
                return
            rate = executions / max(now - began, 0.001)
            line = f"{nodeid.rpartition('::')[2]}: {executions} executions, {rate:.0f}/s, {what()}"
            if live:
                self._shown = now
                self._overwrite(f"{line[:_WIDTH]:<{_WIDTH}}\r")
                return
            logged = now
            if worker:
                self.write(f"chaos: {line}\n")
            else:
                self.between_lines([f"chaos: {line}"])

        return show

    def write(self, text: str) -> None:
        """Write to where a worker's errors go: its output is its line to the controller."""
        with self._past_capture(), suppress(OSError):
            os.write(2, text.encode(errors="replace"))

    def between_lines(self, lines: "list[str]") -> None:
        """Write whole lines in the middle of the line that pytest is writing, and begin that one again after them."""
        before = f"{'':<{_WIDTH}}\r" if self._shown else "\n"
        self._overwrite(before + "".join(f"{line}\n" for line in lines) + pytest_session.current_line(self._writer))
        self._shown = 0.0

    @property
    def is_there(self) -> bool:
        """Whether pytest writes to the terminal: not with ``-p no:terminal``."""
        return self._reporter is not None

    @property
    def _reporter(self) -> Any:
        return self._config.pluginmanager.get_plugin("terminalreporter")

    @property
    def _writer(self) -> Any:
        return self._config.get_terminal_writer()

    def _overwrite(self, text: str) -> None:
        """Write over the line that pytest is writing, which does not know of it."""
        with self._past_capture():
            self._writer.write_raw(f"\r{text}", flush=True)

    def _past_capture(self) -> AbstractContextManager[None]:
        """Let what is written in the block reach the terminal."""
        capture: Any = self._config.pluginmanager.get_plugin("capturemanager")
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()

    def restore(self) -> None:
        """Put back what pytest had written there."""
        if self._shown:
            self._overwrite(f"{'':<{_WIDTH}}\r{pytest_session.current_line(self._writer)}")
            self._shown = 0.0
