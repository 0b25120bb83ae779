"""Each part by itself, on real files and a real database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rollproof.runtime import (
    Alive,
    Checkpoint,
    CheckpointDamaged,
    Checkpoints,
    Journal,
    JournalBroken,
    LeaseHeld,
    LeaseLost,
    Leases,
    Refused,
    Run,
    Saga,
    Staging,
    StagingError,
    Status,
    Step,
    Store,
    StoreError,
    UnfinishedRun,
)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Give an open store in a folder of its own."""
    with Store(tmp_path / "agent.db") as opened:
        yield opened


def tamper(path: Path, statement: str) -> None:
    """Change the database behind the runtime's back."""
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def fail(run: Run) -> None:
    """Do what nobody expected."""
    raise RuntimeError("the outside said sk-secret-key")


def nothing(run: Run) -> None:
    """Succeed."""


# store


def test_reading_creates_nothing(tmp_path: Path) -> None:
    """A store that was never written has no file, and no rows."""
    with Store(tmp_path / "agent.db") as store:
        assert list(Journal(store).entries()) == []
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_raises_leaves_nothing(store: Store) -> None:
    """Not even the tables stay."""

    def half() -> None:
        with store.transaction():
            Journal(store).append("r", "started")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half()
    assert store.read("SELECT 1") == []


def test_a_write_outside_a_transaction_is_refused(store: Store) -> None:
    """A statement that could be lost half way does not run."""
    with pytest.raises(StoreError, match="INSERT outside a transaction"):
        Journal(store).append("r", "started")


@pytest.mark.parametrize(("layout", "words"), [(99, "use a newer one"), (1, "settle its runs with the release")])
def test_another_layout_is_refused(store: Store, layout: int, words: str) -> None:
    """Neither an older nor a newer release writes what it cannot understand."""
    tamper(store.path, f"PRAGMA user_version = {layout}")
    with pytest.raises(StoreError, match=f"layout {layout}, .*{words}"), store.transaction():
        pass


def test_two_writers_do_not_overlap(store: Store) -> None:
    """The second is turned away before it reads what the first is about to change."""
    three_events(store)
    locked = pytest.raises(sqlite3.OperationalError, match="locked")
    with Store(store.path, busy_s=0) as second, store.transaction(), locked, second.transaction():
        pytest.fail("the second got in")


# journal


def three_events(store: Store) -> Journal:
    """Give a journal with three events in it."""
    journal = Journal(store)
    with store.transaction():
        for event in ("started", "entered", "completed"):
            journal.append("r", event, step=event)
    return journal


def test_a_chain_that_nobody_touched_holds(store: Store) -> None:
    """What was appended verifies, and reads back in order."""
    journal = three_events(store)
    assert journal.verify() is None
    assert [entry.event for entry in journal.entries("r")] == ["started", "entered", "completed"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE journal SET detail = '{}' WHERE seq = 2", r"event 2 \(entered\) .* does not match its hash"),
        ("UPDATE journal SET at = '2020-01-01T00:00:00.000Z' WHERE seq = 2", "event 2 .* does not match its hash"),
        ("UPDATE journal SET detail = '{' WHERE seq = 2", "event 2 .* is not JSON"),
        ("DELETE FROM journal WHERE seq = 2", "event 2 is missing"),
    ],
)
def test_the_first_broken_event_is_named(store: Store, statement: str, words: str) -> None:
    """Changed, torn or removed: the event to look at is 2, and nothing is recovered on the journal's word."""
    journal = three_events(store)
    with Alive(store.path) as dead, store.transaction():
        Leases(store).take("s", "r", 60, dead)
    tamper(store.path, statement)
    found = journal.verify()
    assert found is not None
    assert found.seq == 2
    with pytest.raises(JournalBroken, match=words):
        Saga(store, "s", [Step("a", nothing, reads_only=True)]).recover()


# checkpoints


def test_a_damaged_checkpoint_is_noticed_and_the_one_before_used(store: Store) -> None:
    """The checksum tells, and the version that was damaged is named."""
    checkpoints = Checkpoints(store)
    with store.transaction():
        for number in range(3):
            checkpoints.save("r", Checkpoint("goal", "step", {"number": number}))
    tamper(store.path, "UPDATE checkpoints SET body = substr(body, 1, 20) WHERE version = 3")
    restored = checkpoints.load("r")
    assert restored.checkpoint == Checkpoint("goal", "step", {"number": 1})
    assert restored.damaged == (3,)


def test_no_checkpoint_is_no_error(store: Store) -> None:
    """A run that saved nothing has nothing to restore."""
    assert Checkpoints(store).load("r").checkpoint is None


# leases


@pytest.fixture
def alive(store: Store) -> Iterator[Alive]:
    """Give what shows that somebody else than the test works under a token."""
    with Alive(store.path) as other:
        yield other


def test_a_live_lease_keeps_others_out_until_it_expires(store: Store, clock: Any, alive: Alive) -> None:
    """Another run gets it after its time, with a higher token, and the one before is fenced."""
    leases = Leases(store)
    with store.transaction():
        first = leases.take("drive", "one", 60, alive)
    with Alive(store.path) as rival:
        with pytest.raises(LeaseHeld, match="held by run one"), store.transaction():
            leases.take("drive", "two", 60, rival)
        clock.now += 61
        with store.transaction():
            leases.check(first)
            second = leases.take("drive", "two", 60, rival)
    assert second.token > first.token
    with pytest.raises(LeaseLost, match="run one lost 'drive'"):
        leases.check(first)


def test_a_lease_whose_holder_is_gone_is_not_waited_for(store: Store, alive: Alive) -> None:
    """The proof ends with the holder, here with its block; then its time does not matter."""
    leases = Leases(store)
    with Alive(store.path) as dead, store.transaction():
        first = leases.take("drive", "one", 3000, dead)
    assert alive.is_held(first.token) is False
    with store.transaction():
        assert leases.take("drive", "two", 60, alive).token > first.token


def test_where_nothing_proves_who_lives_the_lease_decides(
    store: Store, alive: Alive, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system without such locks: the holder is gone, nobody can know it, and its time is waited for."""
    monkeypatch.setattr("rollproof.runtime.alive._SET", None)
    monkeypatch.setattr("rollproof.runtime.alive._GET", None)
    with Alive(store.path) as dead, store.transaction():
        Leases(store).take("drive", "one", 300, dead)
    Saga(store, "s", [Step("a", nothing, reads_only=True)], lock="drive").run("goal", {})
    assert clock.now >= 1_800_000_300
    assert not list(store.path.parent.glob("*.alive"))


def test_a_released_lease_is_gone(store: Store, alive: Alive) -> None:
    """There is no row, and releasing twice frees nobody else's."""
    leases = Leases(store)
    with store.transaction():
        leases.release(leases.take("drive", "one", 60, alive))
    assert leases.find("drive") is None


def test_a_living_holders_lease_is_waited_for(store: Store, clock: Any, alive: Alive) -> None:
    """A run of another saga over the same lock waits, in few looks, and then works."""
    with store.transaction():
        Leases(store).take("drive", "somebody", 300, alive)
    Saga(store, "s", [Step("a", nothing, reads_only=True)], lock="drive").run("goal", {})
    assert clock.now >= 1_800_000_300
    assert clock.slept < 20
    assert Leases(store).find("drive") is None


def test_patience_ends(store: Store, clock: Any, alive: Alive, caplog: pytest.LogCaptureFixture) -> None:
    """A holder that stays is reported, with its name and its time; that somebody waits is said at once."""
    with store.transaction():
        Leases(store).take("drive", "a live run", 3000, alive)
    with pytest.raises(LeaseHeld, match="a live run"):
        Saga(store, "s", [Step("a", nothing, reads_only=True)], lock="drive", patience_s=60).run("goal", {})
    assert [record.message for record in caplog.records] == [
        "'drive' is held by run a live run until 2027-01-15T08:50:00Z, or longer while its process works; "
        "waiting for it, 60 s at most"
    ]


# staging


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    """Give a workspace beside its target."""
    return Staging(tmp_path / "staging-1", tmp_path / "report")


def test_a_set_moves_there_and_back_as_one(staging: Staging) -> None:
    """Each of the four movements can be repeated."""
    digest = staging.fill({"a": b"1", "b": b"2"})
    staging.commit(digest)
    staging.commit(digest)
    assert sorted(path.name for path in staging.target.iterdir()) == ["a", "b", "manifest.json"]
    assert not staging.workspace.exists()
    staging.withdraw(digest)
    staging.withdraw(digest)
    assert not staging.target.exists()
    staging.discard()
    staging.discard()
    staging.withdraw(digest)
    assert not staging.workspace.exists()


def test_a_changed_workspace_is_not_published(staging: Staging) -> None:
    """The hashes are checked before the move, and the file is named."""
    digest = staging.fill({"a": b"1"})
    (staging.workspace / "a").write_bytes(b"2")
    with pytest.raises(StagingError, match="not as it was staged: a"):
        staging.commit(digest)
    assert not staging.target.exists()


def test_a_comment_that_somebody_added_is_not_taken_away(staging: Staging) -> None:
    """Withdrawing would delete what is not ours, so it refuses and says which."""
    digest = staging.fill({"a": b"1"})
    staging.commit(digest)
    (staging.target / "comment").write_text("nice")
    with pytest.raises(StagingError, match="comment"):
        staging.withdraw(digest)
    assert (staging.target / "comment").exists()


def test_an_occupied_target_is_refused_up_front(staging: Staging) -> None:
    """Somebody's folder, though empty, is not replaced, and no workspace is made."""
    staging.target.mkdir()
    with pytest.raises(StagingError, match="exists"):
        staging.fill({"a": b"1"})
    assert not staging.workspace.exists()


@pytest.mark.parametrize("name", ["../a", "b/../a", "b/a/", "b//a", "./a", "/a", "", ".", "a\0b", "manifest.json"])
def test_a_name_that_leaves_the_workspace_is_refused(staging: Staging, name: str) -> None:
    """Names stay below the set and are written in one way; nothing was made when one is not."""
    with pytest.raises(StagingError, match="cannot be staged"):
        staging.fill({name: b"1"})
    assert not staging.workspace.exists()


def test_a_workspace_on_another_file_system_is_refused_up_front(tmp_path: Path, elsewhere: Path) -> None:
    """An atomic move is impossible there, so nothing happens at all."""
    staging = Staging(elsewhere / "rollproof-staging", tmp_path / "report")
    with pytest.raises(StagingError, match="two file systems"):
        staging.fill({"a": b"1"})
    assert not staging.workspace.exists()


# saga


def test_undo_runs_backward_and_the_error_leaves(store: Store) -> None:
    """The last step that may have happened goes first, the failed one included; the journal names no secret."""
    undone: list[str] = []
    steps = [Step(name, nothing, undo=lambda run: undone.append(run.step)) for name in "ab"]
    saga = Saga(store, "s", [*steps, Step("c", fail, undo=lambda run: undone.append(run.step))])
    with pytest.raises(RuntimeError, match="the outside said"):
        saga.run("goal", {})
    assert undone == ["c", "b", "a"]
    assert Journal(store).verify() is None
    assert b"sk-secret" not in store.path.read_bytes()
    assert saga.recover() is None


def test_variables_pass_from_step_to_step(store: Store) -> None:
    """What a step returns is known to the steps after it, and returned at the end."""
    steps = [
        Step("a", lambda run: {"n": run.variables["n"] + 1}, reads_only=True),
        Step("b", lambda run: {"m": run.variables["n"] * 2}, reads_only=True),
    ]
    assert Saga(store, "s", steps).run("goal", {"n": 1}) == {"n": 2, "m": 4}


def test_an_undo_that_fails_is_finished_by_recovery(store: Store, clock: Any) -> None:
    """The run keeps its lease and keeps others out until then; recovery rolls it back."""
    failures = [RuntimeError("disk full")] * 3

    def undo(run: Run) -> None:
        if failures:
            raise failures.pop()

    saga = Saga(store, "s", [Step("a", fail, undo=undo)])
    with pytest.raises(RuntimeError, match="disk full"):
        saga.run("goal", {})
    assert Leases(store).find("s") is not None
    assert saga.recover() is Status.ROLLED_BACK
    assert Leases(store).find("s") is None
    assert saga.recover() is None


def test_a_new_run_does_not_start_over_an_unfinished_one(store: Store, clock: Any) -> None:
    """Even when its lease has run out, what is half done is settled first."""

    def undo(run: Run) -> None:
        raise RuntimeError("cannot undo")

    saga = Saga(store, "s", [Step("a", fail, undo=undo)])
    with pytest.raises(RuntimeError):
        saga.run("goal", {})
    with pytest.raises(UnfinishedRun, match="call recover"):
        saga.run("goal", {})


def test_an_unknown_outcome_is_repeated_with_the_same_key(store: Store) -> None:
    """An irreversible step that timed out goes forward, and `run` returns once it is known."""
    keys: list[str] = []

    def mail(run: Run) -> None:
        keys.append(run.key)
        if len(keys) == 1:
            raise TimeoutError

    Saga(store, "s", [Step("mail", mail, irreversible=True)]).run("goal", {})
    assert len(keys) == 2
    assert keys[0] == keys[1]


def unfinished_forward(store: Store) -> list[str]:
    """Leave a run that passed the point of no return, and give the keys that it used."""
    keys: list[str] = []

    def mail(run: Run) -> None:
        keys.append(run.key)
        raise TimeoutError

    steps = [Step("a", lambda run: {"n": 1}, reads_only=True), Step("mail", mail, irreversible=True)]
    with pytest.raises(TimeoutError):
        Saga(store, "s", steps).run("goal", {})
    return keys


def test_recovery_goes_forward_with_the_key_and_the_memory_of_the_run(store: Store) -> None:
    """A new process repeats the act, and only that."""
    keys = unfinished_forward(store)
    again: list[Any] = []
    mail = Step("mail", lambda run: again.append((run.key, run.variables["n"])), irreversible=True)
    assert Saga(store, "s", [Step("a", fail, reads_only=True), mail]).recover() is Status.COMPLETED
    assert again == [(keys[0], 1)]


def test_damaged_memory_stops_the_way_forward(store: Store) -> None:
    """Mailing from older knowledge could mail the wrong thing; the version is named."""
    unfinished_forward(store)
    tamper(store.path, "UPDATE checkpoints SET body = '{' WHERE version = 2")
    with pytest.raises(CheckpointDamaged, match="checkpoint 2 is damaged"):
        Saga(store, "s", [Step("a", fail, reads_only=True), Step("mail", nothing, irreversible=True)]).recover()


def test_a_process_that_slept_through_its_own_recovery_changes_nothing(store: Store, clock: Any) -> None:
    """While a step acts, and no lease is renewed, another process recovers the run; the sleeper touches nothing."""
    undone: list[str] = []

    def slow(run: Run) -> None:
        clock.now += 301
        with Store(store.path) as second:
            assert Saga(second, "s", steps("recovery")).recover() is Status.ROLLED_BACK

    def steps(who: str) -> list[Step]:
        return [Step("a", slow, undo=lambda run: undone.append(who)), Step("b", nothing, reads_only=True)]

    with pytest.raises(LeaseLost):
        Saga(store, "s", steps("sleeper")).run("goal", {})
    assert undone == ["recovery"]
    assert [entry.event for entry in Journal(store).entries()][-1] == "rolled_back"


def test_a_process_that_slept_into_its_own_recovery_changes_nothing(store: Store, clock: Any) -> None:
    """Recovery is under way and has another token: the sleeper is refused within its step, and after it."""
    undone: list[str] = []
    seen: list[str] = []

    def stuck(run: Run) -> None:
        raise RuntimeError("disk full")

    def slow(run: Run) -> None:
        run.check()
        clock.now += 301
        with Store(store.path) as second, pytest.raises(RuntimeError, match="disk full"):
            Saga(second, "s", [Step("a", fail, undo=stuck)]).recover()
        with pytest.raises(LeaseLost) as lost:
            run.check()
        seen.append(str(lost.value))

    steps = [Step("a", slow, undo=lambda run: undone.append("sleeper")), Step("b", fail, reads_only=True)]
    with pytest.raises(LeaseLost):
        Saga(store, "s", steps).run("goal", {})
    assert undone == []
    assert "lost 's'" in seen[0]


def test_a_run_that_is_not_over_keeps_its_lock_from_rivals(store: Store, clock: Any) -> None:
    """A step took longer than its lease, and nothing renewed it: who wants the lock is told to recover that run."""
    told: list[str] = []

    def slow(run: Run) -> None:
        clock.now += 301
        with Store(store.path) as second, pytest.raises(UnfinishedRun) as refused:
            Saga(second, "rival", [Step("a", nothing, reads_only=True)], lock="drive").run("goal", {})
        told.append(str(refused.value))

    Saga(store, "s", [Step("a", slow, reads_only=True), Step("b", nothing, reads_only=True)], lock="drive").run(
        "goal", {}
    )
    assert "call recover() of 's'" in told[0]


def refusal(earlier: list[Exception]) -> Step:
    """Give an irreversible step that fails with some errors, and then is refused."""

    def mail(run: Run) -> None:
        raise earlier.pop() if earlier else Refused("no such mailbox")

    return Step("mail", mail, irreversible=True)


def test_a_refusal_at_the_first_try_is_a_way_back(store: Store) -> None:
    """Nothing happened outside, for sure, so everything before it is undone."""
    undone: list[str] = []
    saga = Saga(store, "s", [Step("a", nothing, undo=lambda run: undone.append("a")), refusal([])])
    with pytest.raises(Refused):
        saga.run("goal", {})
    assert undone == ["a"]
    assert saga.recover() is None


def test_a_refusal_after_something_irreversible_is_no_way_back(store: Store) -> None:
    """The first of two irreversible steps is done, so the refused second one must be, too."""
    undone: list[str] = []
    before = [
        Step("a", nothing, undo=lambda run: undone.append("a")),
        Step("pay", nothing, irreversible=True),
    ]
    with pytest.raises(Refused):
        Saga(store, "s", [*before, refusal([])]).run("goal", {})
    assert undone == []
    assert Saga(store, "s", [*before, Step("mail", nothing, irreversible=True)]).recover() is Status.COMPLETED


def test_a_refusal_after_a_timeout_is_no_way_back(store: Store) -> None:
    """The try before may have got through; the run stays where it is until its outcome is known."""
    undone: list[str] = []
    first = Step("a", nothing, undo=lambda run: undone.append("a"))
    saga = Saga(store, "s", [first, refusal([TimeoutError()])])
    with pytest.raises(Refused):
        saga.run("goal", {})
    with pytest.raises(Refused):
        saga.recover()
    assert undone == []
    assert Saga(store, "s", [first, Step("mail", nothing, irreversible=True)]).recover() is Status.COMPLETED


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "needs steps"),
        ([Step("a", nothing, reads_only=True), Step("a", nothing, reads_only=True)], "a name of its own"),
        ([Step("a", nothing, irreversible=True), Step("b", nothing, reads_only=True)], "must come last"),
        ([Step("a", nothing, undo=nothing, irreversible=True)], "has an undo"),
    ],
)
def test_steps_that_make_no_saga_are_refused(store: Store, steps: list[Step], words: str) -> None:
    """The step that is wrong is named before anything happens."""
    with pytest.raises(ValueError, match=words):
        Saga(store, "s", steps)
