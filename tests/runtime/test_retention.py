"""What is over is forgotten by rule, and nothing else: the journal's chain holds, and what is kept is as it was."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.runtime import (
    Alerts,
    AuditTrail,
    Checkpoints,
    Decision,
    FolderContents,
    Journal,
    Ledger,
    NeedsPerson,
    Outbox,
    Retention,
    Run,
    Saga,
    Status,
    Step,
    Store,
    UnknownRun,
    Versions,
)
from rollproof.runtime.cli import main
from rollproof.runtime.progress import all_runs
from rollproof.runtime.retention import forget


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an open store."""
    with Store(tmp_path / "agent.db") as opened:
        yield opened


def saga(store: Store, *keep: Any, fails: bool = False) -> Saga:
    """One step that says something, and fails or not."""
    outbox = Outbox(store)

    def act(run: Run) -> dict[str, Any]:
        with store.transaction():
            outbox.add(run, run.key, "mail", {"text": "done"})
        if fails:
            raise ValueError("no")
        return {"n": 1}

    return Saga(store, "s", [Step("a", act, undo=lambda run: None)], companions=[outbox, *keep])


def runs(store: Store) -> list[str]:
    """Give the ids of the runs that are known, oldest first."""
    return [each.run for each in all_runs(Journal(store))]


def failed(store: Store, *keep: Any) -> None:
    """Let a run be rolled back."""
    with pytest.raises(ValueError, match="no"):
        saga(store, *keep, fails=True).run("goal", {})


def test_only_the_newest_runs_are_kept(store: Store) -> None:
    """Events, checkpoints and sent messages of the others are gone; the chain is whole, also from any run on."""
    for _ in range(5):
        saga(store, Retention(store, runs=2)).run("goal", {})
        Outbox(store).deliver({"mail": lambda message: None})
    kept = runs(store)
    assert len(kept) == 2
    assert {message.run for message in Outbox(store).messages()} == set(kept)
    assert {run for (run,) in store.read("SELECT run FROM checkpoints")} == set(kept)
    assert Journal(store).verify() is None
    assert Journal(store).verify(kept) is None
    assert len(store.read("SELECT * FROM journal")) == 1 + 2 * 2


def test_a_chain_that_was_shortened_still_tells_what_was_changed(store: Store) -> None:
    """Another end of what is forgotten, and a changed event behind it, are breaks."""
    for _ in range(3):
        saga(store, Retention(store, runs=1)).run("goal", {})
    first, second = (seq for (seq,) in store.read("SELECT seq FROM journal ORDER BY seq LIMIT 2"))
    for statement, seq in ((f"UPDATE journal SET hash = 'x' WHERE seq = {first}", second),
                           (f"DELETE FROM journal WHERE seq = {first}", 1),
                           ("DELETE FROM journal WHERE seq = (SELECT max(seq) - 1 FROM journal)", second)):  # fmt: skip
        with sqlite3.connect(":memory:") as copy:
            sqlite3.connect(store.path).backup(copy)
            copy.execute(statement)
            copy.commit()
            target = store.path.with_name(f"{seq}-{len(statement)}.db")
            copy.backup(sqlite3.connect(target))
        with Store(target) as changed:
            broken = Journal(changed).verify()
            assert broken is not None
            assert broken.seq == seq


def test_what_is_old_is_forgotten(store: Store, clock: Any) -> None:
    """A run is kept for so many days after its end."""
    keep = Retention(store, days=30)
    saga(store, keep).run("goal", {})
    clock.now += 29 * 86400
    failed(store, keep)
    assert len(runs(store)) == 2
    clock.now += 2 * 86400
    saga(store, keep).run("goal", {})
    assert len(runs(store)) == 2


def test_runs_from_before_the_rule_are_forgotten_by_hand(store: Store) -> None:
    """`apply` finds them; what is not over stays, whatever the rule says."""
    for _ in range(3):
        saga(store).run("goal", {})
    assert Retention(store, runs=1).apply() == 2
    assert len(runs(store)) == 1
    assert Journal(store).verify() is None


def test_what_is_not_over_is_never_forgotten(store: Store, clock: Any) -> None:
    """An unfinished run is older than all others, and stays; a complete one that is rolled back is counted anew."""

    def undo(run: Run) -> None:
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        Saga(store, "broken", [Step("a", undo, undo=undo)], lock="other").run("goal", {})
    (open_run,) = runs(store)
    keep = Retention(store, runs=0)
    saga(store, keep).run("goal", {})
    assert runs(store) == [open_run]
    with pytest.raises(ValueError, match="only what is completed or rolled_back is forgotten"), store.transaction():
        forget(store, open_run)


def test_a_message_that_is_not_sent_outlives_its_run(store: Store) -> None:
    """It is still delivered."""
    saga(store, Retention(store, runs=0)).run("goal", {})
    assert runs(store) == []
    sent: list[str] = []
    Outbox(store).deliver({"mail": lambda message: sent.append(message.topic)})
    assert sent == ["mail"]


def test_a_run_that_is_forgotten_is_unknown(store: Store) -> None:
    """Nobody can roll it back any more, and is told so."""
    saga(store).run("goal", {})
    (run,) = runs(store)
    Retention(store, runs=0).apply()
    with pytest.raises(UnknownRun):
        saga(store).roll_back(run)
    assert Checkpoints(store).load(run).checkpoint is None


def test_the_command_line_forgets(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule is wanted; then it says how many runs it has forgotten."""
    for _ in range(3):
        saga(store).run("goal", {})
    assert main(["forget", str(store.path)]) == 1
    assert "--runs N keeps the newest" in capsys.readouterr().err
    assert main(["forget", str(store.path), "--runs", "1"]) == 0
    assert capsys.readouterr().out == "2 runs that are over: forgotten\n"


@pytest.mark.parametrize("rule", [{}, {"runs": -1}, {"days": -1}])
def test_a_rule_that_is_none_is_refused(store: Store, rule: dict[str, Any]) -> None:
    """Before anything is forgotten."""
    with pytest.raises(ValueError, match="keep how many"):
        Retention(store, **rule)


def test_a_run_that_another_saga_rolls_back_stops_no_other(store: Store) -> None:
    """The companion does not hear of it, and its undo fails: it stays, and runs of others end and are forgotten."""

    def undo(run: Run) -> None:
        raise RuntimeError("later")

    def undoes(*keep: Any) -> Saga:
        return Saga(store, "u", [Step("a", lambda run: None, undo=undo)], lock="u", companions=keep)

    keep = Retention(store, runs=1)
    undoes(keep).run("goal", {})
    (open_run,) = runs(store)
    with pytest.raises(RuntimeError):
        undoes().roll_back(open_run)
    for _ in range(3):
        saga(store, keep).run("goal", {})
    assert [each.status for each in all_runs(Journal(store))] == [Status.UNDOING, Status.COMPLETED]
    assert runs(store)[0] == open_run


def test_an_event_cannot_be_called_forgotten(store: Store) -> None:
    """The journal means something else by it."""
    with pytest.raises(ValueError, match="call yours another name"), store.transaction():
        Journal(store).append("run", "forgotten")
    assert Journal(store).verify() is None


@pytest.mark.parametrize("detail", ["{}", "3", '{"first": true}', '{"first": "1"}', '{"first": 0}', '{"first": 99}'])
def test_a_row_that_does_not_say_what_is_forgotten_is_a_break(store: Store, detail: str) -> None:
    """It is named, and forgetting what stands beside it goes on."""
    for _ in range(3):
        saga(store, Retention(store, runs=1)).run("goal", {})
    with store.transaction():
        store.write("UPDATE journal SET detail = ? WHERE event = 'forgotten'", detail)
    assert Retention(store, runs=0).apply() == 1
    broken = Journal(store).verify()
    assert broken is not None
    assert broken.reason == f"event {broken.seq} stands for forgotten ones, and does not say from which on"


def test_a_row_that_says_too_much_takes_nothing_with_it(store: Store) -> None:
    """It was changed to stand for an event that is still there: that one stays, and the change is found."""
    journal = Journal(store)
    with store.transaction():
        for run in ("kept", "gone", "next"):
            journal.append(run, "noted")
        journal.forget("gone")
        store.write("UPDATE journal SET detail = ? WHERE event = 'forgotten'", '{"first": 1}')
        journal.forget("next")
    assert [entry.run for entry in journal.entries()] == ["kept"]
    broken = journal.verify()
    assert broken is not None
    assert broken.seq == 2


@pytest.mark.parametrize("before", [0, 3])
def test_a_run_may_be_forgotten_while_its_chain_is_followed(store: Store, before: int) -> None:
    """Nothing is missing then, whatever the reader had read when another process forgot the run."""
    for _ in range(before + 2):
        saga(store, Retention(store, runs=2)).run("goal", {})
    oldest = runs(store)[0]

    class Interrupted(Store):
        def read(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
            rows = super().read(query, *values)
            saga(store, Retention(store, runs=2)).run("goal", {})
            return rows

    with Interrupted(store.path) as reader:
        assert Journal(reader).verify([oldest]) is None
        assert oldest not in runs(store)
        assert Journal(reader).verify([oldest]) is None
        assert Journal(reader).verify([oldest, *runs(store)]) is None


def test_alerts_and_what_webhooks_were_told_are_forgotten_with_their_run(store: Store) -> None:
    """They are of it, whatever they are called in the outbox; those of other runs stay."""
    folders = [store.path.with_name(name) for name in ("contents", "files", "staging")]
    for folder in folders:
        folder.mkdir()
    outbox = Outbox(store)
    trail = AuditTrail(store, outbox, ["https://audit.example"])
    files = Versions(store, FolderContents(folders[0]), *folders[1:], trail)

    def act(run: Run) -> None:
        files.save("a", run.goal.encode(), run.id)
        if not run.variables.get("accepted"):
            raise NeedsPerson("too much")

    for number in range(3):
        companions = [outbox, Alerts(store, outbox, agent="my:saga"), Retention(store, runs=1)]
        asks = Saga(store, "asks", [Step("a", act, undo=lambda run: None)], companions=companions, person="ada")
        with pytest.raises(NeedsPerson):
            asks.run(str(number), {})
        outbox.deliver({"webhook": lambda message: None, "alert": lambda message: None})
        asks.hand_back(runs(store)[-1], Decision.GO_ON, {"accepted": True})
    (kept,) = runs(store)
    assert {message.run for message in outbox.messages()} == {f"audit:{kept}", f"alert:{kept}"}
    assert {change.run for change in trail.changes()} == {kept}


def rows(store: Store) -> dict[str, int]:
    """Count what the tables have that grow with the runs."""
    tables = ("journal", "checkpoints", "outbox", "ended")
    return {table: len(store.read(f"SELECT 1 FROM {table}")) for table in tables}


def interleaved(store: Store) -> None:
    """Run one saga while another is in the middle of its run, and then one that fails."""
    keep = Retention(store, runs=3)

    def act(run: Run) -> None:
        saga(store, keep).run("inner", {})

    steps = [Step(name, act, undo=lambda run: None) for name in ("a", "b")]
    Saga(store, "outer", steps, lock="outer", companions=[keep]).run("goal", {})
    failed(store, keep)


def test_a_database_does_not_grow_with_its_runs(store: Store) -> None:
    """Runs of several sagas interleave; how many rows there are, the rule says, and not how many runs there were."""
    counted = []
    for _ in range(3):
        for _ in range(4):
            interleaved(store)
            Outbox(store).deliver({"mail": lambda message: None})
        counted.append(rows(store))
    assert counted[0] == counted[1] == counted[2]
    assert len(runs(store)) == 3


def test_a_message_that_is_sent_late_is_forgotten_then(store: Store) -> None:
    """Nothing was sent while many runs ended; what is sent at last goes, some of it with each run that ends."""
    keep = Retention(store, runs=1)
    for _ in range(25):
        saga(store, keep).run("goal", {})
    assert len(runs(store)) == 1
    assert Outbox(store).deliver({"mail": lambda message: None}) == 25
    for _ in range(2):
        saga(store, keep).run("goal", {})
    assert rows(store)["outbox"] == 27 - 2 * 10 - 1  # and that of the run that was kept, which is forgotten itself
    keep.apply()
    assert rows(store) == {"journal": 3, "checkpoints": 2, "outbox": 2, "ended": 2}
    assert len(runs(store)) == 1


@given(st.lists(st.tuples(st.sampled_from(["append", "forget"]), st.sampled_from("abcd")), max_size=30))
@settings(deadline=None)
def test_what_is_forgotten_costs_one_row_between_what_is_kept(doings: list[tuple[str, str]]) -> None:
    """Events of several runs in any order, and any of the runs forgotten at any time: no two such rows are neighbours.

    What is kept is as it was, and the chain holds, from the start and from each run on.
    """
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "agent.db") as store, store.transaction():
        journal, kept = Journal(store), []
        for doing, run in doings:
            if doing == "append":
                kept.append(journal.append(run, "noted", what=len(kept)))
            else:
                journal.forget(run)
                kept = [entry for entry in kept if entry.run != run]
            gone = [event == "forgotten" for (event,) in store.read("SELECT event FROM journal ORDER BY seq")]
            assert not any(both == (True, True) for both in itertools.pairwise(gone))
        assert list(journal.entries()) == kept
        assert journal.verify() is None
        assert all(journal.verify([run]) is None for run in "abcd")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["run", "fail", "spend", "forget"]), max_size=12), st.integers(0, 3))
def test_the_chain_holds_whatever_is_forgotten_between_what(doings: list[str], kept: int) -> None:
    """Runs, events of a ledger and forgetting in any order: the ledger is as it was, and at most `kept` runs remain."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "agent.db") as store:
        keep, spent = Retention(store, runs=kept), Ledger(store, "budget", lambda state, event, detail: state + 1, 0)
        for doing in doings:
            if doing == "run":
                saga(store, keep).run("goal", {})
            elif doing == "fail":
                failed(store, keep)
            elif doing == "spend":
                with store.transaction():
                    spent.append("spent")
            else:
                keep.apply()
            assert Journal(store).verify() is None
        ended = doings.count("run") + doings.count("fail")
        assert spent.state() == doings.count("spend")
        assert len(runs(store)) == min(ended, kept)
        assert all(each.status in (Status.COMPLETED, Status.ROLLED_BACK) for each in all_runs(Journal(store)))
