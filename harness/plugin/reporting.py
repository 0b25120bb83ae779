"""Write what was explored: the terminal while it runs and at its end, JSON, Allure."""

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..reports import json_file, terminal
from . import options

if TYPE_CHECKING:
    from ..values.exploration import Exploration

_REFRESH_S = 0.2
_WIDTH = 78


class Reporting:
    """Collects explorations, on the controller from all workers, and hands them to the writers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._results: list[dict[str, Any]] = []
        self._shown = 0.0

    @pytest.hookimpl
    def pytest_report_header(self) -> str:
        """Say what a run can be repeated with."""
        return f"chaos: exploring, seed {options.value(self._config, 'seed') or 0}"

    def progress(self, nodeid: str) -> Callable[[str, int], None]:
        """Return what shows a live line: a count, a rate, what is running; silent in CI and where nobody watches."""
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        quiet = reporter is None or not reporter.isatty or os.environ.get("CI") or hasattr(self._config, "workerinput")
        began = time.monotonic()

        def show(what: str, executions: int) -> None:
            now = time.monotonic()
            if quiet or now - self._shown < _REFRESH_S:
                return
            self._shown = now
            rate = executions / max(now - began, 0.001)
            line = f"{nodeid.rpartition('::')[2]}: {executions} executions, {rate:.0f}/s, {what}"
            self._overwrite(f"{line[:_WIDTH]:<{_WIDTH}}\r")

        return show

    @property
    def _writer(self) -> Any:
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        return reporter._tw

    def _overwrite(self, text: str) -> None:
        """Write over the line that pytest is writing, which does not know of it; past its capture."""
        capture: Any = self._config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            self._writer.write_raw(f"\r{text}", flush=True)

    def _restore_line(self) -> None:
        """Put back what pytest had written there."""
        if self._shown:
            self._overwrite(f"{'':<{_WIDTH}}\r{self._writer._current_line}")
            self._shown = 0.0

    def explored(self, item: pytest.Item, explorations: "list[Exploration]") -> None:
        """Write the recovery report of a finished test; its live line is over."""
        self._restore_line()
        if explorations and self._config.getoption("allure_report_dir", None):
            from ..reports import allure

            allure.write(item, explorations, int(options.value(self._config, "seed") or 0))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over what a test explored, wherever it ran."""
        self._results += getattr(report, "rollproof", [])

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print a statement for each exploration."""
        if self._results:
            terminalreporter.section("chaos")
            for line in terminal.summary(self._results):
                terminalreporter.line(line)
        where = self._config.getoption("allure_report_dir", None)
        if self._results and where:
            config = Path(terminal.__file__).with_name("allurerc.mjs")
            page = f"npx allure@3 generate --config {config} {where}"
            terminalreporter.line(f"recovery report: {where}; as one page: {page}")

    @pytest.hookimpl
    def pytest_sessionfinish(self) -> None:
        """Write the JSON result once, in the controller."""
        path = options.value(self._config, "json")
        if path and not hasattr(self._config, "workerinput"):
            json_file.write(path, int(options.value(self._config, "seed") or 0), self._results)
