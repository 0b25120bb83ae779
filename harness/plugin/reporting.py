"""Tell what was explored: the terminal while it runs and at its end, Allure, and every writer that is installed."""

import os
import sys
import time
from collections.abc import Callable, Generator, Sequence
from functools import cached_property, partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import pytest

from ..boundary.process.interrupts import as_exceptions
from ..reports import dry_run, layout, terminal
from ..reports.durations import durations
from ..reports.files import written
from ..values.dry_run import DryRun
from ..values.errors import ChaosError
from ..values.events import Found, Judged, ProcessEnded, Reader, StillRunning
from ..values.options import Options
from ..values.replaying import ReplayCommand
from ..values.report import Report, ReportedExploration, Writer
from ..values.runs import Runs
from . import failed_before, options, runs, tracing, workers
from .failures import FailureText
from .installed import installed_writers
from .screen import Screen

if TYPE_CHECKING:
    from ..values.exploration import Exploration

    _Told = Callable[[Exploration], ReportedExploration]
    _ToldLive = dict[int, dict[str, str]]  # the title that each finding had when it was found, by its exploration


_OF_ALLURE = 1_000_000  # of what was not written, beside the numbers of the writers


class Reporting:
    """Collects explorations, on the controller from all workers, and hands them to the writers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._results: list[ReportedExploration] = []
        self._screen = Screen(config)
        self._workers: list[Any] = []
        self._untold: list[ReportedExploration] = []
        self._not_written: dict[int, str] = {}
        self._dry_run, self._counted = options.flag(config, "dry-run"), list[DryRun]()
        self._trace = tracing.reader(config, self._screen.write)
        self.running: tuple[list[Exploration], _Told, _ToldLive] | None = None

    @pytest.hookimpl
    def pytest_report_header(self) -> str:
        """Return the header lines, with the seed by which a run can be repeated."""
        doing = "dry run, nothing is explored" if self._dry_run else "exploring"
        said = [f"chaos: {doing}, seed {options.value(self._config, 'seed') or 0}"]
        return "\n".join([*said, *filter(None, [tracing.said_of_workers(self._config)])])

    def readers(self, item: pytest.Item, found: "list[Exploration]", settings: Options) -> tuple[Reader, ...]:
        """Return the readers of the events of a test that begins; `found` receives what it explored."""
        replay = settings.replay or ReplayCommand.of_test(item.nodeid, settings.seed)
        told: _ToldLive = {}
        self.running = found, partial(settings.runs.reported, replay=replay), told
        progress, tell = self._screen.progress(item.nodeid), self._found(replay, found, settings.runs, told)
        return (
            *([] if self._trace is None else [self._trace]),
            Reader(
                (ProcessEnded, StillRunning),
                lambda process: progress.at(process.doing, process.number - process.beside),
            ),
            Reader((Judged,), lambda judged: progress.show()),
            Reader((Found,), lambda confirmed: tell(confirmed.so_far)),
        )

    def _found(
        self, replay: ReplayCommand, earlier: "list[Exploration]", runs: Runs, told: "_ToldLive"
    ) -> "Callable[[Exploration], None]":
        """Return the function that tells a finding, once it is confirmed, to the terminal and to the writers.

        `replay` is the command for the test; `earlier` has what it explored before; `told` receives what is told.
        """

        def tell(so_far: "Exploration") -> None:
            found = runs.reported(so_far, replay)
            lines = terminal.found_lines(found, told.setdefault(len(earlier), {}), self._screen.width)
            if not hasattr(self._config, "workerinput"):
                self._write([*self._results, *(runs.reported(exploration, replay) for exploration in earlier), found])
            self._screen.say(lines)

        return tell

    def ended(self, explored: Sequence[ReportedExploration] = ()) -> None:
        """End the live line of the test that was running, and tell which titles of what it explored have changed."""
        told = {} if self.running is None else self.running[2]
        self.running = None
        for number, found in enumerate(explored):
            self._screen.say(terminal.retitled_lines(found, told.get(number, {}), self._screen.width))
        self._screen.restore()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take over what a test explored, wherever it ran, and why it failed."""
        if found := getattr(report, "rollproof", []):
            self._results += found
            self._write(self._results)
        self._counted += getattr(report, "rollproof_dry_run", [])
        failed = getattr(report, "rollproof_failed", None)
        if failed is not None and not hasattr(self._config, "workerinput"):
            full = self._config.get_verbosity() > 0 and options.value(self._config, "replay") is not None
            crash = getattr(report.longrepr, "reprcrash", None)
            report.longrepr = FailureText(found[failed], crash, self._screen, full=full)  # type: ignore[assignment]

    @pytest.hookimpl
    def pytest_keyboard_interrupt(self) -> None:
        """Take over what a test explored until it was interrupted: it gets no report."""
        if self.running is not None:
            explorations, told, _ = self.running
            self._untold = [told(exploration) for exploration in explorations]
            self._results += self._untold
            self.ended()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Make SIGTERM interrupt the session as Ctrl-C does: it is to tell what was found."""
        with as_exceptions(exploring=False):
            return (yield)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Remember a worker of this controller."""
        self._workers.append(node)

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print a statement for each exploration, and where the result could not be written."""
        if self._counted:
            terminalreporter.section("chaos: dry run")
            for line in dry_run.lines(self._counted, self._screen.width, self._config.get_verbosity()):
                terminalreporter.line(line)
        if self._results:
            terminalreporter.section("chaos")
            verbosity = self._config.get_verbosity()
            layout.write(self._screen.writer, terminal.summary(self._results, self._screen.width, verbosity))
            for line in (*runs.told(self._config, self._results), *_durations(self._config, self._results)):
                terminalreporter.line(line)
            failed = " ".join(self._not_written.values())
            terminalreporter.write("".join(f"written: {line}\n" for line in _files(self._config, failed)))
        where = self._config.getoption("allure_report_dir", None)
        if self._results and where:
            config = Path(terminal.__file__).with_name("allurerc.mjs")
            page = f"npx allure@3 generate --config {quote(str(config))} --output allure-report {quote(where)}"
            mended = f"{Path(sys.executable).name} -m rollproof.reports.allure_page allure-report/index.html"
            terminalreporter.line(f"recovery report: {where}; as one page: {page} && {mended}")
        for line in self._not_written.values():
            terminalreporter.line(line, red=True)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Generator[None, object, object]:
        """Write the result of the whole session, when its workers have ended."""
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            workers.interrupt(self._workers)
            if hasattr(self._config, "workerinput"):
                self._config.workeroutput["rollproof"] = self._untold  # type: ignore[attr-defined]
        result = yield
        self._results += workers.left_untold(self._workers)
        self._write(self._results)
        self._write_allure()
        for line in self._not_written.values() if not self._screen.is_there else ():  # nobody else would tell it
            self._screen.write(f"{line}\n")
        if not hasattr(self._config, "workerinput") and options.value(self._config, "replay") is None:
            failed_before.keep(self._config, self._results)
            runs.keep(self._config, self._results)
        return result

    def _write_allure(self) -> None:
        """Write the recovery report where ``--alluredir`` wants it: once, as a worker that is replaced clears it."""
        where = self._config.getoption("allure_report_dir", None)
        if not where or not self._results or hasattr(self._config, "workerinput"):
            return
        from ..reports import allure

        folder = self._config.invocation_params.dir / where
        try:
            write = partial(allure.write, folder, self._report(self._results), os.environ, int(time.time() * 1000))
            written(where, "--alluredir", write)
        except ChaosError as problem:
            self._not_written[_OF_ALLURE] = f"chaos: {problem.message}"

    @cached_property
    def _writers(self) -> Sequence[Writer]:
        """The installed writers, asked for when all plugins are there; a worker and a dry run write nothing."""
        if hasattr(self._config, "workerinput") or self._dry_run:
            return []
        writers, problems = installed_writers(self._config)
        told = (
            f"chaos: no writer of {name}: {type(problem).__name__}: {problem}" for name, problem in problems.items()
        )
        self._not_written.update({-number: line for number, line in enumerate(told, 1)})
        return writers

    def _write(self, results: list[ReportedExploration]) -> None:
        """Hand the whole result to each writer. What prevents one of them costs the session a line, and no other."""
        report = self._report(results)
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

    def _report(self, results: list[ReportedExploration]) -> Report:
        seed = int(options.value(self._config, "seed") or 0)
        return {"version": 2, "seed": seed, "explorations": list(results)}


def _durations(config: pytest.Config, results: Sequence[ReportedExploration]) -> list[str]:
    count = options.value(config, "durations")
    return durations(results, int(count)) if count is not None else []


def _files(config: pytest.Config, failed: str) -> list[str]:
    """Return the files that were written, each with the option that wanted it; `failed` says which were not."""
    paths = {f"--chaos-{name}": options.value(config, name) for name in ("json", "html")}
    return [f"{path} ({option})" for option, path in paths.items() if path and f"({option})" not in failed]
