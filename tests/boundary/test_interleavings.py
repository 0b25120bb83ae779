"""Two effects in flight together come in both orders, where both can be had; where not, the statement says so."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.engine.interleavings import other_interleavings
from rollproof.twins.rest import RestTwin
from rollproof.values.exploration import Exploration
from rollproof.values.schedule import Schedule

from ..exploring import explored, options
from .stage import Stage

API = "https://api.mail.test"
KILL = (options().known["process.kill"],)
Run = Callable[[Path], Any]


@pytest.fixture(autouse=True)
def mail(stage: Stage) -> RestTwin:
    """A twin of the service."""
    twin = RestTwin(API, token=None, settled=None, seed=0)
    stage.twins.append(twin)
    return twin


async def _gathered(*names: str) -> None:
    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(client.post(f"{API}/{name}", json={}) for name in names))


def _pooled(*names: str) -> None:
    with httpx.Client() as client, ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: client.post(f"{API}/{name}", json={}), names))


async def _grouped(*names: str) -> None:
    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(client.post(f"{API}/{name}", json={}))


async def _in_threads(*names: str) -> None:
    await asyncio.gather(*(asyncio.to_thread(httpx.post, f"{API}/{name}", json={}) for name in names))


SIDE_BY_SIDE = {"gather": _gathered, "pool": _pooled, "group": _grouped, "to_thread": _in_threads}


def _posts(process: Any) -> list[str]:
    return [point.target.partition("/")[2] for point in process.points]


@pytest.mark.parametrize("way", SIDE_BY_SIDE)
def test_the_other_one_goes_first(way: str, stage: Stage) -> None:
    """What came first in the usual order waits at its point until the other one has passed; the run ends as ever."""

    def run() -> Any:
        return SIDE_BY_SIDE[way]("a", "b")

    usual = stage.run_process(run)
    first, second = _posts(usual)
    (injection,), fixed = other_interleavings(usual)
    assert not fixed
    assert str(injection) == f"order.swap@http.post:api.mail.test/{first}#1:before"
    swapped = stage.run_process(run, str(injection))
    assert swapped.outcome.kind == "returned"
    assert _posts(swapped) == [second, first]


def test_of_three_each_two_come_in_both_orders(stage: Stage) -> None:
    """One waits for the next, and for both others."""

    def run() -> Any:
        return _gathered("a", "b", "c")

    seen = {"".join(_posts(stage.run_process(run)))}
    for injection in other_interleavings(stage.run_process(run))[0]:
        seen.add("".join(_posts(stage.run_process(run, str(injection)))))
    assert {(x, y) for order in seen for x in order for y in order if order.index(x) < order.index(y)} == {
        (x, y) for x in "abc" for y in "abc" if x != y
    }


def test_an_effect_after_an_answer_waits_with_it(stage: Stage) -> None:
    """A file that a task writes when its answer is there cannot be held by itself: its answer is."""

    async def one(client: httpx.AsyncClient, name: str) -> None:
        await client.post(f"{API}/{name}", json={})
        (stage.own / name).mkdir()

    async def run() -> None:
        async with httpx.AsyncClient() as client:
            await asyncio.gather(one(client, "a"), one(client, "b"))

    usual = stage.run_process(run)
    assert [p.verb for p in usual.points] == ["post", "mkdir", "post", "mkdir"]
    planned, fixed = other_interleavings(usual)
    assert not fixed
    assert [injection.when for injection in planned] == ["before", "after"]
    swapped = stage.run_process(run, str(planned[1]))
    assert [str(p.target) for p in swapped.points[:3]] == ["api.mail.test/a", "api.mail.test/b", "own/b"]


def test_who_waits_for_a_result_is_not_in_flight(stage: Stage) -> None:
    """Neither a task that awaits another one, nor a thread that joins one, nor an idle worker."""

    async def run() -> None:
        await asyncio.create_task(_gathered("a"))
        await asyncio.wait_for(_gathered("b"), 60)
        await asyncio.gather(asyncio.to_thread((stage.own / "c").mkdir))
        async with asyncio.TaskGroup() as group:
            group.create_task(_gathered("d"))
        _pooled("e")
        thread = threading.Thread(target=(stage.own / "f").mkdir)
        thread.start()
        thread.join()
        (stage.own / "g").mkdir()

    assert other_interleavings(stage.run_process(run)) == ((), set())


def _explored(run: Run, folder: Path, recover: Run | None = None, **changed: Any) -> Exploration:
    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)
        chaos.api(API)
        again = recover or (lambda shared: None)
        chaos.explore(run=lambda: run(shared), recover=lambda: again(shared), allow=lambda world: recover is None)

    return explored(SimpleNamespace(explore=explore), folder, **{"faults": KILL, **changed})


@pytest.mark.parametrize("way", SIDE_BY_SIDE)
def test_both_orders_are_exhaustive(way: str, tmp_path: Path) -> None:
    """Where the other order was tried too, nothing is left out."""
    result = _explored(lambda shared: SIDE_BY_SIDE[way]("a", "b"), tmp_path / "e")
    assert "1 other order of effects side by side" in result.statement
    assert "exhaustive" in result.statement
    assert result.worlds == 4, "none, either, both"


def test_who_cannot_come_first_leaves_the_other_order_untried(tmp_path: Path) -> None:
    """Two threads under one lock: which takes it first is not ours to choose, and the statement says so."""

    def run(shared: Path) -> None:
        lock = threading.Lock()

        def work(name: str) -> None:
            with lock:
                (shared / name).mkdir()

        lock.acquire()
        threads = [threading.Thread(target=work, args=(name,), name=name) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        lock.release()
        for thread in threads:
            thread.join()

    result = _explored(run, tmp_path / "e")
    assert result.skipped == {"held_in_vain": 1}
    assert "; 1 other order could not come" in result.statement
    assert "exhaustive" not in result.statement


def test_what_cannot_be_held_is_said(tmp_path: Path) -> None:
    """Files that tasks write without awaiting anything come in one order."""

    async def run(shared: Path) -> None:
        async def work(name: str) -> None:
            (shared / name).mkdir()

        await asyncio.gather(work("a"), work("b"))

    statement = _explored(run, tmp_path / "e").statement
    assert "tasks side by side, in one order" in statement
    assert "exhaustive" not in statement


def _second_means_both(run: Callable[..., Any]) -> tuple[Run, Run]:
    """Return an agent that goes wrong only where the second call is through and the first one is not."""

    def act(shared: Path) -> Any:
        return run("a", "b")

    def recover(shared: Path) -> None:
        with httpx.Client() as client:
            if not client.get(f"{API}/b").json():
                for name in ("a", "b"):
                    if not client.get(f"{API}/{name}").json():
                        client.post(f"{API}/{name}", json={})

    return act, recover


@pytest.mark.parametrize("way", ["gather", "pool"])
def test_a_bug_of_the_other_order_is_found_and_replayed(way: str, tmp_path: Path) -> None:
    """A kill while the second of two calls has finished and the first has not."""
    run, recover = _second_means_both(SIDE_BY_SIDE[way])
    result = _explored(run, tmp_path / "e", recover)
    (finding,) = result.violations
    assert Schedule.parse(finding.schedule).injections[0].fault == "order.swap"
    assert (result.flaky, result.errors, result.drifted) == ((), (), ())
    again = _explored(run, tmp_path / "r", recover, schedule=Schedule.parse(finding.schedule))
    assert [f.invariants for f in again.violations] == [finding.invariants]


def test_recovery_in_the_other_order(tmp_path: Path) -> None:
    """A crash in a recovery whose second call came first is tried, and its token is replayed."""

    async def run(shared: Path) -> None:
        (shared / "begun").mkdir()
        await _gathered("a", "b")
        (shared / "done").mkdir()

    async def recover(shared: Path) -> None:
        if (shared / "done").exists() or not (shared / "begun").exists():
            return
        async with httpx.AsyncClient() as client:
            there = [name for name in "ab" if (await client.get(f"{API}/{name}")).json()]
            if not there:
                await asyncio.gather(*(client.post(f"{API}/{name}", json={}) for name in "ab"))
        if there == ["a"]:
            await _gathered("b")
        (shared / "done").mkdir()

    result = _explored(run, tmp_path / "e", recover)
    assert result.violations
    token = (
        "process.kill@file.mkdir:shared/begun#1:after + order.swap@recover/http.post:api.mail.test/a#1:before"
        " + process.kill@recover/http.post:api.mail.test/b#1:after"
    )
    again = _explored(run, tmp_path / "r", recover, schedule=Schedule.parse(token))
    assert (again.drifted, len(again.violations)) == ((), 1)


def test_a_fault_of_one_of_two_in_the_other_order(tmp_path: Path) -> None:
    """The second call is through when the first one fails, and its end is not undone."""

    async def run(shared: Path) -> None:
        outcomes = await asyncio.gather(_checked("a"), _checked("b"), return_exceptions=True)
        failed = [isinstance(outcome, Exception) for outcome in outcomes]
        if failed[0]:
            raise RuntimeError("a failed")
        if failed[1]:
            httpx.delete(f"{API}/a/{outcomes[0]}")
            raise RuntimeError("b failed")

    async def _checked(name: str) -> Any:
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"{API}/{name}", json={})
            return answer.raise_for_status().json()["id"]

    refused = (options().known["http.unavailable"],)
    result = _explored(run, tmp_path / "e", lambda shared: None, faults=refused)
    assert any("order.swap" in cell.schedule and "unavailable" in cell.schedule for cell in result.cells)
    assert result.violations


def test_an_order_reads_as_a_sentence() -> None:
    """In reports it is no fault."""
    token = "order.swap.2@http.post:api.mail.test/a#1:before"
    (injection,) = Schedule.parse(token).injections
    assert str(injection) == token
    assert injection.describe() == "post of api.mail.test/a: effects of 2 others pass before it is carried out"
    assert Schedule.parse(token).faults == 0
