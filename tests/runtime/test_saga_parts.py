"""What a saga does when undos fail, processes die, beliefs are wrong, and people take over."""

from __future__ import annotations

import logging
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rollproof.runtime import (
    Alerts,
    Alive,
    CheckpointDamaged,
    DeadLetters,
    Decision,
    ForeignState,
    Found,
    Journal,
    LeaseHeld,
    LeaseLost,
    Leases,
    NeedsPerson,
    Outbox,
    Outcome,
    Reality,
    Retention,
    Run,
    Saga,
    Status,
    Step,
    Store,
    UnfinishedRun,
    UnknownLetter,
    UnknownRun,
    WrongState,
)
from rollproof.runtime.handover import owner_of
from rollproof.runtime.progress import all_runs


class Died(BaseException):
    """Stands for the end of the process: nothing is settled after it."""


def nothing(run: Run) -> None:
    """Succeed."""


def die(run: Run) -> None:
    """End the process."""
    raise Died


async def settles_nothing(execution: Any, error: BaseException) -> Status:
    """Stand for `Execution.settle` in a process that is dead."""
    return Status.ROLLED_BACK


def only_run(store: Store) -> str:
    """Give the id of the only run."""
    return all_runs(Journal(store))[0].run


def dead_run(store: Store, monkeypatch: pytest.MonkeyPatch, steps: list[Step], **terms: Any) -> Saga:
    """Leave a run as a process leaves it that dies in the last step; give the saga for the next process."""
    with monkeypatch.context() as patch:
        patch.setattr("rollproof.runtime.execution.Execution.settle", settles_nothing)
        with pytest.raises(Died):
            Saga(store, "s", [*steps, Step("dies", die, reads_only=True)], **terms).run("goal", {})
    return Saga(store, "s", [*steps, Step("dies", nothing, reads_only=True)], **terms)


# compensation and dead letters


def stuck(store: Store, undone: list[str], broken: list[bool]) -> Saga:
    """Give a saga of four steps whose third undo fails while it is `broken`, after running it into its dead letter."""

    def undo(run: Run) -> None:
        if run.step == "c" and broken:
            raise RuntimeError("a secret that nobody must read")
        undone.append(run.step)

    def act(run: Run) -> None:
        if run.step == "d":
            raise ValueError("no")

    saga = Saga(store, "s", [Step(name, act, undo=undo) for name in "abcd"], undo_passes=2)
    with pytest.raises(RuntimeError):
        saga.run("goal", {})
    assert undone == ["d"]
    assert saga.recover() is Status.STUCK
    return saga


def test_an_undo_that_keeps_failing_is_a_dead_letter_and_the_rest_runs(store: Store, clock: Any) -> None:
    """First the pass ends, order kept; after the last pass the others are undone without it, and recovery is done."""
    undone: list[str] = []
    saga = stuck(store, undone, [True])
    assert undone == ["d", "b", "a"]
    letter = DeadLetters(store).all()[0]
    assert (letter.key, letter.kind, letter.reason) == (f"{only_run(store)}:c:undo", "undo", "RuntimeError")
    assert b"a secret" not in store.path.read_bytes()
    assert saga.recover() is None
    lease = Leases(store).find("s")
    assert lease is not None
    with pytest.raises(UnfinishedRun, match="is stuck; requeue its dead letters"):
        saga.run("another", {})


def test_an_undo_that_failed_under_a_higher_limit_gets_one_more_pass(store: Store, clock: Any) -> None:
    """A deployment lowers ``undo_passes``: what failed often enough has no dead letter yet, and a person needs one."""

    def undo(run: Run) -> None:
        raise RuntimeError

    def act(run: Run) -> None:
        if run.step == "b":
            raise ValueError("no")

    def saga(passes: int) -> Saga:
        steps = [Step("a", act, undo=undo), Step("b", act, undo=lambda run: None)]
        return Saga(store, "s", steps, undo_passes=passes, undo_tries=1)

    with pytest.raises(RuntimeError):
        saga(5).run("goal", {})
    with pytest.raises(RuntimeError):
        saga(5).recover()
    assert saga(2).recover() is Status.STUCK
    assert [letter.step for letter in DeadLetters(store).all()] == ["a"]


@pytest.mark.parametrize(("level", "text"), [(logging.WARNING, False), (logging.DEBUG, True)])
def test_the_log_says_which_undo_failed(
    store: Store, clock: Any, caplog: pytest.LogCaptureFixture, level: int, text: bool
) -> None:
    """With the kind of its error; with the text, which may hold secrets, only where DEBUG is asked for."""
    with caplog.at_level(level, "rollproof.runtime"):
        stuck(store, [], [True])
    first = caplog.records[0]
    assert first.message == f"run {only_run(store)}: the undo of c failed: RuntimeError"
    assert (bool(first.exc_info), "a secret" in caplog.text) == (text, text)


def test_a_person_is_told_of_a_stuck_run(store: Store, clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The alert is a message like that of a handover; and the log says it, whoever listens."""
    outbox = Outbox(store)

    def undo(run: Run) -> None:
        raise RuntimeError("no")

    alerts = Alerts(store, outbox, agent="agent:saga")
    saga = Saga(store, "s", [Step("a", die, undo=undo)], undo_passes=1, companions=[alerts], person="ada")
    with pytest.raises(Died):
        saga.run("goal", {})
    (message,) = outbox.messages()
    assert message.body["person"] == "ada"
    assert message.body["reason"] == "a (RuntimeError) could not be undone, and the lock 's' is kept"
    assert any("is stuck: a (RuntimeError) could not be undone" in record.message for record in caplog.records)
    dismiss = shlex.split(message.body["dismiss"])
    assert subprocess.run(dismiss, capture_output=True, text=True, check=True).stdout.startswith("dismissed")
    assert Leases(store).all() == []
    assert all_runs(Journal(store))[0].status is Status.ROLLED_BACK


def test_a_requeued_dead_letter_is_undone_in_order(store: Store, clock: Any) -> None:
    """Once its cause is mended all undos run again from the end, since they can be repeated."""
    undone: list[str] = []
    broken = [True]
    saga = stuck(store, undone, broken)
    broken.clear()
    undone.clear()
    assert saga.requeue(only_run(store)) is Status.ROLLED_BACK
    assert undone == ["d", "c", "b", "a"]
    assert DeadLetters(store).all() == []


def test_a_dead_letter_can_be_dismissed_by_a_person(store: Store, clock: Any) -> None:
    """Its row goes, the journal keeps who did it."""
    stuck(store, [], [True])
    DeadLetters(store).dismiss(f"{only_run(store)}:c:undo", "ada")
    assert DeadLetters(store).all() == []
    assert all_runs(Journal(store))[0].status is Status.ROLLED_BACK
    assert Leases(store).all() == []
    assert [entry.detail["by"] for entry in Journal(store).entries() if entry.event == "dismissed"] == ["ada"]


# checkpoints: going on


def test_a_restart_goes_on_and_repeats_no_step(store: Store, monkeypatch: Any) -> None:
    """What is behind the last checkpoint is not done again, and the variables are there."""
    calls: list[str] = []

    def ask(run: Run) -> dict[str, Any]:
        calls.append(run.step)
        return {run.step: len(calls)}

    saga = dead_run(
        store, monkeypatch, [Step("a", ask, reads_only=True), Step("b", ask, reads_only=True)], after_crash="resume"
    )
    assert saga.recover() is Status.COMPLETED
    assert calls == ["a", "b"]


def test_a_step_that_may_be_half_done_is_undone_before_it_is_repeated(store: Store, monkeypatch: Any) -> None:
    """It has an undo and cannot look; its second take has another key, since services remember the first."""
    done: list[str] = []

    def act(run: Run) -> None:
        done.append(f"act {run.key.removeprefix(run.id)}")
        if len(done) == 1:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr("rollproof.runtime.execution.Execution.settle", settles_nothing)
        steps = [Step("a", act, undo=lambda run: done.append("undo"))]
        saga = Saga(store, "s", steps, after_crash="resume")
        with pytest.raises(Died):
            saga.run("goal", {})
    assert saga.recover() is Status.COMPLETED
    assert done == ["act :a", "undo", "act :a:1"]


def test_a_repeatable_step_is_repeated_with_its_key(store: Store, monkeypatch: Any) -> None:
    """Nothing is undone before."""
    keys: list[str] = []

    def act(run: Run) -> None:
        keys.append(run.key)
        if len(keys) == 1:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr("rollproof.runtime.execution.Execution.settle", settles_nothing)
        saga = Saga(store, "s", [Step("a", act, undo=die, repeatable=True)], after_crash="resume")
        with pytest.raises(Died):
            saga.run("goal", {})
    assert saga.recover() is Status.COMPLETED
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_an_undo_is_not_tried_again_with_a_revoked_key(store: Store, clock: Any) -> None:
    """One try, no pause; recovery has another one, with a new key."""
    tries: list[str] = []

    class Revoked(Exception):
        status_code = 401

    def refuse(run: Run) -> None:
        tries.append(run.step)
        if len(tries) == 1:
            raise Revoked

    saga = Saga(store, "s", [Step("a", lambda run: refuse_act(run), undo=refuse)])

    def refuse_act(run: Run) -> None:
        raise Revoked

    with pytest.raises(Revoked):
        saga.run("goal", {})
    assert tries == ["a"]
    assert clock.slept == 0
    assert saga.recover() is Status.ROLLED_BACK


def test_no_undo_is_given_up_for_a_revoked_key(store: Store) -> None:
    """However many recoveries it stops, it makes no dead letter; with the key back, the undo runs."""
    keys = ["revoked"]

    class Revoked(Exception):
        status_code = 401

    def ask(run: Run) -> None:
        if keys == ["revoked"]:
            raise Revoked

    saga = Saga(store, "s", [Step("a", ask, undo=ask)])
    with pytest.raises(Revoked):
        saga.run("goal", {})
    for _ in range(5):
        with pytest.raises(Revoked):
            saga.recover()
    keys[:] = ["new"]
    assert saga.recover() is Status.ROLLED_BACK


def test_a_damaged_checkpoint_costs_one_step(store: Store, monkeypatch: Any) -> None:
    """The step after the one before is undone and done again; no other is."""
    calls: list[str] = []

    def ask(run: Run) -> dict[str, Any]:
        calls.append(run.step)
        return {run.step: True}

    steps = [Step(name, ask, undo=lambda run: calls.append(f"-{run.step}")) for name in "abc"]
    saga = dead_run(store, monkeypatch, steps, after_crash="resume")
    with store.transaction():
        store.write("UPDATE checkpoints SET body = substr(body, 1, 9) WHERE version = 4")
    assert saga.recover() is Status.COMPLETED
    assert calls == ["a", "b", "c", "-c", "c"]


def test_the_outcome_of_a_resumed_run_can_be_had(store: Store, monkeypatch: Any) -> None:
    """A service that starts finds the run, goes on, and has what `run` would have returned, to the last step."""
    learning = [Step("a", lambda run: {"a": 1}, reads_only=True)]
    dead_run(store, monkeypatch, learning, after_crash="resume")
    saga = Saga(
        store, "s", [*learning, Step("dies", lambda run: {"b": run.variables["a"] + 1}, reads_only=True)],
        after_crash="resume",
    )  # fmt: skip
    (left,) = [each.run for each in saga.runs() if not each.status.final]
    assert saga.outcome(left) == Outcome(left, Status.RUNNING, "goal", {"a": 1})
    saga.recover()
    assert saga.outcome(left) == Outcome(left, Status.COMPLETED, "goal", {"a": 1, "b": 2})
    assert [each.status for each in saga.runs()] == [Status.COMPLETED]


def test_the_result_is_stored_with_the_end_of_the_run(store: Store, monkeypatch: Any) -> None:
    """Whoever dies right after the last commit loses nothing, and before it there is no result."""
    saga = Saga(store, "s", [Step("a", lambda run: {"a": 1}, undo=nothing)])
    with monkeypatch.context() as patch:
        patch.setattr("rollproof.runtime.execution.Execution.variables", property(die))
        with pytest.raises(Died):
            saga.run("goal", {})
    assert saga.outcome(only_run(store)).variables == {"a": 1}
    assert saga.roll_back(only_run(store)) is Status.ROLLED_BACK


def test_an_older_checkpoint_is_no_outcome(store: Store) -> None:
    """What was known last is damaged; and a run that is not there is named."""
    saga = Saga(store, "s", [Step("a", lambda run: {"a": 1}, reads_only=True)])
    saga.run("goal", {})
    with store.transaction():
        store.write("UPDATE checkpoints SET body = substr(body, 1, 9) WHERE version = 2")
    with pytest.raises(CheckpointDamaged, match="is completed, and what it knew last is damaged"):
        saga.outcome(only_run(store))
    with pytest.raises(UnknownRun, match=only_run(store)):
        saga.outcome("nonsense")


# belief and reality


def looking(reality: Reality, acted: list[str]) -> Step:
    """Give a step that dies in its act, and looks."""
    return Step(
        "a",
        lambda run: acted.append("act"),
        undo=lambda run: acted.append("undo"),
        look=lambda run: Found(reality, {"id": 7}),
    )


@pytest.mark.parametrize(("reality", "expected"), [(Reality.PRESENT, ["act", "undo"]), (Reality.ABSENT, ["act"])])
def test_nothing_is_undone_that_never_happened(store: Store, monkeypatch: Any, reality: Any, expected: Any) -> None:
    """The outside is asked first, whatever the journal says."""
    acted: list[str] = []
    saga = dead_run(store, monkeypatch, [looking(reality, acted)])
    assert saga.recover() is Status.ROLLED_BACK
    assert acted == expected


def test_what_is_not_ours_is_not_undone(store: Store, monkeypatch: Any, clock: Any) -> None:
    """A person must look: it ends as a dead letter, and nothing was touched."""
    acted: list[str] = []
    saga = dead_run(store, monkeypatch, [looking(Reality.FOREIGN, acted)], undo_passes=1)
    assert saga.recover() is Status.STUCK
    assert acted == ["act"]
    assert DeadLetters(store).all()[0].reason == ForeignState.__name__


def test_what_is_there_is_not_done_again(store: Store, monkeypatch: Any) -> None:
    """A process died after its act: going on, the look stands for it, with what it would have learned."""
    acted: list[str] = []
    seen: list[Any] = []

    def act(run: Run) -> None:
        acted.append("act")
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr("rollproof.runtime.execution.Execution.settle", settles_nothing)
        look = lambda run: Found(Reality.PRESENT if acted else Reality.ABSENT, {"id": 7})  # noqa: E731
        steps = [
            Step("a", act, undo=die, look=look),
            Step("b", lambda run: seen.append(run.variables["id"]), reads_only=True),
        ]
        saga = Saga(store, "s", steps, after_crash="resume")
        with pytest.raises(Died):
            saga.run("goal", {})
    assert saga.recover() is Status.COMPLETED
    assert (acted, seen) == (["act"], [7])


def test_differences_name_phantoms_and_what_is_unrecorded(store: Store) -> None:
    """The run is complete, and its effect is gone: the agent is wrong, and is told."""
    there = [True]
    step = Step("a", nothing, undo=nothing, look=lambda run: Found(Reality.PRESENT if there else Reality.ABSENT))
    saga = Saga(store, "s", [step])
    saga.run("goal", {})
    assert saga.differences(only_run(store)) == []
    there.clear()
    assert [str(each) for each in saga.differences(only_run(store))] == ["a: believed done, is absent"]


def test_a_step_that_fails_when_it_is_resumed_is_rolled_back(store: Store, monkeypatch: Any) -> None:
    """Going on is tried once: a run that cannot go on is not tried for ever."""
    undone: list[str] = []

    def fail(run: Run) -> None:
        raise ValueError("no")

    dead_run(store, monkeypatch, [Step("a", nothing, undo=lambda run: undone.append("a"))])
    steps = [Step("a", nothing, undo=lambda run: undone.append("a")), Step("dies", fail, reads_only=True)]
    assert Saga(store, "s", steps, after_crash="resume").recover() is Status.ROLLED_BACK
    assert undone == ["a"]


def test_a_run_whose_place_is_taken_goes_to_a_person(store: Store, monkeypatch: Any) -> None:
    """Going on would overwrite what is not ours, and so might going back."""
    dead_run(store, monkeypatch, [Step("a", nothing, reads_only=True)])
    steps = [
        Step("a", nothing, reads_only=True),
        Step("dies", nothing, undo=die, look=lambda run: Found(Reality.FOREIGN)),
    ]
    assert Saga(store, "s", steps, after_crash="resume", person="ada").recover() is Status.WITH_PERSON


def test_a_run_that_must_go_on_and_cannot_goes_to_a_person(store: Store) -> None:
    """It is tried in some recoveries, and then no more; the person may have it tried again."""
    tries: list[str] = []

    def mail(run: Run) -> None:
        tries.append(run.key)
        if len(tries) < 6:
            raise TimeoutError("a secret")

    saga = Saga(store, "s", [Step("mail", mail, irreversible=True)], act_passes=2, person="ada")
    for _ in range(2):
        with pytest.raises(TimeoutError):
            saga.recover() if tries else saga.run("goal", {})
    assert saga.recover() is Status.WITH_PERSON
    assert saga.recover() is None
    assert len(tries) == 4
    assert "a secret" not in store.path.read_bytes().decode(errors="replace")
    with pytest.raises(TimeoutError):
        saga.hand_back(only_run(store), Decision.GO_ON)
    assert saga.recover() is Status.COMPLETED
    assert len(set(tries)) == 1


# by hand


def test_a_complete_run_can_be_rolled_back_by_hand(store: Store) -> None:
    """All of its steps have a way back; doing it twice is said to make no sense."""
    undone: list[str] = []
    saga = Saga(store, "s", [Step(name, nothing, undo=lambda run: undone.append(run.step)) for name in "ab"])
    saga.run("goal", {})
    assert saga.roll_back(only_run(store)) is Status.ROLLED_BACK
    assert undone == ["b", "a"]
    with pytest.raises(WrongState, match="is rolled_back"):
        saga.roll_back(only_run(store))


def test_an_irreversible_run_cannot_be_rolled_back(store: Store) -> None:
    """It says so, and nothing is undone."""
    saga = Saga(store, "s", [Step("a", nothing, undo=die), Step("mail", nothing, irreversible=True)])
    saga.run("goal", {})
    with pytest.raises(WrongState, match="irreversible"):
        saga.roll_back(only_run(store))


def test_an_unknown_run_is_named(store: Store) -> None:
    """With the ones that there are."""
    saga = Saga(store, "s", [Step("a", nothing, reads_only=True)])
    saga.run("goal", {})
    with pytest.raises(UnknownRun, match=only_run(store)):
        saga.resume("nonsense")


# locks


def test_a_lease_is_renewed_while_steps_are_taken(store: Store, clock: Any) -> None:
    """Three steps of 200 s under a lease of 300 s: it never runs out."""

    def slow(run: Run) -> None:
        clock.now += 200
        lease = Leases(store).find("s")
        assert lease is not None
        assert lease.expires_at > clock.now

    Saga(store, "s", [Step(name, slow, reads_only=True) for name in "abc"], lease_s=300).run("goal", {})


def test_tokens_only_rise(store: Store, clock: Any) -> None:
    """Taken, released, expired, taken over, with a clock that is set back: each change of hands has a higher one."""
    tokens = []
    for holder in ("one", "two", "three", "four"):
        with store.transaction():
            lease = Leases(store).take("drive", holder, 10, Alive(store.path))
            tokens.append(lease.token)
            if holder in ("two", "three"):
                Leases(store).release(lease)
        clock.now += -1000 if holder == "three" else 11
    assert tokens == sorted(set(tokens))


# handover


def price(run: Run) -> None:
    """Ask for a person, unless one has spoken."""
    if not run.variables.get("accepted"):
        raise NeedsPerson("too much")


def handed_over(store: Store, undone: list[str]) -> Saga:
    """Give a saga whose run is with a person."""
    steps = [
        Step("a", nothing, undo=lambda run: undone.append("a")),
        Step("price", price, reads_only=True),
        Step("b", nothing, reads_only=True),
    ]
    saga = Saga(store, "s", steps, person="ada")
    with pytest.raises(NeedsPerson):
        saga.run("goal", {})
    return saga


def test_the_agent_touches_nothing_while_a_person_has_the_run(store: Store, clock: Any) -> None:
    """Recovery leaves it alone, no other run gets the lock, and the owner is the person."""
    undone: list[str] = []
    saga = handed_over(store, undone)
    assert owner_of(Journal(store).entries(only_run(store))) == "ada"
    assert saga.recover() is None
    with pytest.raises(UnfinishedRun, match="goes on when it is handed back"):
        saga.run("another", {})
    assert undone == []


def test_a_person_lets_it_go_on(store: Store) -> None:
    """The step that asked is repeated, and knows what the person decided."""
    saga = handed_over(store, [])
    assert saga.hand_back(only_run(store), Decision.GO_ON, {"accepted": True}) is Status.COMPLETED
    assert owner_of(Journal(store).entries(only_run(store))) == "agent"
    assert Leases(store).all() == []


def test_a_person_lets_it_roll_back(store: Store) -> None:
    """All is undone."""
    undone: list[str] = []
    saga = handed_over(store, undone)
    assert saga.hand_back(only_run(store), Decision.ROLL_BACK) is Status.ROLLED_BACK
    assert undone == ["a"]


def test_a_run_that_was_handed_back_goes_on_after_a_crash(store: Store, monkeypatch: Any) -> None:
    """The person said so: a restart does not roll back what they decided."""
    saga = handed_over(store, [])
    run = only_run(store)
    with monkeypatch.context() as patch:
        patch.setattr("rollproof.runtime.execution.Execution.resume", lambda execution: die(None))  # type: ignore[arg-type]
        with pytest.raises(Died):
            saga.hand_back(run, Decision.GO_ON, {"accepted": True})
    assert saga.recover() is Status.COMPLETED


def test_a_run_that_was_to_be_rolled_back_is_after_a_crash(store: Store, monkeypatch: Any) -> None:
    """The person said so, and the process died: the restart obeys, whatever it does after crashes."""
    undone: list[str] = []
    steps = [Step("a", nothing, undo=lambda run: undone.append("a")), Step("price", price, irreversible=True)]
    saga = Saga(store, "s", steps, after_crash="resume")
    with pytest.raises(NeedsPerson):
        saga.run("goal", {})
    with monkeypatch.context() as patch:
        patch.setattr("rollproof.runtime.execution.Execution.back", lambda execution, reason: die(None))  # type: ignore[arg-type]
        with pytest.raises(Died):
            saga.hand_back(only_run(store), Decision.ROLL_BACK)
    assert saga.recover() is Status.ROLLED_BACK
    assert undone == ["a"]


def test_what_is_past_its_point_of_no_return_cannot_be_handed_back_to_roll_back(store: Store) -> None:
    """The person is told, and still has the run."""
    steps = [Step("mail", nothing, irreversible=True), Step("price", price, irreversible=True)]
    saga = Saga(store, "s", steps)
    with pytest.raises(NeedsPerson):
        saga.run("goal", {})
    with pytest.raises(WrongState, match="it can only go on"):
        saga.hand_back(only_run(store), Decision.ROLL_BACK)
    assert all_runs(Journal(store))[0].status is Status.WITH_PERSON


@pytest.mark.parametrize("reality", [Reality.PRESENT, Reality.ABSENT])
def test_what_is_seen_to_be_irreversibly_done_cannot_be_rolled_back(store: Store, reality: Reality) -> None:
    """An operator took the run away in the middle of its irreversible step, which can look whether it happened."""
    undone: list[str] = []
    steps = [
        Step("a", nothing, undo=lambda run: undone.append("a")),
        Step("mail", die, irreversible=True, look=lambda run: Found(reality)),
    ]
    saga = Saga(store, "s", steps)
    with pytest.raises(Died):
        saga.run("goal", {})
    saga.hand_over(only_run(store), "ada", "looks odd")
    if reality is Reality.PRESENT:
        with pytest.raises(WrongState, match="it can only go on"):
            saga.hand_back(only_run(store), Decision.ROLL_BACK)
        assert undone == []
    else:
        assert saga.hand_back(only_run(store), Decision.ROLL_BACK) is Status.ROLLED_BACK
        assert undone == ["a"]


def test_a_second_try_may_ask_for_a_person_too(store: Store) -> None:
    """The first timed out, past the point of no return; the second says that somebody must look."""
    errors = [NeedsPerson("look"), TimeoutError()]

    def mail(run: Run) -> None:
        if errors:
            raise errors.pop()

    saga = Saga(store, "s", [Step("mail", mail, irreversible=True)])
    with pytest.raises(NeedsPerson):
        saga.run("goal", {})
    assert all_runs(Journal(store))[0].status is Status.WITH_PERSON
    assert saga.hand_back(only_run(store), Decision.GO_ON) is Status.COMPLETED


def test_the_token_of_the_agent_is_old_after_a_handover(store: Store) -> None:
    """A process that still thinks that it has the run is refused, by token and by journal."""
    seen: list[int] = []

    def taken_away(run: Run) -> None:
        seen.append(run.token)
        with Store(store.path) as second:
            Saga(second, "s", steps).hand_over(run.id, "ada", "I take this")

    steps = [Step("a", taken_away, undo=die), Step("b", die, reads_only=True)]
    with pytest.raises(LeaseLost):
        Saga(store, "s", steps).run("goal", {})
    lease = Leases(store).find("s")
    assert lease is not None
    assert lease.token > seen[0]


def test_a_run_that_hands_itself_over_has_another_token(store: Store) -> None:
    """What the step that asked for a person still has under way is older than what comes after the person."""
    seen: list[int] = []

    def ask(run: Run) -> None:
        seen.append(run.token)
        raise NeedsPerson("too much")

    with pytest.raises(NeedsPerson):
        Saga(store, "s", [Step("a", ask, reads_only=True)]).run("goal", {})
    lease = Leases(store).find("s")
    assert lease is not None
    assert lease.token > seen[0]


def test_a_new_run_waits_for_recovery(store: Store, monkeypatch: Any, clock: Any) -> None:
    """A run that is unfinished is settled first."""
    saga = dead_run(store, monkeypatch, [Step("a", nothing, reads_only=True)])
    with pytest.raises(UnfinishedRun):
        saga.run("again", {})


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """Give an open store."""
    with Store(tmp_path / "agent.db") as opened:
        yield opened


def test_a_letter_that_is_dismissed_while_others_are_undone_stops_nobody(store: Store, clock: Any) -> None:
    """A person settles one undo by hand before the pass is over: the rest is undone, and the run is rolled back."""

    def undo(run: Run) -> None:
        if run.step == "b":
            raise RuntimeError("no")
        with Store(store.path) as other:
            for letter in DeadLetters(other).all():
                DeadLetters(other).dismiss(letter.key, "ada")

    saga = Saga(store, "s", [Step(name, nothing, undo=undo) for name in "ab"] + [Step("c", die, undo=nothing)],
                undo_passes=1)  # fmt: skip
    with pytest.raises((Died, LeaseLost)):
        saga.run("goal", {})
    saga.recover()
    assert all_runs(Journal(store))[0].status is Status.ROLLED_BACK
    assert Leases(store).all() == []


def test_a_run_that_was_forgotten_while_it_was_waited_for_is_unknown(store: Store, clock: Any) -> None:
    """Another run had the lock, and its end forgot this one: nothing is done, and that is said."""
    keep = Retention(store, runs=1)
    saga = Saga(store, "s", [Step("a", nothing, undo=nothing)], companions=[keep])
    saga.run("goal", {})
    run = only_run(store)

    def act(inner: Run) -> None:
        with Store(store.path) as other, pytest.raises(LeaseHeld):
            Saga(other, "s", [Step("a", nothing, undo=nothing)], patience_s=1).roll_back(run)

    Saga(store, "s", [Step("a", act, undo=nothing)], companions=[keep]).run("goal", {})
    with pytest.raises(UnknownRun):
        saga.roll_back(run)
    assert len(saga.runs()) == 1


def test_only_a_message_is_sent_again(store: Store, clock: Any) -> None:
    """What cannot be taken back, or an undo, is no message: that is said, and the letter stays."""
    stuck(store, [], [True])
    (letter,) = DeadLetters(store).all()
    with pytest.raises(UnknownLetter, match="is undo: no message"):
        Outbox(store).requeue(letter.key)
    assert DeadLetters(store).all() == [letter]
