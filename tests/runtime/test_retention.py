"""What is over is forgotten by rule, and nothing else: the journal's chain holds, and what is kept is as it was."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.runtime import (
    Checkpoints,
    Journal,
    Ledger,
    Outbox,
    Retention,
    Run,
    Saga,
    Status,
    Step,
    Store,
    UnknownRun,
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


@settings(max_examples=30, deadline=None)
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
