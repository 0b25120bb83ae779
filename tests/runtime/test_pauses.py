"""When a message that failed is tried again, how often, and for how long: what kind of error it was decides."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof.runtime import DeadLetters, Event, Message, Outbox, Store, Undelivered


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an open store."""
    with Store(tmp_path / "agent.db") as opened:
        yield opened


def written(store: Store, count: int, outbox: Outbox) -> Outbox:
    """Give the outbox, with so many messages that are ready."""
    with store.transaction():
        for number in range(count):
            outbox.add(f"r{number}", f"k{number}", "mail", {}, at_once=True)
    return outbox


def status(code: int, **headers: str) -> httpx.HTTPStatusError:
    """Give the error of an answer with this status."""
    request = httpx.Request("POST", "https://api.test")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(code, headers=named, request=request))


class Service:
    """A service that raises an error for as long as it is down, and says what arrived and when it was tried."""

    def __init__(self, clock: Any, down_s: float, error: Exception) -> None:
        """Go down now."""
        self.clock, self.up_at, self.error = clock, clock.now + down_s, error
        self.arrived: list[str] = []
        self.tried_at: list[float] = []

    def send(self, message: Message) -> None:
        """Take a message, or raise."""
        self.tried_at.append(self.clock.now)
        if self.clock.now < self.up_at:
            raise self.error
        self.arrived.append(message.key)


def work(outbox: Outbox, service: Service) -> None:
    """Be a worker until nothing is left; a thousand looks are enough for that."""
    for _ in range(1000):
        if not outbox.wait({"mail"}, look_s=10_000):
            return
        with suppress(Undelivered):
            outbox.deliver({"mail": service.send})
    raise AssertionError("there is no end to it")


@pytest.mark.parametrize(
    ("error", "down_s"),
    [(ConnectionRefusedError(), 1.5), (httpx.ReadTimeout("slow"), 1.5), (status(503), 1.5), (status(503), 60.0)],
)
def test_an_outage_makes_no_dead_letters(store: Store, clock: Any, error: Exception, down_s: float) -> None:
    """Twenty messages wait for its end, each is sent once, and none is tried more often than pauses that double do."""
    outbox, service = written(store, 20, Outbox(store)), Service(clock, down_s, error)
    work(outbox, service)
    assert sorted(service.arrived) == sorted(f"k{number}" for number in range(20))
    assert DeadLetters(store).all() == []
    assert service.tried_at[-1] - service.up_at < 300
    assert len(service.tried_at) < 20 * 30


def test_pauses_double(store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no luck at all: a half, one, two, four seconds, and so on, up to the longest."""
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    service = Service(clock, 30.0, TimeoutError())
    work(written(store, 1, Outbox(store, most_s=6.0)), service)
    pauses = [round(later - earlier, 3) for earlier, later in zip(service.tried_at, service.tried_at[1:], strict=False)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 6.0, 6.0, 6.0, 6.0]


def test_what_never_passes_is_given_up(store: Store, clock: Any) -> None:
    """A passing error that does not pass makes a dead letter in the end, which says how often it was tried."""
    began, service = clock.now, Service(clock, 10**9, TimeoutError())
    work(written(store, 1, Outbox(store, give_up_after_s=3600, most_s=60)), service)
    (letter,) = DeadLetters(store).all()
    assert (letter.key, letter.reason, letter.attempts) == ("k0", "TimeoutError", len(service.tried_at))
    assert 3600 <= clock.now - began <= 3600 + 60


def test_a_worker_that_was_away_gives_up_nothing(store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is over, but it was tried once only: it has the attempts that everything has."""
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    outbox, service = written(store, 1, Outbox(store)), Service(clock, 1.0, TimeoutError())
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": service.send})
    clock.now += 5 * 24 * 3600
    service.up_at = clock.now + 1.0
    work(outbox, service)
    assert service.arrived == ["k0"]


@pytest.mark.parametrize(("asked", "pause"), [("7", 7.0), ("3600", 3600.0), ("1e999", 24 * 3600.0), ("nan", 0.0)])
def test_retry_after_says_when(store: Store, clock: Any, asked: str, pause: float) -> None:
    """It is obeyed to the second, however long, but never puts a message off for ever."""
    outbox, service = written(store, 1, Outbox(store)), Service(clock, 1.0, status(429, retry_after=asked))
    with pytest.raises(Undelivered) as failed:
        outbox.deliver({"mail": service.send})
    assert failed.value.next_due == outbox.next_due({"mail"}) == clock.now + pause
    service.up_at = clock.now
    if pause:
        clock.now += pause - 0.25
        assert outbox.deliver({"mail": service.send}) == 0
        clock.now += 0.25
    assert outbox.deliver({"mail": service.send}) == 1


def test_what_will_not_pass_counts_at_once(store: Store, clock: Any) -> None:
    """Refused five times in an instant it is a dead letter; tries that an outage cost before do not count there."""
    outbox, service = written(store, 1, Outbox(store)), Service(clock, 10**9, TimeoutError())
    for _ in range(20):
        outbox.wait({"mail"}, look_s=300)
        with suppress(Undelivered):
            outbox.deliver({"mail": service.send})
    clock.now += 300
    before, began = len(service.tried_at), clock.now
    service.error = status(422)
    for _ in range(5):
        assert DeadLetters(store).all() == []
        with pytest.raises(Undelivered):
            outbox.deliver({"mail": service.send})
    assert clock.now == began
    (letter,) = DeadLetters(store).all()
    assert letter.attempts == before + 5 > 10


def test_a_worker_knows_when_to_look_again(store: Store, clock: Any) -> None:
    """Nothing, what waits for its run, and what another topic's worker sends, are nothing to wait for."""
    outbox, service = Outbox(store), Service(clock, 1.0, TimeoutError())
    assert outbox.next_due({"mail"}) is None
    assert not outbox.wait({"mail"})
    with store.transaction():
        outbox.add("r", "held", "mail", {})
        outbox.add("r", "alert", "alert", {}, at_once=True)
    assert outbox.next_due({"mail"}) is None
    with store.transaction():
        outbox.add("r", "k", "mail", {}, at_once=True, cancel={})
    assert outbox.wait({"mail"})
    assert clock.slept == 1
    assert outbox.next_due({"mail"}) == 0.0
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": service.send})
    due = outbox.next_due({"mail"})
    with store.transaction():
        outbox.follow("r", Event.ABANDONED)
    assert outbox.next_due({"mail"}) == due  # the cancellation is not due before its message
    assert due is not None
    assert clock.now < due <= clock.now + 0.5
    assert outbox.wait({"mail"})
    assert clock.now == pytest.approx(due)


def test_a_message_that_was_requeued_may_have_been_sent(store: Store) -> None:
    """Its run is abandoned after that: it is cancelled, not forgotten."""
    outbox, sent = Outbox(store, max_attempts=1), []

    def send(message: Message) -> None:
        sent.append(message.key)
        if len(sent) == 1:
            raise ValueError

    with store.transaction():
        outbox.add("r", "k", "mail", {}, at_once=True, cancel={})
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": send})
    outbox.requeue("k")
    with store.transaction():
        outbox.follow("r", Event.ABANDONED)
    outbox.deliver({"mail": send})
    assert sent == ["k", "k", "k:cancel"]


def test_a_run_that_is_abandoned_again_loses_no_cancellation(store: Store) -> None:
    """None that is pending or a dead letter, nor that of a message that was given up; no other letter is written."""
    outbox, sent, refused = Outbox(store, max_attempts=1), [], ["c"]

    def send(message: Message) -> None:
        if message.key in refused:
            raise ValueError
        sent.append(message.key)

    def abandon() -> None:
        with store.transaction():
            outbox.follow("r", Event.ABANDONED)

    with store.transaction():
        for key in ("a", "b", "c"):
            outbox.add("r", key, "mail", {}, at_once=True, cancel={})
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": send})
    refused[:] = ["a:cancel"]
    abandon()
    abandon()
    with pytest.raises(Undelivered):
        outbox.deliver({"mail": send})
    abandon()
    assert outbox.deliver({"mail": send}) == 0
    refused.clear()
    outbox.requeue("a:cancel")
    assert outbox.deliver({"mail": send}) == 1
    assert sent == ["a", "b", "b:cancel", "c:cancel", "a:cancel"]
    assert DeadLetters(store).all() == []


def test_a_message_of_a_step_that_is_called_cancel_is_a_message(store: Store) -> None:
    """Its key ends like that of a cancellation, which it is not: it was sent, and its run is abandoned."""
    outbox = Outbox(store)
    with store.transaction():
        outbox.add("r", "r:cancel", "mail", {}, at_once=True)
    outbox.deliver({"mail": lambda message: None})
    with store.transaction():
        outbox.follow("r", Event.ABANDONED)
    assert [letter.key for letter in DeadLetters(store).all()] == ["r:cancel"]


def test_a_worker_reads_what_is_due_and_nothing_that_was_sent(tmp_path: Path) -> None:
    """None of the queries of a look, a claim and a wait walks through the table, which only grows."""
    queries: list[str] = []

    class Recorded(Store):
        def read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
            queries.append(query)
            return super().read(query, *values)

    with Recorded(tmp_path / "agent.db") as store:
        outbox = written(store, 3, Outbox(store))
        queries.clear()
        while outbox.wait({"mail", "alert"}):
            outbox.deliver({"mail": lambda message: None})
    with sqlite3.connect(tmp_path / "agent.db") as database:
        plans = [
            (row[3], query)
            for query in queries
            for row in database.execute(f"EXPLAIN QUERY PLAN {query}", ["1"] * query.count("?"))
        ]
    database.close()
    assert len(plans) > 5
    scans = {plan[0] for plan in plans if plan[0].startswith("SCAN")}
    assert scans <= {"SCAN outbox USING INDEX outbox_1"}  # of what is open alone
    assert [plan for plan in plans if "rowid<" in plan[0]] == []
