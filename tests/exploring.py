"""Explore an agent from a test, whatever comes of it."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.chaos import Chaos
from rollproof.plugin.installed import Builtins
from rollproof.values.exploration import Exploration
from rollproof.values.faults import with_twins
from rollproof.values.options import Options
from rollproof.values.schedule import Schedule


def options(**changed: Any) -> Options:
    """Return the options of ``--chaos`` with everything that comes with Rollproof."""
    faults = with_twins(Builtins().pytest_chaos_faults())
    known = {fault.name: fault for fault in faults}
    invariants = tuple(Builtins().pytest_chaos_invariants())
    usual = tuple(fault for fault in faults if fault.by_default)
    settings = {"active": True, "faults": usual, "known": known, "invariants": invariants}
    settings["twins"] = Builtins().pytest_chaos_twins
    return Options(**{**settings, **changed})


def only(*names: str) -> dict[str, Any]:
    """Return the setting that selects these faults."""
    return {"faults": tuple(options().known[name] for name in names)}


def line_of(file: str, text: str) -> int:
    """Return the only line of a file that begins so."""
    lines = Path(file).read_text().splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if line.strip().startswith(text)]
    assert len(numbers) == 1, numbers
    return numbers[0]


def scenario(name: str, test: str) -> SimpleNamespace:
    """Return the built-in scenario of a name as an agent that `explored` takes; `test` is its function."""
    return SimpleNamespace(explore=getattr(import_module(f"rollproof.scenarios.test_{name}"), test))


def explored(agent: Any, folder: Path, **changed: Any) -> Exploration:
    """Let `agent.explore(chaos, folder)` explore, and return the result even where it fails the test."""
    results: list[Exploration] = []
    folder.mkdir(exist_ok=True)
    try:
        agent.explore(Chaos(options(**changed), "test_it", results.append), folder)
    except pytest.fail.Exception:
        assert results, "the test failed before anything was explored"
    return results[-1]


def replayed(agent: Any, folder: Path, token: str, **changed: Any) -> Exploration:
    """Carry out one schedule truly."""
    return explored(agent, folder, schedule=Schedule.parse(token), **changed)


def two_folders(chaos: Any, folder: Path, own: str = "own") -> tuple[Path, Path]:
    """Make a watched folder, ``shared``, and a private one in `folder`, and return both."""
    shared, private = folder / "shared", folder / own
    shared.mkdir()
    private.mkdir()
    chaos.watch(shared)
    chaos.private(private)
    return shared, private


def in_two_folders(run: Callable[[Path, Path], object]) -> Any:
    """Return an agent whose `run` gets a watched folder, ``shared``, and a private one, ``own``."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        chaos.explore(run=lambda: run(shared, own))

    return SimpleNamespace(explore=explore)


def causes(result: Exploration) -> list[str]:
    """Return the cause of each finding in words: ``twice: http.post:api.mail.test/mails in send``."""
    found = [finding.cause for finding in result.violations if finding.cause is not None]
    return sorted(
        cause.way
        + (f": {cause.effect}" if cause.effect else "")
        + f" in {cause.function}"
        + (f", {cause.exception.partition(' at ')[0]}" if cause.exception else "")
        for cause in found
    )


def breaks(result: Exploration) -> set[str]:
    """Return the names of all invariants that are broken somewhere."""
    return {name for finding in result.violations for name in finding.invariants}
