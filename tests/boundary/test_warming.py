"""What a child imported late is imported once, by the parent, and what the parent holds is cheap to fork."""

import gc
import sys
import weakref
from pathlib import Path

import pytest
from rollproof.boundary.process import memory, warming


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
        late = warming.late_modules(before)
        assert late == ("imported_late",)
        assert not warming.import_modules(late), "it is here: processes that were forked before have it, too"
        del sys.modules["imported_late"]
        assert warming.import_modules(late)
    finally:
        del sys.modules["of_the_agent"], sys.modules["imported_late"]


def test_garbage_of_earlier_explorations_goes_where_there_is_much_of_it() -> None:
    """Not at each exploration: going through all objects is dear."""
    memory.settle()
    try:
        garbage = {"more": [[n] for n in range(gc.get_freeze_count() // 2)]}
        first = type("First", (), garbage)
        seen = weakref.ref(first)
        gc.freeze()
        gc.unfreeze()  # it is as old as all others
        del first, garbage
        memory.settle()
        assert seen() is None
    finally:
        gc.unfreeze()
