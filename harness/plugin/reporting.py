"""Tell what was explored: the terminal while it runs and at its end, Allure, and every writer that is installed."""

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..boundary.adapters import pytest_session
from ..boundary.process.interrupts import as_exceptions
from ..reports import terminal
from ..values.errors import ChaosError
from ..values.events import Found, ProcessEnded, Reader
from ..values.options import Options
from ..values.replaying import ReplayCommand
from ..values.report import Report, ReportedExploration, Writer, reported
from . import failed_before, options, tracing, workers
from .installed import installed_writers
from .replaying import replay_command

if TYPE_CHECKING:
    from ..values.exploration import Exploration

_REFRESH_S = 0.2
_IN_A_LOG_S = 60.0
_WIDTH = 78


class Reporting:
    """Collects explorations, on the controller from all workers, and hands them to the writers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._results: list[ReportedExploration] = []
        self._shown = 0.0
        self._workers: list[Any] = []
        self._untold: list[ReportedExploration] = []
        self._not_written: dict[int, str] = {}
        self._trace = tracing.reader(config, self._to_the_terminal)
        self.running: tuple[pytest.Item, list[Exploration], ReplayCommand] | None = None

    @pytest.hookimpl
    def pytest_report_header(self) -> str:
        """Say what a run can be repeated with."""
        said = [f"chaos: exploring, seed {options.value(self._config, 'seed') or 0}"]
        return "\n".join([*said, *filter(None, [tracing.said_of_workers(self._config)])])

    def readers(self, item: pytest.Item, found: "list[Exploration]", settings: Options) -> tuple[Reader, ...]:
        """Return what reads the events of a test that begins; `found` receives what it explored."""
        replay = settings.replay or ReplayCommand.of_test(item.nodeid, settings.seed)
        self.running = item, found, replay
        progress, tell = self._progress(item.nodeid), self._found(replay, found)
        return (
            *([] if self._trace is None else [self._trace]),
            Reader((ProcessEnded,), lambda ended: progress(ended.doing, ended.number)),
            Reader((Found,), lambda confirmed: tell(confirmed.so_far)),
        )

    def _progress(self, nodeid: str) -> Callable[[Callable[[], str], int], None]:
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
                self._to_the_terminal(f"chaos: {line}\n")
            else:
                self._between_lines([f"chaos: {line}"])

        return show

    def _found(self, replay: ReplayCommand, earlier: "list[Exploration]") -> "Callable[[Exploration], None]":
        """Return what tells a finding as soon as it is confirmed: the terminal the first one, the writers each.

        `replay` is the command for the test; `earlier` has what it explored before.
        """
        told: set[int] = set()

        def tell(so_far: "Exploration") -> None:
            if hasattr(self._config, "workerinput"):
                return
            self._write([*self._results, *(reported(exploration, replay) for exploration in (*earlier, so_far))])
            if len(earlier) not in told and self._reporter is not None:
                told.add(len(earlier))
                self._between_lines(terminal.first_finding(so_far, replay))

        return tell

    def _to_the_terminal(self, text: str) -> None:
        """Write to where a worker's errors go: its output is its line to the controller."""
        with self._past_capture(), suppress(OSError):
            os.write(2, text.encode(errors="replace"))

    def _between_lines(self, lines: "list[str]") -> None:
        """Write whole lines in the middle of the line that pytest is writing, and begin that one again after them."""
        before = f"{'':<{_WIDTH}}\r" if self._shown else "\n"
        self._overwrite(before + "".join(f"{line}\n" for line in lines) + pytest_session.current_line(self._writer))
        self._shown = 0.0

    @property
    def _reporter(self) -> Any:
        """What writes to the terminal; None with ``-p no:terminal``."""
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

    def _restore_line(self) -> None:
        """Put back what pytest had written there."""
        if self._shown:
            self._overwrite(f"{'':<{_WIDTH}}\r{pytest_session.current_line(self._writer)}")
            self._shown = 0.0

    def explored(self, item: pytest.Item, explorations: "list[Exploration]") -> None:
        """Write the recovery report of a finished test; its live line is over."""
        self.running = None
        self._restore_line()
        if explorations and self._config.getoption("allure_report_dir", None):
            from ..reports import allure

            seed = int(options.value(self._config, "seed") or 0)
            allure.write(item, explorations, seed, replay=replay_command(item, seed))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over what a test explored, wherever it ran."""
        if found := getattr(report, "rollproof", []):
            self._results += found
            self._write(self._results)

    @pytest.hookimpl
    def pytest_keyboard_interrupt(self) -> None:
        """Take over what a test explored until it was interrupted: it gets no report."""
        if self.running is not None:
            item, explorations, replay = self.running
            self._untold = [reported(exploration, replay) for exploration in explorations]
            self._results += self._untold
            self.explored(item, explorations)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Let SIGTERM interrupt the session as Ctrl-C does: it is to tell what was found."""
        with as_exceptions(exploring=False):
            return (yield)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Know the workers of this controller."""
        self._workers.append(node)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print a statement for each exploration, and where the result could not be written."""
        if self._results:
            terminalreporter.section("chaos")
            for line in terminal.summary(self._results):
                missed = line.startswith(terminal.NOT_EXPLORED)
                terminalreporter.line(line, yellow=missed, bold=missed)
        where = self._config.getoption("allure_report_dir", None)
        if self._results and where:
            config = Path(terminal.__file__).with_name("allurerc.mjs")
            page = f"npx allure@3 generate --config {config} {where}"
            terminalreporter.line(f"recovery report: {where}; as one page: {page}")
        for line in self._not_written.values():
            terminalreporter.line(line, red=True)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Generator[None, object, object]:
        """Let the result of the whole session be written, when its workers have ended."""
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            workers.interrupt(self._workers)
            if hasattr(self._config, "workerinput"):
                self._config.workeroutput["rollproof"] = self._untold  # type: ignore[attr-defined]
        result = yield
        self._results += workers.left_untold(self._workers)
        self._write(self._results)
        for line in self._not_written.values() if self._reporter is None else ():  # nobody else would tell it
            self._to_the_terminal(f"{line}\n")
        if not hasattr(self._config, "workerinput") and options.value(self._config, "replay") is None:
            failed_before.keep(self._config, self._results)
        return result

    @cached_property
    def _writers(self) -> Sequence[Writer]:
        """What is installed, asked for when all plugins are there; a worker of pytest-xdist writes nothing."""
        return [] if hasattr(self._config, "workerinput") else installed_writers(self._config)

    def _write(self, results: list[ReportedExploration]) -> None:
        """Hand the whole result to each writer. What prevents one of them costs the session a line, and no other."""
        seed = int(options.value(self._config, "seed") or 0)
        report: Report = {"version": 2, "seed": seed, "explorations": list(results)}
        for number, writer in enumerate(self._writers):
            try:
                writer(report)
                self._not_written.pop(number, None)
            except ChaosError as problem:
                self._not_written[number] = f"chaos: {problem.message}"
            except Exception as problem:  # a writer of somebody else's
                name = getattr(writer, "__qualname__", type(writer).__qualname__)
                text = f"{type(problem).__name__}: {problem}"
                self._not_written[number] = f"chaos: the result could not be written by {name}: {text}"
