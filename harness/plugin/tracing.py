"""``--chaos-trace``: what happens, line by line, in a file or on the terminal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ..reports.trace import Trace
from ..values.errors import ChaosError
from ..values.events import Reader
from . import options
from .readers import TERMINAL


def reader(config: pytest.Config, to_the_terminal: Callable[[str], None]) -> Reader | None:
    """Return the reader that writes the trace of a session; None if none was asked for, or none can be shown here.

    A worker of pytest-xdist, which has no terminal, writes ``FILE.gw0``.
    """
    asked = options.value(config, "trace")
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if asked is None or (worker and asked == TERMINAL):
        return None
    if asked == TERMINAL:
        return Trace(to_the_terminal).reader
    path = config.invocation_params.dir / f"{asked}{f'.{worker}' if worker else ''}"
    return Trace(_Appended(path)).reader


def said_of_workers(config: pytest.Config) -> str:
    """Return the line for a trace on the terminal when workers of pytest-xdist run the tests; "" for any other."""
    if options.value(config, "trace") != TERMINAL or not getattr(config.option, "tx", None):
        return ""
    return "chaos: no trace, workers have no terminal: --chaos-trace=FILE makes each write FILE.gw0, FILE.gw1 …"


class _Appended:
    """A file that is begun anew with the first text, and open only while one is written: no agent can reach it."""

    def __init__(self, path: Path) -> None:
        self._path, self._begun = path, False

    def __call__(self, text: str) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "a" if self._begun else "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as problem:
            hint = "explore without --chaos-trace, or name another file"
            raise ChaosError("bad-file", f"{self._path} cannot be written: {problem} (--chaos-trace)", hint) from None
        self._begun = True
