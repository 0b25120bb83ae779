"""A small outside for one test."""

from pathlib import Path

import pytest

from .stage import Stage


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A watched folder, a private one, one that is neither, and somebody who runs agents there."""
    monkeypatch.chdir(tmp_path)
    return Stage(tmp_path)
