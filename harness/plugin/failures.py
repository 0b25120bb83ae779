"""The failure of a test that explored, as pytest prints it: once in full, and by its title in lists of tests."""

from typing import Any

import pytest

from ..reports import terminal
from ..reports.layout import WIDTH, plain, write
from ..values.report import ReportedExploration
from .screen import Screen


def mark(report: pytest.TestReport, problem: BaseException, explored: list[ReportedExploration]) -> None:
    """Note in a report which of its explorations failed the test, and let one line stand for it in lists."""
    if not isinstance(problem, terminal.Failed):
        return
    failed = next(n for n, found in enumerate(explored) if found["label"] == problem.label)
    report.rollproof_failed = failed  # type: ignore[attr-defined]
    where = getattr(report.longrepr, "reprcrash", None)
    if where is not None:
        # Where pytest takes itself to be in CI it repeats the whole message in its last lines.
        where.message = terminal.headline(explored[failed])


class FailureText:
    """The text of a failure, made when pytest prints it: for the terminal as it is then.

    Attributes:
        reprcrash: pytest's own record of where the test failed, and with which message.
    """

    def __init__(self, found: ReportedExploration, reprcrash: object, screen: Screen, *, full: bool) -> None:
        self.reprcrash = reprcrash
        self._found, self._screen, self._full = found, screen, full

    def __str__(self) -> str:
        return plain(terminal.failure_lines(self._found, WIDTH, full=self._full))

    def toterminal(self, writer: Any) -> None:
        """Write it with pytest's terminal writer."""
        write(writer, terminal.failure_lines(self._found, self._screen.width, full=self._full))
