"""A race of the fault-free run: two orders of it end differently, and neither end is called right."""

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.reports.layout import plain
from rollproof.reports.terminal import failure_lines
from rollproof.values.exploration import Exploration
from rollproof.values.replaying import ReplayCommand
from rollproof.values.report import reported

from .exploring import causes, explored, only, replayed

NOTHING_STRIKES = only("subprocess.killed")
RACE = "no fault is needed: two orders of one run end differently"


def add(path: Path, name: str, lock: AbstractContextManager[object]) -> None:
    """Add a name to a list in a file, which is read, and replaced as a whole."""
    with lock:
        names = json.loads(path.read_text())
        draft = path.with_name(f"{name}.tmp")
        try:
            draft.write_text(json.dumps(sorted([*names, name])))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    if not isinstance(lock, nullcontext):
        path.with_name(f"{name}.txt").touch()  # beside the other's: here the order is another one, and says nothing


def agent(make_lock: Callable[[], Any] = nullcontext, **settings: Any) -> SimpleNamespace:
    """Return an agent in which two threads add a name each."""

    def work(path: Path) -> None:
        lock = make_lock()
        threads = [threading.Thread(target=add, args=(path, name, lock), name=name) for name in ("Ada", "Cem")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        (shared / "names.json").write_text("[]")
        chaos.watch(shared)
        chaos.explore(run=lambda: work(shared / "names.json"), retry=False, **settings)

    return SimpleNamespace(explore=explore)


def at_a_service() -> SimpleNamespace:
    """Return an agent in which two tasks count up what a service keeps."""

    async def count(client: httpx.AsyncClient) -> None:
        (counter,) = (await client.get("/counters")).json()
        await client.patch(f"/counters/{counter['id']}", json={"n": counter["n"] + 1})

    async def work() -> None:
        async with httpx.AsyncClient(base_url="https://api.count.test") as client:
            await client.post("/counters", json={"n": 0}, headers={"Idempotency-Key": "the one"})
            await asyncio.gather(count(client), count(client))

    def explore(chaos: Any, folder: Path) -> None:
        chaos.api("https://api.count.test")
        chaos.explore(run=work, retry=False)

    return SimpleNamespace(explore=explore)


def told(result: Exploration) -> str:
    """Return what a person reads."""
    return plain(failure_lines(reported(result, ReplayCommand("test_it")), 1000))


def test_two_orders_that_end_differently_come_first(tmp_path: Path) -> None:
    """It is told before any fault, with both ends; its token replays it."""
    result = explored(agent(), tmp_path / "explored", **NOTHING_STRIKES)
    assert causes(result) == ["by order: file.replace:shared/names.json in add"]
    (race,) = result.violations
    assert race.diff == (
        """in the usual order: ~ shared/names.json: [0]: 'Cem' instead of 'Ada'""",
        """in the other order: ~ shared/names.json: [0]: 'Ada' instead of 'Cem'""",
    )
    assert RACE in told(result)
    assert "complete run" not in told(result)
    first = explored(agent(), tmp_path / "first", first=True)
    assert (causes(first), first.executions) == (causes(result), 4)
    again = replayed(agent(), tmp_path / "replayed", race.schedule)
    assert [(found.message, found.diff) for found in again.violations] == [(race.message, race.diff)]


def test_what_a_fault_makes_of_a_race_is_the_race(tmp_path: Path) -> None:
    """Where the fault ends as the other order does, or as nobody knows to be right, there is no second finding."""
    result = explored(agent(), tmp_path, **only("storage.full"))
    assert [finding.cause.way for finding in result.violations if finding.cause] == ["by order"]
    assert {cell.fault for cell in result.cells if cell.invariants} == {"order.swap", "storage.full"}


def test_what_a_fault_tears_is_told_besides(tmp_path: Path) -> None:
    """A race comes before what was found with fewer or likelier faults, and hides nothing else."""

    def torn(path: Path, name: str, lock: object) -> None:
        names = json.loads(path.read_text() or "[]")
        path.write_text(json.dumps(sorted([*names, name])))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "add", torn)
        result = explored(agent(), tmp_path, **only("storage.full"))
    ways = [finding.cause.way for finding in result.violations if finding.cause]
    assert (ways[0], "torn" in ways[1:]) == ("by order", True)


def test_a_lost_update_at_a_service(tmp_path: Path) -> None:
    """Two tasks that read, then write, one after the other or side by side."""
    result = explored(at_a_service(), tmp_path, **NOTHING_STRIKES)
    assert [finding.cause.way for finding in result.violations if finding.cause] == ["by order"]


@pytest.mark.parametrize("right", [agent(threading.Lock), agent(allow=lambda world: True)])
def test_orders_that_end_alike_are_no_race(tmp_path: Path, right: SimpleNamespace) -> None:
    """Where a lock is held while the list is read and replaced, and where `allow` takes what comes of it."""
    result = explored(right, tmp_path, **NOTHING_STRIKES)
    assert (result.violations, result.errors, result.flaky) == ((), (), ())
