"""Which errors are tried again, how often, how long, and for how much."""

from __future__ import annotations

import http.client
import smtplib
import socket
import urllib.error
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof.runtime import (
    Budget,
    BudgetSpent,
    Entry,
    Journal,
    JournalBroken,
    KeyRefused,
    Ledger,
    LoopNoticed,
    Retry,
    Store,
    Verdict,
    classify,
)
from rollproof.runtime.history import UnknownPoint
from rollproof.runtime.retry import is_refused_key


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an open store."""
    with Store(tmp_path / "agent.db") as opened:
        yield opened


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
        (smtplib.SMTPServerDisconnected("gone"), Verdict.RETRY),
        (smtplib.SMTPResponseException(421, b"not now"), Verdict.RETRY),
        (smtplib.SMTPResponseException(550, b"nobody here"), Verdict.ROLL_BACK),
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


# a budget that is kept


def kept(store: Store, **limits: Any) -> Budget:
    """Give the budget of run `r` as each new process makes it."""
    return Budget(store=store, run="r", **limits)


def test_what_was_used_is_the_same_in_the_next_process(store: Store, clock: Any) -> None:
    """Attempts, tokens, cents, and the same calls; another run has its own."""
    before = kept(store)
    Retry().call(failing([status(503)], []), before)
    before.use(tokens=70, cents=1.5)
    before.notice("read", {"page": "a secret"})
    after = kept(store)
    assert [after.used(what) for what in ("attempts", "tokens", "cents")] == [2, 70, 1.5]
    assert before.used("tokens") == 70
    with pytest.raises(LoopNoticed):
        kept(store, same_calls=1).notice("read", {"page": "a secret"})
    assert Budget(store=store, run="another").used("tokens") == 0
    assert b"a secret" not in store.path.read_bytes()
    assert Journal(store).verify() is None


def test_an_attempt_is_counted_before_it_is_made(store: Store) -> None:
    """A process that dies in the call has used it; so has one that runs beside it."""

    class Died(BaseException):
        pass

    def die() -> None:
        with Store(store.path) as second:
            assert kept(second).used("attempts") == 1
        raise Died

    with pytest.raises(Died):
        Retry().call(die, kept(store, attempts=1))
    with pytest.raises(BudgetSpent, match="1 of 1 attempts"):
        Retry().call(failing([], []), kept(store, attempts=1))


def test_a_refused_key_is_not_sent_by_the_next_process(store: Store, clock: Any) -> None:
    """It says so with the status, so that nothing is tried again, and no undo is to blame; the text is not kept."""
    calls: list[int] = []
    with pytest.raises(httpx.HTTPStatusError):
        Retry().call(failing([status(401)], calls), kept(store), credential="shop")
    with pytest.raises(KeyRefused, match=r"the key for shop was refused \(401\)") as caught:
        Retry().call(failing([], calls), kept(store), credential="shop")
    assert classify(caught.value) is Verdict.STOP
    assert is_refused_key(caught.value)
    assert len(calls) == 1


def test_a_budget_of_time_counts_the_time_that_nobody_worked(store: Store, clock: Any) -> None:
    """Nothing is given back by dying: from its first use on, its time runs."""
    kept(store, seconds=60).begin("first")
    clock.now += 59
    kept(store, seconds=60).check("second")
    clock.now += 2
    with pytest.raises(BudgetSpent, match="third: 61 s of 60 s are over"):
        kept(store, seconds=60).check("third")


def test_looking_at_a_budget_writes_nothing(store: Store) -> None:
    """A service that starts and finds nothing to do leaves its database alone."""
    kept(store).check()
    assert kept(store).used("tokens") == 0
    assert not store.path.exists()


@pytest.mark.parametrize("named", [{"run": "r"}, {"store": "a store"}])
def test_a_budget_that_nobody_would_find_again_is_refused(named: Any) -> None:
    """A run without a store, or a store without a run."""
    with pytest.raises(ValueError, match=r"needs both: Budget\(\.\.\., store=store, run=run\.id\)"):
        Budget(**named)


def test_what_no_budget_bounds_is_not_counted() -> None:
    """A typing error would never be noticed: the budget would never be spent."""
    with pytest.raises(ValueError, match="counts attempts, tokens, cents, not 'token'"):
        Budget(tokens=9).use(token=10)


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


def test_a_ledger_on_a_broken_journal_tells_no_state(store: Store) -> None:
    """A state that somebody wrote behind the journal's back is none, and nothing goes back to one."""
    ledger = Ledger(store, "l", total, 0)
    with store.transaction():
        ledger.append("added", n=1)
        store.write("UPDATE journal SET detail = ?", '{"n":1000}')
    with pytest.raises(JournalBroken, match=r"event 1 \(added\) of run l does not match its hash"):
        ledger.state()
    with pytest.raises(JournalBroken), store.transaction():
        ledger.roll_back_to(0)


def test_a_ledger_verifies_what_is_new(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a journal that grows each event is followed once, and also behind them a broken one is told."""
    followed: list[int] = []
    linked = Entry.linked
    monkeypatch.setattr(Entry, "linked", lambda entry, before: followed.append(entry.seq) or linked(entry, before))
    ledger = Ledger(store, "l", total, 0)
    for n in range(1, 4):
        with store.transaction():
            ledger.append("added", n=n)
            Journal(store).append("another", "noted")
        followed.clear()
        assert ledger.state() == n * (n + 1) // 2
        assert followed == [2 * n - 1, 2 * n]
    with store.transaction():
        Journal(store).append("another", "noted")
        store.write("UPDATE journal SET event = 'denied' WHERE seq = 7")
    with pytest.raises(JournalBroken, match="event 7"):
        ledger.state()


def test_what_a_ledger_verified_before_must_be_as_it_was(store: Store) -> None:
    """An event of it that somebody changes afterwards tells no state, though it is not followed again."""
    ledger = Ledger(store, "l", total, 0)
    with store.transaction():
        ledger.append("added", n=1)
        Journal(store).append("another", "noted")
    assert ledger.state() == 1
    with store.transaction():
        store.write("UPDATE journal SET detail = ? WHERE seq = 1", '{"n":1000}')
    with pytest.raises(JournalBroken, match="an event of 'l' is not as it was"):
        ledger.state()


def test_a_ledger_forgets_what_a_transaction_took_back(store: Store) -> None:
    """What it verified in a transaction that failed is not looked for afterwards; another event has its number."""
    ledger = Ledger(store, "l", total, 0)
    with suppress(TimeoutError), store.transaction():
        ledger.append("added", n=1)
        assert ledger.state() == 1
        raise TimeoutError
    with store.transaction():
        ledger.append("added", n=5)
    assert ledger.state() == 5


def test_a_ledger_goes_on_where_the_last_event_it_knew_is_forgotten(store: Store) -> None:
    """The rows of others behind its own are merged into one by forgetting, and the state is told still."""
    ledger, journal = Ledger(store, "l", total, 0), Journal(store)
    with store.transaction():
        ledger.append("added", n=1)
        journal.append("over", "noted")
    assert ledger.state() == 1
    with store.transaction():
        journal.append("over", "noted")
        journal.forget("over")
        ledger.append("added", n=2)
    assert ledger.state() == 3
