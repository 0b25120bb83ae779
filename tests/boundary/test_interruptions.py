"""Ctrl-C, cancellation, refused permissions, full databases: what reaches the agent, and what it can do about it."""

import asyncio
import json
import sqlite3
from contextlib import closing
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import pytest
from rollproof.twins.rest import RestTwin

from ..exploring import explored, options, replayed
from .stage import Stage

MAILS = "https://api.mail.test/mails"


@pytest.fixture
def mail(stage: Stage) -> RestTwin:
    """A twin of the service."""
    twin = RestTwin("https://api.mail.test", token=None, settled=None, seed=0)
    stage.twins.append(twin)
    return twin


@pytest.mark.parametrize(("when", "there"), [("before", False), ("after", True)])
def test_ctrl_c_at_an_effect(stage: Stage, when: str, there: bool) -> None:
    """It is a KeyboardInterrupt that handlers for Exception do not see, and ``finally`` does."""
    seen: list[str] = []

    def run() -> list[str]:
        try:
            try:
                (stage.shared / "a").mkdir()
            except Exception:
                seen.append("except")
            finally:
                seen.append("finally")
        except KeyboardInterrupt:
            seen.append("interrupted")
        return [*seen, str((stage.shared / "a").exists())]

    token = f"process.interrupt@file.mkdir:shared/a#1:{when}"
    assert stage.returned(run, token) == ["finally", "interrupted", str(there)]


@pytest.mark.parametrize(("when", "sent"), [("before", 0), ("after", 1)])
def test_a_task_is_cancelled_while_it_waits(stage: Stage, mail: RestTwin, when: str, sent: int) -> None:
    """The coroutine that waits for an answer ends with CancelledError; who waits for it sees that."""

    async def send() -> None:
        async with httpx.AsyncClient() as client:
            await client.post(MAILS, json={"to": "all"})

    async def run() -> str:
        (outcome,) = await asyncio.gather(send(), return_exceptions=True)
        return type(outcome).__name__

    process = stage.run_process(run, f"process.cancel@http.post:api.mail.test/mails#1:{when}")
    assert process.outcome.value == "CancelledError", process.outcome
    assert len(mail.describe(process.end.services[0]).get("api.mail.test/mails", ())) == sent


def test_a_sync_agent_is_not_cancelled(stage: Stage, mail: RestTwin) -> None:
    """Where no task waits, there is nothing to cancel."""
    from rollproof.engine.plan import errors

    process = stage.run_process(lambda: httpx.post(MAILS, json={}))
    planned = {
        injection.fault for injection, _ in errors(process.points, process.effects, tuple(options().known.values()))
    }
    assert "process.interrupt" in planned
    assert "process.cancel" not in planned


def test_permission_is_denied(stage: Stage) -> None:
    """PermissionError, and nothing was done."""

    def run() -> str:
        try:
            (stage.shared / "a").write_text("x")
        except PermissionError as error:
            return f"{error.errno} {(stage.shared / 'a').exists()}"
        return "written"

    assert stage.returned(run, "storage.denied@file.open:shared/a#1:before") == "13 False"


def test_a_database_is_full(stage: Stage) -> None:
    """SQLite's own error, the statement did nothing, and the transaction can be rolled back."""

    def run() -> object:
        with closing(sqlite3.connect(stage.shared / "a.db")) as db:
            db.execute("CREATE TABLE t (x)")
            try:
                with db:
                    db.execute("INSERT INTO t VALUES (1)")
                    db.execute("INSERT INTO t VALUES (2)")
            except sqlite3.OperationalError as error:
                return [str(error), db.execute("SELECT count(*) FROM t").fetchone()[0]]
        return None

    token = "sqlite.full@sqlite.insert:shared/a.db:t#2:before"
    assert stage.returned(run, token) == ["database or disk is full", 0]


def test_retry_after_as_a_date(stage: Stage, mail: RestTwin) -> None:
    """The second variant names a moment two seconds from the agent's own now."""
    import time

    def run() -> float:
        answer = httpx.post(MAILS, json={})
        return parsedate_to_datetime(answer.headers["retry-after"]).timestamp() - time.time()

    assert -1 <= stage.returned(run, "http.rate_limited.2@http.post:api.mail.test/mails#1:before") - 2 <= 1


def interrupted(*, right: bool) -> Any:
    """Return an agent that takes back a half-done publication on an error; the wrong one forgets Ctrl-C."""
    caught: Any = BaseException if right else Exception

    def publish(shared: Any) -> None:
        try:
            for name in ("a", "b"):
                (shared / name).mkdir()
        except caught:
            for name in ("b", "a"):
                if (shared / name).exists():
                    (shared / name).rmdir()
            raise

    def explore(chaos: Any, folder: Any) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)
        chaos.explore(run=lambda: publish(shared), recover=lambda: None, errors="handled")

    return SimpleNamespace(explore=explore)


def test_an_agent_that_forgets_ctrl_c_is_found_and_one_that_does_not_is_left_alone(tmp_path: Any) -> None:
    """Half of a set stays where only ``except Exception`` takes it back."""
    faults = tuple(fault for name, fault in options().known.items() if name == "process.interrupt")
    wrong = explored(interrupted(right=False), tmp_path / "wrong", faults=faults)
    assert [finding.invariants for finding in wrong.violations] == [("all_or_nothing",)]
    again = replayed(interrupted(right=False), tmp_path / "again", wrong.violations[0].schedule)
    assert [finding.invariants for finding in again.violations] == [("all_or_nothing",)]
    right = explored(interrupted(right=True), tmp_path / "right", faults=faults)
    assert (right.violations, right.errors, right.flaky) == ((), (), ())
    json.dumps(right.as_json())


def test_ctrl_c_never_comes_between_a_write_and_its_buffer(tmp_path: Any) -> None:
    """An interrupted append is there once or not at all, and no interrupt is planned after what failed."""
    journal = tmp_path / "agent" / "journal.txt"

    def append() -> None:
        journal.parent.mkdir(exist_ok=True)
        with open(journal, "a") as file:
            file.write("sent\n")

    def recover() -> None:
        if journal.exists() and journal.read_text().count("sent") > 1:
            raise ValueError("the line stands there twice")
        journal.unlink(missing_ok=True)

    def explore(chaos: Any, folder: Any) -> None:
        journal.parent.mkdir()
        chaos.private(journal.parent)
        chaos.explore(run=append, recover=recover)

    known = {name: fault for name, fault in options().known.items() if name == "process.interrupt"}
    result = explored(SimpleNamespace(explore=explore), tmp_path, faults=tuple(known.values()))
    assert (result.violations, result.drifted) == ((), ())
    assert result.schedules > 0


async def _outcome_of(work: Any) -> str:
    """Return what comes of a task, by the name of its class."""
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    return type(outcome).__name__


def _planned(process: Any) -> set[str]:
    from rollproof.engine.plan import errors

    cancel = (options().known["process.cancel"],)
    return {str(injection) for injection, _ in errors(process.points, process.effects, cancel)}


def test_a_statement_is_carried_out_though_its_task_is_cancelled(stage: Stage) -> None:
    """aiosqlite works in a thread: who awaits it is cancelled, and what it began is done."""
    aiosqlite = pytest.importorskip("aiosqlite")

    async def work() -> None:
        async with aiosqlite.connect(stage.shared / "a.db", isolation_level=None) as db:
            await db.execute("CREATE TABLE IF NOT EXISTS t (x)")
            await db.execute("INSERT INTO t VALUES (1)")

    async def run() -> object:
        outcome = await _outcome_of(work())
        with closing(sqlite3.connect(stage.shared / "a.db")) as db:
            return [outcome, db.execute("SELECT count(*) FROM t").fetchone()[0]]

    token = "process.cancel@sqlite.insert:shared/a.db:t#1:after"
    assert stage.returned(run, token) == ["CancelledError", 1]
    planned = _planned(stage.run_process(run))
    assert token in planned
    assert not any(other.endswith("before") for other in planned)


def test_a_task_is_cancelled_in_its_sleep(stage: Stage) -> None:
    """Between two effects that cannot be cancelled themselves."""

    async def work() -> None:
        (stage.shared / "a").mkdir()
        await asyncio.sleep(1)
        (stage.shared / "b").mkdir()

    async def run() -> object:
        return [await _outcome_of(work()), (stage.shared / "b").exists()]

    assert stage.returned(run, "process.cancel@clock.sleep:asyncio#1:before") == ["CancelledError", False]
    (stage.shared / "a").rmdir()
    assert _planned(stage.run_process(run)) == {"process.cancel@clock.sleep:asyncio#1:before"}


def test_a_sleep_of_a_librarys_own_task_is_no_point(stage: Stage) -> None:
    """Nobody cancels it by itself; a child of the agent, and a sleep through a library in it, can be cancelled."""

    async def pause() -> None:
        await anyio.sleep(1)

    async def child() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 1)  # nothing of the agent's runs in it
            group.start_soon(pause)
            (stage.shared / "a").mkdir(exist_ok=True)

    async def run() -> None:
        await asyncio.gather(child())

    assert _planned(stage.run_process(run)) == {"process.cancel@clock.sleep:asyncio#1:before"}


@pytest.mark.parametrize(("when", "made"), [("before", False), ("after", True)])
def test_a_task_is_cancelled_while_its_program_runs(stage: Stage, when: str, made: bool) -> None:
    """Before it acted, and after it acted."""

    async def work() -> None:
        process = await asyncio.create_subprocess_exec("touch", str(stage.shared / "a"))
        await process.wait()

    async def run() -> object:
        return [await _outcome_of(work()), (stage.shared / "a").exists()]

    assert stage.returned(run, f"process.cancel@process.run:touch#1:{when}") == ["CancelledError", made]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_deadline_of_the_agents_own_comes_before_the_clients(stage: Stage, mail: RestTwin, when: str) -> None:
    """A service that does not answer takes the time that the client waits; a shorter deadline cancels the call."""

    async def run() -> list[str]:
        seen = []
        try:
            async with asyncio.timeout(10), httpx.AsyncClient(timeout=30) as client:
                try:
                    await client.post(MAILS, json={})
                except asyncio.CancelledError:
                    seen.append("cancelled")
                    raise
        except TimeoutError:
            seen.append("deadline")
        return seen

    assert stage.returned(run, f"http.timeout@http.post:api.mail.test/mails#1:{when}") == ["cancelled", "deadline"]


def locking(*, right: bool) -> Any:
    """Return an agent that files a ticket under a lock, within a deadline; the wrong one forgets TimeoutError."""

    async def file_ticket(own: Any) -> None:
        caught: Any = BaseException if right else httpx.HTTPError
        lock = own / "filing.lock"
        try:
            lock.touch(exist_ok=False)
            async with asyncio.timeout(10), httpx.AsyncClient(timeout=30) as client:
                answer = await client.post(MAILS, json={}, headers={"Idempotency-Key": "ticket"})
                answer.raise_for_status()
        except caught:
            lock.unlink(missing_ok=True)
            raise
        lock.unlink()

    def explore(chaos: Any, folder: Any) -> None:
        own = folder / "own"
        own.mkdir()
        chaos.private(own)
        chaos.api("https://api.mail.test")
        chaos.explore(run=lambda: file_ticket(own), recover=lambda: None, errors="handled")

    return SimpleNamespace(explore=explore)


@pytest.mark.parametrize("name", ["http.timeout", "process.cancel"])
def test_a_lock_that_outlives_a_cancelled_call_is_found(name: str, tmp_path: Any) -> None:
    """Whether a deadline cancels the call or somebody else."""
    faults = (options().known[name],)
    wrong = explored(locking(right=False), tmp_path / "wrong", faults=faults)
    assert "no_leftovers" in wrong.violations[0].invariants
    again = replayed(locking(right=False), tmp_path / "again", wrong.violations[0].schedule)
    assert again.violations[0].invariants == wrong.violations[0].invariants
    right = explored(locking(right=True), tmp_path / "right", faults=faults)
    assert (right.violations, right.errors, right.flaky) == ((), (), ())
