"""The project that a command is about: its root and its cache, as pytest finds them."""

import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from ..values import known
from ..values.errors import ChaosError


@dataclass(frozen=True, slots=True)
class Project:
    """The project that a command is about: pytest's root, and its cache, None where that is turned off."""

    root: Path
    cache: Path | None

    @property
    def file(self) -> Path:
        """Return the file of known findings."""
        return self.root / known.FILE

    def text(self) -> str:
        """Return the text of the file of known findings; "" without such a file."""
        return known.text_of(self.file)

    def kept(self, key: str) -> Any:
        """Return the value that pytest's cache keeps under a key; None without one that can be read."""
        try:
            return json.loads((self.cache / "v" / key).read_bytes()) if self.cache is not None else None
        except (OSError, ValueError):
            return None


class _Asked:
    """Asks pytest, which finds its root, its ini file and its cache by rules of its own."""

    def __init__(self) -> None:
        self.project: Project | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        """Take note of where things are, and let nothing run."""
        cached = config.pluginmanager.has_plugin("cacheprovider")
        self.project = Project(config.rootpath, config.rootpath / config.getini("cache_dir") if cached else None)
        return 0


def project() -> Project:
    """Return the project of the folder that we are in; raises ChaosError where pytest does not start there."""
    asked = _Asked()
    pytest.main([], plugins=[asked])
    if asked.project is None:
        raise ChaosError("no-project", "pytest does not start here: it said why", "commands are about a project of its")
    return asked.project


class Case:
    """Asks pytest, which alone knows the parameters of a test, for those of one case.

    Attributes:
        values: of each parameter, by its name; None where pytest does not collect the case.
        fixtures: the names of those that a fixture receives, and not the test's function.
    """

    def __init__(self, test: str) -> None:
        self.values: dict[str, object] | None = None
        self.fixtures: set[str] = set()
        with redirect_stdout(StringIO()):  # what it collects
            pytest.main([test, "--collect-only", "-qq"], plugins=[self])

    @pytest.hookimpl
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take note of the case."""
        for item in session.items:
            case = getattr(item, "callspec", None)
            if case is not None and len(session.items) == 1:
                self.values = dict(case.params)
                self.fixtures = {*self.values} - {
                    name for mark in item.iter_markers("parametrize") for name in _own(mark)
                }


def _own(mark: pytest.Mark) -> list[str]:
    """Return the names among a mark's that the function itself receives."""
    named = mark.args[0] if mark.args else mark.kwargs["argnames"]
    names = [name.strip() for name in named.split(",")] if isinstance(named, str) else list(named)
    indirect = mark.kwargs.get("indirect", mark.args[2] if len(mark.args) > 2 else False)
    return [] if indirect is True else [name for name in names if not indirect or name not in indirect]
