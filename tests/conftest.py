"""What every test relies on: pytest inside pytest prints the same on a desk and in CI."""

import httpx2  # noqa: F401
import hypothesis  # noqa: F401  # loaded here once: pytest inside pytest forgets what it imported
import pytest
import requests  # noqa: F401
import rollproof.chaos
import rollproof.engine.explore
import rollproof.network.toxiproxy
import rollproof.plugin.reporting  # noqa: F401


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that this is CI: there pytest repeats every message whole in its summary."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
