"""A result as text once more: what its session printed at its end, and each finding."""

from collections.abc import Iterator, Sequence

from rollproof.values.report import ReportedExploration

from . import terminal
from .layout import WIDTH, Line, plain


def lines(explorations: Sequence[ReportedExploration], verbosity: int = 0) -> Iterator[str]:
    """Yield the lines of explorations: at -1 one for each test, from 1 on with the whole stories, grids and cells."""
    yield plain(_lines(explorations, verbosity))


def _lines(explorations: Sequence[ReportedExploration], verbosity: int) -> list[Line]:
    if verbosity < 0:
        return terminal.summary(explorations, WIDTH, verbosity)
    found: list[Line] = []
    for exploration in explorations:
        found += terminal.summary([exploration], WIDTH, verbosity)
        failed = terminal.failure_lines(exploration, WIDTH, full=verbosity > 0)
        found += [(("", ""),), *failed] if failed else []
        found.append((("", ""),))
    return found[:-1]


def is_broken(exploration: ReportedExploration) -> bool:
    """Return whether its test fails: something is broken that is not known, or could not be judged."""
    unknown = [violation for violation in exploration["violations"] if not violation["known"]]
    others = ("drifted", "errors", "flaky", "interrupted")
    return bool(unknown) or any(exploration[name] for name in others)  # type: ignore[literal-required]


def name_of(exploration: ReportedExploration) -> str:
    """Return the test, and what tells the exploration apart within it."""
    label = exploration["label"] or exploration["name"]
    return f"{exploration['test']}{f' [{label}]' if label else ''}"
