"""Times that a library keeps in the test's process, which is later than the virtual clock of an exploration."""

import importlib
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from rollproof.boundary.process import warming
from rollproof.engine.process_runs import BIRTH

from ..exploring import explored, only
from .stage import Stage

LIBRARY = '''
import time

TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
s = ms = us = ns = uuid = float_s = None
NEVER_A_TIME = 2**31 - 1
PRIME = 2**3217 - 1


class Generator:
    shared = None

    def __init__(self):
        self.last_ms = 0


generator = Generator()


def use():
    """Keep the time of this call wherever a library can."""
    now = time.time()
    globals().update({name: int(now * ticks) for name, ticks in TICKS.items()}, float_s=now)
    globals()["uuid"] = int(now * 10**7) + 0x01B21DD213814000
    Generator.shared, generator.last_ms = now, int(now * 1000)


def kept():
    """Return how many seconds ago each of them was."""
    seconds = {name: globals()[name] / ticks for name, ticks in TICKS.items()}
    seconds.update(float_s=float_s, uuid=(uuid - 0x01B21DD213814000) / 10**7)
    seconds.update(shared=Generator.shared, last_ms=generator.last_ms / 1000)
    return {name: time.time() - then for name, then in seconds.items()}


def next_id():
    """Return an id that is larger than all before it, as uuid6 does."""
    global ns
    now = time.time_ns()
    ns = now if ns is None or now > ns else ns + 1
    return ns
'''
MINE = time.time()
MY_OWN = SimpleNamespace(begun=MINE)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An installed library that has not been used yet."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "ids_by_time.py").write_text(LIBRARY)
    monkeypatch.setattr(warming, "_INSTALLED", (f"{packages}/",))
    monkeypatch.syspath_prepend(packages)
    yield importlib.import_module("ids_by_time")
    del sys.modules["ids_by_time"]


def test_what_a_library_keeps_is_a_second_old(library: ModuleType, stage: Stage) -> None:
    """In modules, classes and objects, in all usual ticks; what the agent's own module keeps stays as it is."""
    library.use()
    before = dict(vars(library))
    never = library.NEVER_A_TIME, library.PRIME
    kept, mine, others = stage.returned(
        lambda: (library.kept(), (MINE, MY_OWN.begun), (library.NEVER_A_TIME, library.PRIME)), clock=BIRTH + 7
    )
    assert {name: round(age_s) for name, age_s in kept.items()} == dict.fromkeys(library.kept(), 1)
    assert (mine, others) == ((MINE, MINE), never)
    assert dict(vars(library)) == before, "the test's own process is left alone"


def journal(library: Any) -> Any:
    """Return an agent that stores three steps, each with an id, and goes on after the newest one."""

    def run(path: Path) -> int:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("CREATE TABLE IF NOT EXISTS steps (id INTEGER PRIMARY KEY, step INTEGER)")
            newest = database.execute("SELECT step FROM steps ORDER BY id DESC").fetchone()
            for step in range(newest[0] + 1 if newest else 0, 3):
                database.execute("INSERT INTO steps VALUES (?, ?)", (library.next_id(), step))
        return 3

    def explore(chaos: Any, folder: Path) -> None:
        folder = folder / "shared"
        folder.mkdir()
        chaos.watch(folder)
        chaos.explore(run=lambda: run(folder / "steps.db"))

    return SimpleNamespace(explore=explore)


def test_a_recovery_draws_later_ids_than_the_run(library: Any, tmp_path: Path) -> None:
    """Counted on in each process from the time that the test's process kept, they would be those of the run again."""
    library.next_id()
    result = explored(journal(library), tmp_path / "it", **only("process.kill"))
    assert (result.violations, result.flaky, result.errors) == ((), (), ())
    assert result.closed, result.statement
