"""Which errors are tried again, how often, how long, and for how much."""

from __future__ import annotations

import http.client
import socket
import urllib.error
from email.message import Message
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof.runtime import Budget, BudgetSpent, Ledger, LoopNoticed, Retry, Store, Verdict, classify
from rollproof.runtime.history import UnknownPoint


def status(code: int, **headers: str) -> httpx.HTTPStatusError:
    """Give the error of an answer with this status."""
    request = httpx.Request("GET", "https://api.test")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(code, headers=named, request=request))


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        *((status(code), Verdict.RETRY) for code in (408, 425, 429, 500, 502, 503, 504)),
        *((status(code), Verdict.ROLL_BACK) for code in (400, 404, 409, 422)),
        *((status(code), Verdict.STOP) for code in (401, 403)),
        (httpx.ReadTimeout("slow"), Verdict.RETRY),
        (httpx.ConnectError("no"), Verdict.RETRY),
        (TimeoutError(), Verdict.RETRY),
        (ConnectionResetError(), Verdict.RETRY),
        (urllib.error.HTTPError("https://api.test", 503, "no", Message(), None), Verdict.RETRY),
        (urllib.error.HTTPError("https://api.test", 401, "no", Message(), None), Verdict.STOP),
        (urllib.error.URLError(TimeoutError()), Verdict.RETRY),
        (urllib.error.URLError(socket.gaierror()), Verdict.RETRY),
        (urllib.error.URLError("unknown url type"), Verdict.ROLL_BACK),
        (http.client.IncompleteRead(b"half"), Verdict.RETRY),
        (ValueError("no JSON"), Verdict.ROLL_BACK),
        (KeyboardInterrupt(), Verdict.STOP),
        (BudgetSpent(), Verdict.STOP),
        (LoopNoticed(), Verdict.STOP),
    ],
)
def test_an_error_says_what_to_do(error: BaseException, verdict: Verdict) -> None:
    """Retry here, roll back there, stop at once."""
    assert classify(error) is verdict


def failing(errors: list[Exception], calls: list[int]) -> Any:
    """Give work that raises each of some errors, and then succeeds."""

    def work() -> str:
        calls.append(1)
        if errors:
            raise errors.pop(0)
        return "done"

    return work


def test_what_passes_is_tried_again_and_no_more_than_allowed(clock: Any) -> None:
    """Twice it fails, then it works; a lasting error ends after the attempts."""
    calls: list[int] = []
    assert Retry(attempts=3).call(failing([status(503), httpx.ReadTimeout("slow")], calls), Budget()) == "done"
    assert len(calls) == 3
    with pytest.raises(httpx.HTTPStatusError):
        Retry(attempts=3).call(failing([status(503)] * 9, calls), Budget())
    assert len(calls) == 6


@pytest.mark.parametrize("code", [401, 403, 400, 404, 422])
def test_what_does_not_pass_is_tried_once(code: int, clock: Any) -> None:
    """A revoked key, and a request that is wrong."""
    calls: list[int] = []
    with pytest.raises(httpx.HTTPStatusError):
        Retry().call(failing([status(code)] * 9, calls), Budget())
    assert len(calls) == 1
    assert clock.slept == 0


def test_a_refused_key_is_not_sent_again_whatever_the_service_says_next(clock: Any) -> None:
    """After a 401 no call goes out that needs this key, in this budget; other keys and other budgets go on."""
    calls: list[int] = []
    budget, retry = Budget(), Retry()
    with pytest.raises(httpx.HTTPStatusError) as refused:
        retry.call(failing([status(401)], calls), budget, credential="shop")
    with pytest.raises(httpx.HTTPStatusError) as again:
        retry.call(failing([status(429)] * 9, calls), budget, credential="shop")
    assert again.value is refused.value
    assert len(calls) == 1
    assert retry.call(failing([], calls), budget, credential="bank") == "done"
    assert retry.call(failing([], calls), Budget(), credential="shop") == "done"


@pytest.mark.parametrize("asked", ["7", "Fri, 15 Jan 2027 08:00:07 GMT"])
def test_retry_after_is_obeyed(clock: Any, asked: str) -> None:
    """In seconds, or as a date."""
    before = clock.now
    Retry(first_s=0.001).call(failing([status(429, retry_after=asked)], []), Budget())
    assert clock.now - before >= 7


def test_a_pause_that_is_too_long_is_not_waited_for(clock: Any) -> None:
    """An hour is not worth it: the error leaves at once."""
    with pytest.raises(httpx.HTTPStatusError):
        Retry().call(failing([status(429, retry_after="3600")], []), Budget())
    assert clock.slept == 0


def test_pauses_are_jittered_and_bounded(clock: Any) -> None:
    """None is longer than its limit."""
    before = clock.now
    with pytest.raises(httpx.HTTPStatusError):
        Retry(attempts=5, first_s=1.0, most_s=2.0).call(failing([status(500)] * 9, []), Budget())
    assert 0 < clock.now - before < 1 + 2 + 2 + 2


@pytest.mark.parametrize("what", ["attempts", "tokens", "cents"])
def test_a_budget_holds_over_all_calls(clock: Any, what: str) -> None:
    """What is used up ends everything, whatever is called."""
    limits: dict[str, Any] = {"attempts": None, what: 3}
    budget, calls = Budget(**limits), []  # type: ignore[var-annotated]

    def work() -> None:
        calls.append(1)
        if what != "attempts":
            budget.use(**{what: 1})

    for _ in range(3):
        Retry().call(work, budget)
    with pytest.raises(BudgetSpent, match=f"3 of 3 {what}"):
        Retry().call(work, budget)
    assert len(calls) == 3


def test_a_budget_of_time_counts_the_pause(clock: Any, monkeypatch: Any) -> None:
    """A pause that would exceed it is not begun, and the error stands behind."""
    import time

    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    with pytest.raises(BudgetSpent) as caught:
        Retry().call(failing([status(429, retry_after="20")], []), Budget(seconds=10))
    assert isinstance(caught.value.__cause__, httpx.HTTPStatusError)
    assert clock.slept == 0


def test_a_loop_is_noticed() -> None:
    """The same call with the same arguments, again and again; others are fine."""
    budget = Budget(same_calls=2)
    for number in range(9):
        budget.notice("read", {"page": number})
    budget.notice("read", {"page": 0})
    with pytest.raises(LoopNoticed, match="read was called 2 times"):
        budget.notice("read", {"page": 0})


# the immutable log


def total(state: Any, event: str, detail: Any) -> Any:
    """Add up."""
    return state + detail["n"]


def test_going_back_points_and_loses_nothing(tmp_path: Path) -> None:
    """Each version can be replayed, also those that were gone back from, also after going back twice."""
    with Store(tmp_path / "agent.db") as store:
        ledger = Ledger(store, "l", total, 0)
        with store.transaction():
            for n in (1, 2, 3):
                ledger.append("added", n=n)
            assert ledger.roll_back_to(1) == 4
            ledger.append("added", n=10)
            ledger.roll_back_to(4)
            ledger.roll_back_to(3)
        assert [ledger.state(at=version) for version in range(8)] == [0, 1, 3, 6, 1, 11, 1, 6]
        assert ledger.state() == 6
        with pytest.raises(UnknownPoint, match="versions 0 to 7"):
            ledger.state(at=8)
