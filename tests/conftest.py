"""What every test relies on: pytest inside pytest prints the same on a desk and in CI."""

import pytest


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that this is CI: there pytest repeats every message whole in its summary."""
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
