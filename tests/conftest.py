"""What every test relies on: pytest inside pytest prints the same on a desk and in CI."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2  # noqa: F401
import hypothesis  # noqa: F401  # loaded here once: pytest inside pytest forgets what it imported
import pytest
import requests  # noqa: F401
import rollproof.chaos
import rollproof.engine.explore
import rollproof.network.toxiproxy
import rollproof.plugin.reporting  # noqa: F401
from rollproof.boundary.media.own_requests import end_all

from .brute_forcing import sampled  # noqa: F401  # a fixture

HERE = Path(__file__).parent
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background of a shell; some tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


MARKS = {
    "values": "pure",
    "world": "pure",
    "test_architecture.py": "pure",
    "test_imports.py": "pure",
    "test_marks.py": "pure",
    "test_sites.py": "pure",
    "network": "sockets",
    "twins": "sockets",
    "runtime": "runtime",
    "agents": "agents",
}
"""What tests are, by their folder or file; all others explore."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark each test by its folder: ``pytest -m pure``."""
    place = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
    item.add_marker(MARKS.get(place, "explores"))


@pytest.fixture(autouse=True)
def nothing_declared() -> Iterator[None]:
    """Forget the twins of a `Chaos` that the test made itself: nobody closes it, and they would answer the next."""
    yield
    end_all()


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that this is CI: there pytest repeats every message whole in its summary."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def few_plugins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out of pytest inside pytest what takes it a second to load; `beside` proves that all of them agree."""
    if "pytester" in request.fixturenames and "beside" not in request.fixturenames:
        request.getfixturevalue("pytester")  # forgets the variable
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:faker -p no:hypothesispytest")
