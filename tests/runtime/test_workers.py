"""Several workers of one outbox, in processes of their own: each message once, its cancellation behind it, always."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from processes import awakened, ended, paused, signal_itself, started
from rollproof.runtime import Event, Outbox, Store, Undelivered
from rollproof.runtime.alive import Alive
from rollproof.runtime.messages import Message, State
from workers import Service, fleet

Sender = Callable[[Message], None]


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Give a service that has seen nothing."""
    return Service(tmp_path)


def written(root: Path, *keys: str, run: str = "", cancel: Any = None) -> None:
    """Write messages that are ready, each of a run of its own if no run is named."""
    with Store(root / "agent.db") as store, store.transaction():
        for key in keys:
            Outbox(store).add(run or key, key, "mail", {}, at_once=True, cancel=cancel)


def deliver(root: Path, send: Sender) -> int:
    """Be a worker that looks once."""
    with Store(root / "agent.db") as store:
        return Outbox(store).deliver({"mail": send})


def abandon(root: Path, run: str) -> None:
    """Let a run be abandoned."""
    with Store(root / "agent.db") as store, store.transaction():
        Outbox(store).follow(run, Event.ABANDONED)


def rows(root: Path) -> list[tuple[str, State, int]]:
    """Give key, state and failed tries of all messages."""
    with Store(root / "agent.db") as store:
        return [(message.key, message.state, message.attempts) for message in Outbox(store).messages()]


def paused_worker(root: Path, then: Sender) -> AbstractContextManager[int]:
    """Give the process id of a worker that is paused when it is about to send its first message."""

    def send(message: Message) -> None:
        signal_itself(signal.SIGSTOP)
        then(message)

    return paused(lambda: deliver(root, send))


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_share_the_messages(tmp_path: Path, service: Service, workers: int) -> None:
    """All are in the middle of their first message at one time; in the end each came once, those of a run in order."""
    together = multiprocessing.get_context("fork").Barrier(workers)
    runs = {run: [f"{run}{number}" for number in range(5)] for run in "abcdefgh"}
    for run, keys in runs.items():
        written(tmp_path, *keys, run=run)

    def work() -> None:
        began: list[str] = []

        def send(message: Message) -> None:
            if not began:
                began.append(message.key)
                together.wait(60)
            service.take(message)

        with Store(tmp_path / "agent.db", busy_s=60) as store:
            while Outbox(store).wait({"mail"}, look_s=0.01):
                Outbox(store).deliver({"mail": send})
        assert began

    assert [ended(pid) for pid in [started(work) for _ in range(workers)]] == [0] * workers
    arrivals = service.arrivals()
    assert sorted(arrivals) == sorted(key for keys in runs.values() for key in keys)
    assert {run: [key for key in arrivals if key[0] == run] for run in runs} == runs


def test_what_one_worker_has_another_leaves_alone(tmp_path: Path, service: Service) -> None:
    """While the first one sends, another looks: it sends the rest but what comes behind it, and the first goes on."""
    written(tmp_path, "a1", "a2", run="a")
    written(tmp_path, "b", "c")

    def send(message: Message) -> None:
        if message.key == "a1":
            assert ended(started(lambda: deliver(tmp_path, service.take))) == 0
            assert service.arrivals() == ["b", "c"]
        service.take(message)

    assert deliver(tmp_path, send) == 2
    assert service.arrivals() == ["b", "c", "a1", "a2"]
    assert rows(tmp_path) == [(key, State.SENT, 0) for key in ("a1", "a2", "b", "c")]


def test_what_another_took_meanwhile_is_left_alone(tmp_path: Path, service: Service) -> None:
    """A worker has seen that three messages are due; when it comes to the second one, that is in another's hands."""
    written(tmp_path, "a", "b", "c")
    with ExitStack() as stack:
        others = []

        def send(message: Message) -> None:
            if message.key == "a":
                others.append(stack.enter_context(paused_worker(tmp_path, service.take)))
            service.take(message)

        assert deliver(tmp_path, send) == 2
        assert service.arrivals() == ["a", "c"]
        assert awakened(others[0]) == 0
    assert service.arrivals() == ["a", "c", "b"]


@pytest.mark.parametrize("arrived", [False, True])
def test_a_worker_that_is_killed_is_replaced_at_once(
    tmp_path: Path, service: Service, clock: Any, arrived: bool
) -> None:
    """Its death is proven: nobody waits for its deadline, and the message goes out again with its key."""
    written(tmp_path, "a", "b")

    def send(message: Message) -> None:
        if arrived:
            service.take(message)
        signal_itself(signal.SIGKILL)

    assert ended(started(lambda: deliver(tmp_path, send))) == -signal.SIGKILL
    assert deliver(tmp_path, service.take) == 2
    assert service.arrivals() == ["a"] * arrived + ["a", "b"]


def test_without_a_proof_of_death_the_deadline_counts(
    tmp_path: Path, service: Service, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system has no lock that ends with its process, a message waits for the deadline of its claim."""
    monkeypatch.setattr(Alive, "is_held", lambda self, token: None)
    written(tmp_path, "a")
    assert ended(started(lambda: deliver(tmp_path, lambda message: signal_itself(signal.SIGKILL)))) == -signal.SIGKILL
    with Store(tmp_path / "agent.db") as store:
        assert Outbox(store).next_due({"mail"}) == clock.now + 60
    clock.now += 59
    assert deliver(tmp_path, service.take) == 0
    clock.now += 1
    assert deliver(tmp_path, service.take) == 1


def test_a_worker_that_wakes_up_late_records_nothing(tmp_path: Path, service: Service, clock: Any) -> None:
    """It was paused while its claim ran out; what it sends has the key of what another has sent for it."""
    written(tmp_path, "a")
    with paused_worker(tmp_path, service.take) as pid:
        clock.now += 59
        assert deliver(tmp_path, service.take) == 0
        clock.now += 1
        assert deliver(tmp_path, service.take) == 1
        before = (tmp_path / "agent.db").read_bytes()
        assert awakened(pid) == 0
        assert service.arrivals() == ["a", "a"]
        assert (tmp_path / "agent.db").read_bytes() == before


@pytest.mark.parametrize(("late_fails", "new_fails"), [(False, False), (False, True), (True, False), (True, True)])
def test_a_late_worker_does_not_speak_for_the_new_one(
    tmp_path: Path, service: Service, clock: Any, late_fails: bool, new_fails: bool
) -> None:
    """It ends while another sends the message in its place: what is recorded is how the other one ended."""
    written(tmp_path, "a")

    def late(message: Message) -> None:
        if late_fails:
            raise ValueError

    def new(message: Message) -> None:
        assert awakened(pid) == int(late_fails)
        if new_fails:
            raise TimeoutError

    with paused_worker(tmp_path, late) as pid:
        clock.now += 60
        if new_fails:
            with pytest.raises(Undelivered):
                deliver(tmp_path, new)
        else:
            assert deliver(tmp_path, new) == 1
        assert rows(tmp_path) == [("a", State.SENDING, 1) if new_fails else ("a", State.SENT, 0)]


def test_a_cancellation_waits_for_a_worker_that_sends(tmp_path: Path, service: Service) -> None:
    """The run is abandoned while a worker has its message: no other worker calls off what is about to come."""
    written(tmp_path, "pickup", cancel={})

    def meanwhile() -> None:
        abandon(tmp_path, "pickup")
        assert deliver(tmp_path, service.take) == 0

    def send(message: Message) -> None:
        assert ended(started(meanwhile)) == 0
        service.take(message)

    assert deliver(tmp_path, send) == 1
    assert deliver(tmp_path, service.take) == 1
    assert service.arrivals() == ["pickup", "pickup:cancel"]


def test_a_cancellation_follows_what_was_sent_for_a_paused_worker(tmp_path: Path, service: Service, clock: Any) -> None:
    """It waits for the deadline and for an answer; what the sleeper sends behind it has a key that was answered."""
    written(tmp_path, "pickup", cancel={})
    with paused_worker(tmp_path, service.take) as pid:
        abandon(tmp_path, "pickup")
        assert deliver(tmp_path, service.take) == 0
        clock.now += 60
        assert deliver(tmp_path, service.take) == 2
        assert service.arrivals() == ["pickup", "pickup:cancel"]
        assert awakened(pid) == 0
        assert deliver(tmp_path, service.take) == 0
        assert service.effects() == ["pickup", "pickup:cancel"]


def test_nothing_is_given_up_while_a_late_worker_may_send_it(tmp_path: Path, service: Service, clock: Any) -> None:
    """Nobody ever had an answer, and its run is abandoned: its cancellation waits until the sleeper has ended."""
    written(tmp_path, "pickup", cancel={})

    def send(message: Message) -> None:
        if message.key == "pickup":
            raise ValueError
        service.take(message)

    def tried() -> list[str]:
        clock.now += 300
        with Store(tmp_path / "agent.db") as store, pytest.raises(Undelivered):
            Outbox(store, max_attempts=2).deliver({"mail": send})
        return service.arrivals()

    with paused_worker(tmp_path, service.take) as pid:
        abandon(tmp_path, "pickup")
        assert [tried() for _ in range(3)] == [[], [], []]
        assert awakened(pid) == 0
    assert tried() == ["pickup", "pickup:cancel"]
    assert rows(tmp_path) == [("pickup:cancel", State.SENT, 0)]


def test_what_a_paused_worker_may_have_sent_is_reported_and_not_sent_again(
    tmp_path: Path, service: Service, clock: Any
) -> None:
    """Its run is abandoned and it has no cancellation: no other worker makes it sure that it went out."""
    written(tmp_path, "a")
    with paused_worker(tmp_path, service.take) as pid:
        abandon(tmp_path, "a")
        clock.now += 60
        assert deliver(tmp_path, service.take) == 0
        before = (tmp_path / "agent.db").read_bytes()
        assert awakened(pid) == 0
        assert (tmp_path / "agent.db").read_bytes() == before


@pytest.mark.parametrize("pausing", [False, True])
def test_no_message_arrives_behind_its_cancellation(tmp_path: Path, pausing: bool) -> None:
    """Three workers, tries that fail, a worker that is killed, one that is paused, and half of the runs abandoned."""
    assert fleet(tmp_path, seed=7, pausing=pausing) == []


def test_a_worker_that_draws_the_token_of_a_dead_one_takes_its_claim(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that goes on from a snapshot draws the same again: what it holds itself is no life of another."""
    written(tmp_path, "a")
    drawn = itertools.chain([1, 1], itertools.count(2))  # the child draws its first one from a copy of this
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=next(drawn)))
    assert ended(started(lambda: deliver(tmp_path, lambda message: signal_itself(signal.SIGKILL)))) == -signal.SIGKILL
    assert deliver(tmp_path, service.take) == 1
    assert service.arrivals() == ["a"]
