"""What a child imported late is imported once, by the parent."""

import sys
from pathlib import Path

import pytest
from rollproof.boundary.process import warming


def test_an_environment_may_lie_in_a_folder_that_has_our_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout of a fork is called ``rollproof``: what is installed below it is installed, and imported once."""
    packages = tmp_path / "rollproof" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "imported_late.py").touch()
    (tmp_path / "of_the_agent.py").touch()
    monkeypatch.setattr(warming, "_INSTALLED", (f"{packages}/",))
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(packages), *sys.path])
    before = len(sys.modules)
    __import__("of_the_agent")
    __import__("imported_late")
    try:
        assert warming.late_modules(before) == ("imported_late",)
    finally:
        del sys.modules["of_the_agent"], sys.modules["imported_late"]
