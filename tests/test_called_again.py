"""An error in a worker: the process that it leaves is called again, in the memory that it left."""

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.chaos import Chaos
from rollproof.values.exploration import Exploration

from .exploring import breaks, causes, explored, only, replayed
from .mutants import right_lease_that_runs_out

ERROR = only("http.server_error")
TOKEN = "http.server_error@http.post:api.mail.test/mails#1:before"
SENT: set[str] = set()
POOL = ThreadPoolExecutor(1)


def post() -> None:
    """Send the mail; sending it again does nothing more."""
    key = {"Idempotency-Key": "solar"}
    httpx.post("https://api.mail.test/mails", json={"about": "solar"}, headers=key).raise_for_status()


def is_held(lock: Path) -> bool:
    """Return whether a process that is alive holds it."""
    holder = lock.read_text() if lock.exists() else ""
    return bool(holder) and Path(f"/proc/{holder}").exists()


def locked(lock: Path, work: Callable[[], object], *, unlocks: bool) -> None:
    """Work while a lock names this process; what `unlocks` takes it away whatever comes."""
    if is_held(lock):
        raise RuntimeError("the task is locked")
    lock.with_suffix(".tmp").write_text(str(os.getpid()))
    lock.with_suffix(".tmp").replace(lock)
    try:
        work()
    except Exception:
        if unlocks:
            lock.unlink()
        raise
    lock.unlink()


def mail_once(shared: Path, remember_at: str) -> None:
    """Mail what is in a file, then move that; a mail that this process knows to be sent is not sent again."""
    (shared / "solar.todo").write_text("mail")
    if "solar" not in SENT:
        if remember_at == "before":
            SENT.add("solar")
        post()
        SENT.add("solar")
    (shared / "solar.todo").replace(shared / "solar.done")


async def mail_asynchronously(shared: Path, remember_at: str) -> None:
    """Do the same in a task."""
    await asyncio.sleep(0.1)
    await asyncio.to_thread(mail_once, shared, remember_at)


def agent(work: Callable[[Path], Any], **settings: Any) -> SimpleNamespace:
    """Return an agent that works in one watched folder; what is no `recover` of its own is `work` again."""

    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)
        chaos.api("https://api.mail.test")
        own = {"recover": lambda: work(shared)} if settings.get("recover") else {}
        chaos.explore(run=lambda: work(shared), **{**settings, **own})

    return SimpleNamespace(explore=explore)


def with_lock(*, unlocks: bool, work: Callable[[], object] = post, **settings: Any) -> SimpleNamespace:
    """Return the agent with a lock."""
    return agent(lambda shared: locked(shared / "task.lock", work, unlocks=unlocks), **settings)


def told(result: Exploration) -> str:
    """Return what the only finding says."""
    (finding,) = result.violations
    return finding.message


def test_a_lock_of_the_process_that_goes_on_is_found(tmp_path: Path) -> None:
    """A new process takes it over; the one that made it is refused for ever. The words and the replay say which."""
    result = explored(with_lock(unlocks=False), tmp_path / "explored", **ERROR)
    assert breaks(result) == {"all_or_nothing", "no_leftovers", "recovery_succeeds"}
    assert causes(result) == ["left over: file.replace:shared/task.lock in locked, RuntimeError"]
    assert "run called again in the same process after the error HTTPStatusError" in told(result)
    assert [heading for heading, _ in result.violations[0].phases][1:3] == [
        "run",
        "recover (run again in the same process)",
    ]
    again = replayed(with_lock(unlocks=False), tmp_path / "replayed", result.violations[0].schedule)
    assert (again.violations[0].invariants, again.violations[0].message) == (
        result.violations[0].invariants,
        told(result),
    )
    assert result.schedules == 2 < result.executions


def test_a_lock_that_is_taken_away_accuses_nobody(tmp_path: Path) -> None:
    """Neither by itself nor asked for with a recovery of one's own; its second call counts as one more execution."""
    for settings in ({}, {"errors": "worker", "recover": True}):
        result = explored(with_lock(unlocks=True, **settings), tmp_path / str(len(settings)), **ERROR)
        assert (result.violations, result.errors, result.flaky) == ((), (), ())


@pytest.mark.parametrize("settings", [{"errors": "restart"}, {"recover": True}, {"errors": "handled"}])
def test_where_no_worker_goes_on_nothing_is_called_again(tmp_path: Path, settings: dict[str, Any]) -> None:
    """With ``errors="restart"`` and with a `recover` a new process follows; with ``"handled"`` none."""
    result = explored(with_lock(unlocks=False, **settings), tmp_path, **ERROR)
    assert "same process" not in "".join(finding.message for finding in result.violations)
    assert bool(result.violations) == (settings == {"errors": "handled"})


def mail_what_is_pending(pending: list[str]) -> None:
    """Send first what this process has not sent yet; a mail without a key of its own comes twice."""

    def send(about: str) -> None:
        httpx.post("https://api.mail.test/mails", json={"about": about}).raise_for_status()

    for one in pending:
        send(one)
    pending[:] = ["solar"]
    send("solar")
    pending.clear()


def test_one_effect_that_comes_twice_in_both_processes_is_one_finding(tmp_path: Path) -> None:
    """By one token, whatever call leads there: the process that goes on remembers, and a new one does not."""
    pending: list[str] = []
    result = explored(agent(lambda _: mail_what_is_pending(pending)), tmp_path, **only("http.timeout"))
    (also,) = (line for line in told(result).splitlines() if "so it is with run called again" in line)
    assert "in the same process" in also
    assert "in mail_what_is_pending" in also


def test_with_a_recovery_a_worker_is_asked_for(tmp_path: Path) -> None:
    """``errors="worker"`` calls `recover` in the process that the error left, too."""
    result = explored(with_lock(unlocks=False, errors="worker", recover=True), tmp_path, **ERROR)
    assert "recover called in the same process after the error" in told(result)


def test_who_is_interrupted_ends(tmp_path: Path) -> None:
    """Ctrl-C ends the worker with its process: only a new one comes after it."""
    result = explored(with_lock(unlocks=False), tmp_path, **only("process.interrupt"))
    assert result.schedules > 4
    assert not result.violations


@pytest.mark.parametrize("work", [mail_once, mail_asynchronously])
def test_memory_that_an_error_left_wrong_is_met(tmp_path: Path, work: Callable[[Path, str], Any]) -> None:
    """What is remembered before it is done is never done; sync and async. A replay and brute force find it, too."""
    wrong = agent(lambda shared: work(shared, "before"))
    result = explored(wrong, tmp_path / "wrong", **ERROR)
    assert breaks(result) == {"all_or_nothing", "recovery_idempotent"}
    assert "in the same process" in told(result)
    assert breaks(replayed(wrong, tmp_path / "replayed", TOKEN)) == breaks(result)
    assert causes(explored(wrong, tmp_path / "unmerged", reduce=False, **ERROR)) == causes(result)
    right = explored(agent(lambda shared: work(shared, "after")), tmp_path / "right", **ERROR)
    assert (right.violations, right.errors, right.flaky) == ((), (), ())


def test_a_thread_of_the_first_call_works_for_the_second(tmp_path: Path) -> None:
    """A pool that a restart has to wait for is there when the process goes on, also where a cure is tried."""
    wrong, right = (with_lock(unlocks=unlocks, work=lambda: POOL.submit(post).result()) for unlocks in (False, True))
    result = explored(wrong, tmp_path / "wrong", **ERROR)
    assert "in the same process" in told(result)
    assert not result.violations[0].cure.helps, "a new process takes the lock over, whatever is changed"
    assert not explored(right, tmp_path / "right", **ERROR).violations


def test_a_lease_runs_out_in_the_same_process_too(tmp_path: Path) -> None:
    """A call that meets a live lease is early: the process is called once more when that has run out."""
    result = explored(right_lease_that_runs_out, tmp_path, **only("storage.full"))
    assert (result.violations, result.errors, result.flaky) == ((), (), ())


@pytest.mark.parametrize("joins", [True, False])
def test_a_thread_that_was_told_to_end_is_not_left(tmp_path: Path, joins: bool) -> None:
    """Whether it has ended when the error leaves `run` is the machine's affair: as many processes run either way."""

    def run(shared: Path) -> None:
        orders: queue.Queue[Path | None] = queue.Queue()
        answers: queue.Queue[OSError | None] = queue.Queue()

        def work() -> None:
            while (order := orders.get()) is not None:
                try:
                    order.mkdir(exist_ok=True)
                    answers.put(None)
                except OSError as problem:
                    answers.put(problem)

        worker = threading.Thread(target=work)
        worker.start()
        orders.put(shared / "a")
        failed = answers.get()
        orders.put(None)
        if joins:
            worker.join()
        if failed is not None:
            raise failed

    def explore(chaos: Chaos, folder: Path) -> None:
        (folder / "shared").mkdir()
        chaos.watch(folder / "shared")
        chaos.explore(run=lambda: run(folder / "shared"))

    found = explored(SimpleNamespace(explore=explore), tmp_path / "a", **only("storage.full"))
    assert (found.executions, found.violations) == (6, ())
