"""The contract's sentences on what a fault means, where it could be read in two ways: each tried on a small agent."""

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.values.exploration import Exploration

from .exploring import explored, options, replayed, two_folders

API = "https://api.mail.test"
Step = Callable[[Path], Any]


def agent(run: Step, recover: Step | None = None, **settings: Any) -> Any:
    """Return an agent with one watched folder, one private one (`own` beside it) and one service."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, _ = two_folders(chaos, folder)
        chaos.api(API, token="key")
        again = None if recover is None else lambda: recover(shared)
        chaos.explore(run=lambda: run(shared), recover=again, **settings)

    return SimpleNamespace(explore=explore)


def post(name: str) -> None:
    """Create one thing, once however often."""
    headers = {"Authorization": "Bearer key", "Idempotency-Key": name}
    httpx.post(f"{API}/things", json={"name": name}, headers=headers).raise_for_status()


def with_fault(name: str, one: Any, folder: Path, **changed: Any) -> Exploration:
    """Explore with one fault."""
    return explored(one, folder, faults=(options().known[name],), **changed)


def test_a_swallowed_fault_is_judged_as_it_is(tmp_path: Path) -> None:
    """Where `run` returned, no recovery repairs it."""

    def run(shared: Path) -> None:
        try:
            post("a")
        except httpx.HTTPError:
            (shared / "half").touch()

    def recover(shared: Path) -> None:
        (shared / "half").unlink(missing_ok=True)

    result = with_fault("http.server_error", agent(run, recover), tmp_path / "e")
    assert result.violations[0].invariants == ("all_or_nothing",)


def test_a_new_process_has_its_own_random_stream_pid_and_clock(tmp_path: Path) -> None:
    """What `recover` draws is not what `run` drew, its pid is another one, and it is later."""

    def facts(shared: Path) -> str:
        return f"{uuid.uuid4()} {os.urandom(4).hex()} {os.getpid()} {time.time()}"

    def run(shared: Path) -> None:
        (shared.parent / "own" / "run").write_text(facts(shared))
        (shared / "done").touch()

    def recover(shared: Path) -> None:
        before = shared.parent / "own" / "run"
        if before.exists() and before.read_text().count(" ") == 3:
            old, new = before.read_text().split(), facts(shared).split()
            assert not set(old) & set(new)
            assert float(new[3]) > float(old[3])
        before.unlink(missing_ok=True)
        (shared / "done").touch()

    result = with_fault("process.kill", agent(run, recover), tmp_path / "e")
    assert (result.violations, result.errors, result.flaky) == ((), (), ())


@pytest.mark.parametrize("lasting", ["", "~lasting"])
def test_a_fault_comes_once_and_lasting(lasting: str, tmp_path: Path) -> None:
    """The next try works, or none does until `run` ends; recovery finds everything healthy."""

    def run(shared: Path) -> str:
        for attempt in range(3):
            try:
                post("a")
            except httpx.HTTPError:
                (shared / f"failed {attempt}").touch()
        (shared / "done").touch()
        return "done"

    token = f"http.unavailable{lasting}@http.post:api.mail.test/things#1:before"
    (found,) = replayed(agent(run), tmp_path / "e", token).violations
    assert sum("failed" in line for line in found.diff) == (3 if lasting else 1)


def test_a_revoked_key_works_again_in_recovery(tmp_path: Path) -> None:
    """Healthy means the key, too."""
    result = with_fault("credentials.revoked", agent(lambda shared: post("a")), tmp_path / "e")
    assert (result.violations, result.errors) == ((), ())


def test_a_key_that_is_revoked_for_good_is_not_back_in_the_first_recovery(tmp_path: Path) -> None:
    """It may fail then and must make nothing worse: what it takes for finished stays half done, and that is found."""

    def run(shared: Path) -> None:
        (shared / "begun").touch()
        post("a")
        (shared / "begun").unlink()
        (shared / "done").touch()

    def recover(shared: Path, *, right: bool) -> None:
        if (shared / "begun").exists():
            try:
                post("a")
            except httpx.HTTPStatusError:
                if right:
                    raise
            (shared / "begun").unlink()
            (shared / "done").touch()

    right = with_fault("credentials.revoked_for_good", agent(run, lambda s: recover(s, right=True)), tmp_path / "right")
    assert (right.violations, right.errors, right.flaky) == ((), (), ())
    wrong = agent(run, lambda s: recover(s, right=False))
    assert with_fault("credentials.revoked", wrong, tmp_path / "healthy").violations == ()
    result = with_fault("credentials.revoked_for_good", wrong, tmp_path / "wrong")
    assert "all_or_nothing" in result.violations[0].invariants
    again = replayed(wrong, tmp_path / "again", result.violations[0].schedule)
    assert again.violations[0].invariants == result.violations[0].invariants


def test_a_recovery_that_a_fault_struck_may_fail(tmp_path: Path) -> None:
    """At depth two; a healthy one follows, and that is judged."""

    def run(shared: Path) -> None:
        (shared / "begun").touch()
        post("a")
        (shared / "begun").unlink()

    def recover(shared: Path) -> None:
        if (shared / "begun").exists():
            run(shared)

    faults = tuple(options().known[name] for name in ("process.kill", "http.server_error"))
    result = explored(agent(run, recover), tmp_path / "e", faults=faults, depth=2)
    assert (result.violations, result.errors, result.flaky) == ((), (), ())
    token = (
        "process.kill@file.open:shared/begun#1:after"
        " + http.server_error@recover/http.post:api.mail.test/things#1:before"
    )
    assert replayed(agent(run, recover), tmp_path / "r", token).violations == ()


@pytest.mark.parametrize(("calls", "ends"), [(12, True), (13, False)])
def test_calls_are_bounded_by_twelve_times_the_fault_free_run(calls: int, ends: bool, tmp_path: Path) -> None:
    """At most max(60, 12 × fault-free): an agent that needs five calls may make sixty."""

    def run(shared: Path) -> None:
        for number in range(5):
            try:
                post(str(number))
            except httpx.HTTPError:
                for _ in range(5 * calls - 1 - number):
                    httpx.get(f"{API}/things", headers={"Authorization": "Bearer key"})
                raise

    token = "http.server_error@http.post:api.mail.test/things#1:before"
    found = replayed(agent(run, lambda shared: run(shared)), tmp_path / "e", token).violations
    assert ("terminates" in {name for finding in found for name in finding.invariants}) is not ends


@pytest.mark.parametrize(("keyed", "right"), [(True, True), (False, False)])
def test_what_is_below_a_generated_id_refers_to_it(tmp_path: Path, keyed: bool, right: bool) -> None:
    """Items of an order stand under its id, which no two runs share: equal where their orders are."""

    def run(shared: Path) -> None:
        headers = {"Authorization": "Bearer key"}
        order = httpx.post(f"{API}/orders", json={}, headers={**headers, "Idempotency-Key": "order"}).raise_for_status()
        for name in ("tea", "milk"):
            once = {**headers, "Idempotency-Key": name} if keyed else headers
            httpx.post(f"{API}/orders/{order.json()['id']}/items", json={"name": name}, headers=once).raise_for_status()

    result = explored(agent(run, run, retry=False), tmp_path / "e", faults=[options().known["process.kill"]])
    assert (result.violations == ()) is right
    assert (result.errors, result.flaky, result.drifted, result.masked) == ((), (), (), ())
    assert result.closed or not right
