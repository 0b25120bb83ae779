"""`python -m rollproof.runtime`: what it shows, what it does, and what it says about bad input."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rollproof.runtime import (
    Journal,
    NeedsPerson,
    Outbox,
    PlannedAgent,
    Rules,
    Saga,
    Step,
    Store,
    Tool,
    Undelivered,
    read_plan,
)
from rollproof.runtime.cli import main
from rollproof.runtime.progress import all_runs

AGENT = """
from pathlib import Path
from rollproof.runtime import Found, NeedsPerson, Reality, Saga, Step

FILE, BROKEN = Path("note.txt"), Path("broken")

def undo(run):
    if BROKEN.exists():
        raise OSError("cannot")
    FILE.unlink(missing_ok=True)

def ask(run):
    if run.variables.get("ask") and not run.variables.get("accepted"):
        raise NeedsPerson("too much")

def saga(store):
    look = lambda run: Found(Reality.PRESENT if FILE.exists() else Reality.ABSENT)
    write = Step("write", lambda run: FILE.write_text("x") and None, undo=undo, look=look)
    return Saga(store, "note", [write, Step("ask", ask, reads_only=True)], undo_passes=1, undo_tries=1, person="ada")

def steps(path):
    return [Step("cut", lambda run: path.unlink(), undo=lambda run: None)]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a folder with an agent in it, as the current one."""
    (tmp_path / "noteagent.py").write_text(AGENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "noteagent", raising=False)
    return tmp_path


def run_agent(**variables: Any) -> str:
    """Run the agent of the project, and give the id of its run."""
    import noteagent

    with Store(Path("agent.db")) as store:
        with suppress(NeedsPerson):
            noteagent.saga(store).run("a note", variables)
        return all_runs(Journal(store))[-1].run


def said(*arguments: str) -> tuple[int, str]:
    """Give exit code and output of one command."""
    out = io.StringIO()
    return main(arguments, out), out.getvalue()


def test_list_and_show_tell_what_happened(project: Path) -> None:
    """Every run in a line; one run with its timeline, by the beginning of its id."""
    run = run_agent()
    code, text = said("list", "agent.db")
    assert code == 0
    assert f"{run}  completed    note  owner: agent" in text
    code, text = said("show", "agent.db", run[:6])
    assert code == 0
    assert [line.split()[-2] for line in text.splitlines() if "step=" in line] == ["saga=note", "entered"]
    times = [line.split()[1] for line in text.splitlines() if line.split()[0].isdigit()]
    assert times == sorted(times)
    assert all(datetime.fromisoformat(each).tzinfo is UTC for each in times)
    assert said("list", "agent.db")[1].endswith(f"{times[0]} to {times[-1]}\n")
    assert said("verify", "agent.db") == (0, "the journal is whole: 3 events\n")


def test_a_run_is_rolled_back_by_hand(project: Path) -> None:
    """Its steps come from the agent."""
    run = run_agent()
    assert said("roll-back", "agent.db", run, "--agent", "noteagent:saga") == (0, f"run {run} is rolled_back\n")
    assert not Path("note.txt").exists()


def test_a_run_goes_to_a_person_and_back(project: Path) -> None:
    """What the person decided is known to the step that asked."""
    run = run_agent(ask=True)
    assert f"{run}  with_person  note  owner: ada  at ask" in said("list", "agent.db")[1]
    hand_back = (
        "hand-back",
        "agent.db",
        run,
        "go_on",
        "--agent",
        "noteagent:saga",
        "--variables",
        '{"accepted": true}',
    )
    assert said(*hand_back) == (0, f"run {run} is completed\n")


def test_a_dead_letter_is_listed_shown_and_requeued(project: Path) -> None:
    """Once its cause is mended; the run is rolled back then."""
    run = run_agent()
    Path("broken").touch()
    said("roll-back", "agent.db", run, "--agent", "noteagent:saga")
    assert said("dead-letters", "agent.db") == (0, f"{run}:write:undo  undo         OSError, tried 1 times\n")
    assert "kind     undo" in said("dead-letters", "agent.db", f"{run}:write:undo")[1]
    Path("broken").unlink()
    requeue = ("requeue", "agent.db", f"{run}:write:undo", "--agent", "noteagent:saga")
    assert said(*requeue) == (0, f"run {run} is rolled_back\n")
    assert said("dead-letters", "agent.db") == (0, "no dead letters\n")


def test_belief_and_reality_are_compared(project: Path) -> None:
    """Somebody deleted the note; the agent believes that it is there."""
    run = run_agent()
    assert said("reality", "agent.db", run, "--agent", "noteagent:saga")[0] == 0
    Path("note.txt").unlink()
    assert said("reality", "agent.db", run, "--agent", "noteagent:saga") == (1, "write: believed done, is absent\n")


def test_a_plan_is_approved(project: Path) -> None:
    """By its digest, with its lines shown."""
    tools = {"wait": Tool("wait", lambda run, given: None, {"seconds": int}, reads_only=True)}
    plan = read_plan(
        '{"goal": "g", "steps": [{"tool": "wait", "arguments": {"seconds": 1}}]}', "stop", tools, Rules(project)
    )
    with Store(Path("agent.db")) as store:
        PlannedAgent(store, tools).propose(plan)
    assert f"{plan.digest}  proposed\n    1. would do wait(seconds=1)" in said("approve", "agent.db")[1]
    assert f"{plan.digest}  approved  ada" in said("approve", "agent.db", plan.digest, "--by", "ada")[1]
    with Store(Path("agent.db")) as store:
        PlannedAgent(store, tools).carry_out(plan.digest)


def test_a_rehearsal_names_the_wrong_rollback(project: Path) -> None:
    """On a copy: the data stays as it is; the exit code says that something is wrong."""
    Path("data.txt").write_text("x")
    code, text = said("rehearse", "data.txt", "--steps", "noteagent:steps")
    assert code == 1
    assert "wrong        error after cut: data.txt" in text
    assert Path("data.txt").read_text() == "x"


def test_it_is_a_module(project: Path) -> None:
    """`python -m rollproof.runtime` is the same thing."""
    command = [sys.executable, "-m", "rollproof.runtime", "list", "nowhere.db"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr == "rollproof.runtime: there is no database nowhere.db; the runtime makes it with the first run\n"
    )


# bad input


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Give what is said about a command that cannot be done."""
    assert main(arguments, io.StringIO()) == 1
    return capsys.readouterr().err


def test_an_unknown_run_is_named_with_those_that_there_are(project: Path, capsys: Any) -> None:
    """And nothing else happens."""
    run = run_agent()
    assert refused(capsys, "show", "agent.db", "zzz") == (
        f"rollproof.runtime: no run 'zzz'; the last ones are ['{run}']\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dead-letters", "agent.db", "zzz"), "no dead letter 'zzz'; there are: none"),
        (("approve", "agent.db", "zzz"), "no plan 'zzz' was proposed"),
        (("recover", "agent.db", "--agent", "nonsense"), "'nonsense' is not MODULE:FUNCTION"),
        (("recover", "agent.db", "--agent", "nonsense:saga"), "No module named 'nonsense'"),
        (("recover", "agent.db", "--agent", "noteagent:nothing"), "has no attribute 'nothing'"),
        (("rehearse", "nowhere", "--steps", "noteagent:steps"), "there is no nowhere"),
        (("list", "noteagent.py"), "noteagent.py is no SQLite database"),
        (("list", "missing.db"), "there is no database missing.db"),
    ],
)
def test_bad_arguments_are_named(project: Path, capsys: Any, arguments: Any, words: str) -> None:
    """What was wrong, and where there is something near, what is right."""
    run_agent()
    assert words in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hand-back", "agent.db", "r", "back", "--agent", "a:b"), "choose from 'go_on', 'roll_back'"),
        (("hand-back", "agent.db", "r", "go_on", "--agent", "a:b", "--variables", "{x"), "'{x' is not JSON"),
        (("rehearse", "data", "--steps", "a:b", "--variables", "[1]"), "'[1]' is no JSON object; such as"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_opened(capsys: Any, arguments: Any, words: str) -> None:
    """With the exit code of wrong usage."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert words in capsys.readouterr().err.replace("choose from go_on, roll_back", "choose from 'go_on', 'roll_back'")


def test_a_run_in_the_wrong_state_says_so(project: Path, capsys: Any) -> None:
    """A complete run cannot be resumed."""
    run = run_agent()
    text = refused(capsys, "resume", "agent.db", run, "--agent", "noteagent:saga")
    assert f"run {run} is completed; this needs one that is running" in text


def test_a_database_of_a_newer_version_is_refused(project: Path, capsys: Any) -> None:
    """An older release neither shows nor changes what it cannot understand."""
    run_agent()
    with closing(sqlite3.connect("agent.db")) as database:
        database.execute("PRAGMA user_version = 9")
    before = Path("agent.db").read_bytes()
    assert "agent.db has layout 9, this release knows up to 3; use a newer one" in refused(capsys, "list", "agent.db")
    assert Path("agent.db").read_bytes() == before


@pytest.mark.parametrize("damage", ["detail = '{'", "event = 'nonsense'"])
def test_a_corrupt_journal_says_which_event_and_what_can_be_done(project: Path, capsys: Any, damage: str) -> None:
    """What is before it is still shown; nothing is undone on the word of what is after it."""
    run = run_agent()
    with closing(sqlite3.connect("agent.db")) as database, database:
        database.execute(f"UPDATE journal SET {damage} WHERE seq = 3")
    code, text = said("list", "agent.db")
    assert code == 1
    assert f"{run}  running" in text
    assert "event 3" in text
    assert "sound: events 1 to 2" in text
    assert "agent.db from a copy" in text
    assert said("show", "agent.db", run)[0] == 1
    assert "event 3" in refused(capsys, "roll-back", "agent.db", run, "--agent", "noteagent:saga")
    assert Path("note.txt").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_read_only_disk_can_be_looked_at(project: Path, capsys: Any) -> None:
    """Looking works, acting says why it does not."""
    run = run_agent()
    Path("agent.db").chmod(0o400)
    project.chmod(0o500)
    try:
        assert said("list", "agent.db")[0] == 0
        assert "cannot be written" in refused(capsys, "roll-back", "agent.db", run, "--agent", "noteagent:saga")
    finally:
        project.chmod(0o700)


def test_a_database_that_cannot_be_written_says_so(project: Path, capsys: Any, monkeypatch: Any) -> None:
    """As SQLite says it on a read-only disk, whoever runs this test."""
    run = run_agent()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **named: connect(f"file:{path}?mode=ro", uri=True, **named))
    assert said("list", "agent.db")[0] == 0
    text = refused(capsys, "roll-back", "agent.db", run, "--agent", "noteagent:saga")
    assert "agent.db: attempt to write a readonly database" in text
    assert Path("note.txt").exists()


def test_what_was_sent_is_not_requeued(project: Path, capsys: Any) -> None:
    """It cannot be taken back; how to put the letter away is said."""
    with Store(Path("agent.db")) as store:
        outbox = Outbox(store)

        def intend(run: Any) -> None:
            with store.transaction():
                outbox.add(run, run.key, "mail", {}, at_once=True)
            outbox.deliver({"mail": lambda message: None})

        def fail(run: Any) -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            Saga(
                store,
                "s",
                [Step("intend", intend, reads_only=True), Step("fail", fail, reads_only=True)],
                companions=[outbox],
            ).run("g", {})
        key = all_runs(Journal(store))[-1].run + ":intend"
    assert "was sent and cannot be taken back" in refused(capsys, "requeue", "agent.db", key)
    assert said("dead-letters", "agent.db", key, "--dismiss", "--by", "ada") == (0, f"dismissed {key}\n")
    assert said("dead-letters", "agent.db") == (0, "no dead letters\n")


def test_a_message_that_failed_says_when_it_is_tried_again(project: Path, clock: Any) -> None:
    """Its service is down: whoever looks at the run sees that nothing is lost, and when to look again."""

    class Busy(Exception):
        status_code, headers = 503, {"retry-after": "90"}

    def send(message: Any) -> None:
        raise Busy

    with Store(Path("agent.db")) as store:
        outbox = Outbox(store)

        def intend(run: Any) -> None:
            with store.transaction():
                outbox.add(run, run.key, "mail", {})

        Saga(store, "s", [Step("intend", intend, reads_only=True)], companions=[outbox]).run("g", {})
        run = all_runs(Journal(store))[-1].run
        with pytest.raises(Undelivered):
            outbox.deliver({"mail": send})
    assert f"outbox {run}:intend sending to mail, tried 1 times, next in 90 s" in said("show", "agent.db", run)[1]


def test_recovery_says_which_runs_wait_for_a_person(project: Path) -> None:
    """They are not the agent's to settle, so nothing else would say that they are there."""
    run = run_agent(ask=True)
    code, text = said("recover", "agent.db", "--agent", "noteagent:saga")
    waits = f"run {run} is with_person: a person settles it; see show"
    assert (code, text) == (0, f"settled: nothing was left\n{waits}\n")


def test_a_damaged_message_is_shown_and_not_requeued(project: Path, capsys: Any) -> None:
    """Whoever looks sees it before it was ever tried, and what was found in its row when it is a dead letter."""
    with Store(Path("agent.db")) as store:
        outbox = Outbox(store, max_attempts=1)

        def intend(run: Any) -> None:
            with store.transaction():
                outbox.add(run, run.key, "mail", {"to": "ada"})

        Saga(store, "s", [Step("intend", intend, reads_only=True)], companions=[outbox]).run("g", {})
        run = all_runs(Journal(store))[-1].run
        with store.transaction():
            store.write("UPDATE outbox SET body = 'x'")
        assert f"outbox {run}:intend ready to mail, damaged" in said("show", "agent.db", run)[1]
        with pytest.raises(Undelivered):
            outbox.deliver({"mail": lambda message: None})
    key = f"{run}:intend"
    assert "is not as it was written; when it is settled by hand" in refused(capsys, "requeue", "agent.db", key)
    assert '"body": {"text": "x"}' in said("dead-letters", "agent.db", key)[1]
