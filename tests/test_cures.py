"""A change is tried against each cause, and claimed only where the finding is gone and nothing else appears."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.engine.cures.as_one import AsOne
from rollproof.engine.cures.keyed import Keyed
from rollproof.engine.cures.treated import Treated
from rollproof.engine.curing import plainly
from rollproof.engine.process_runs import ProcessRun, RawState, Sent
from rollproof.values import kinds
from rollproof.values.http import HttpRequest
from rollproof.values.points import Effect, Point
from rollproof.values.schedule import Schedule

from .exploring import explored, in_two_folders, only, two_folders
from .test_mutants import agent

SERVICE = "https://api.mail.test"
GONE = "the finding is gone"


def mutant(name: str) -> Any:
    """Return a wrong agent by its short name."""
    return agent(f"wrong_{name}")


@pytest.mark.parametrize(
    ("name", "faults", "kind", "tried"),
    [
        (
            "effect_twice_after_timeout",
            ("http.timeout",),
            kinds.REPEATED,
            "with a stable Idempotency-Key on this call",
        ),
        ("new_key_for_each_attempt", (), kinds.KEY_CHANGES, "with a stable Idempotency-Key on this call"),
        ("checkpoint_torn", (), kinds.NOT_ATOMIC, "with agent/import.json written as one"),
        ("rows_replaced_without_transaction", (), kinds.NO_TRANSACTION, "with prices.db written as one"),
        ("row_without_file", (), kinds.RECORDED_BEFORE_DONE, "with archive/lease.txt before archive/catalog.db"),
        ("work_before_intent", (), kinds.RECORDED_TOO_LATE, "with agent/state.db before shared/terms.md"),
        ("log_dropped_before_undo", (), kinds.JOURNAL_DROPPED, "with shared/prices.html before agent/undo.json"),
        (
            "checkpoint_before_effect",
            (),
            kinds.RECORDED_BEFORE_DONE,
            "with api.notices.test/notices before agent/progress.db",
        ),
        (
            "handler_forgets_first",
            ("http.server_error",),
            kinds.JOURNAL_DROPPED,
            "with shared/page.html before agent/begun",
        ),
        (
            "new_message_id_for_each_attempt",
            ("mail.lost_answer",),
            kinds.KEY_CHANGES,
            "with a stable Message-ID on this mail",
        ),
        (
            "lease_left_after_error",
            (),
            kinds.LEASE_NOT_ENDED,
            "with a lease in agent/state.db that has run out when recovery begins",
        ),
    ],
)
def test_a_change_that_helps_is_claimed(
    name: str, faults: tuple[str, ...], kind: str, tried: str, tmp_path: Path
) -> None:
    """It says what was changed, and that the finding is gone and nothing else appears, and so which kind it is."""
    (finding,) = explored(mutant(name), tmp_path / "it", **only("process.kill", *faults)).violations
    assert (finding.kind, finding.cure.tried) == (kind, tried)
    assert finding.cure.helps
    assert finding.cure.outcome.startswith(GONE)
    assert "; nothing else appears in " in finding.cure.outcome


def test_where_no_change_helps_none_is_claimed(tmp_path: Path) -> None:
    """A job that nobody takes up again stays there, whatever is done in another order, or as one, or once more.

    Each change stands once in what was tried.
    """
    result = explored(mutant("queue_claim"), tmp_path / "it", **only("process.kill"))
    (finding,) = result.violations
    changes = finding.cure.tried.split(", ")
    assert len(set(changes)) == len(changes) > 1
    assert finding.cure.outcome == "none of these changes helps"
    assert not finding.cure.helps
    assert GONE not in finding.cure.outcome


def sends(shared: Path, own: Path, *, key: bool) -> str:
    """Tick a letter off before it goes out; with a key it may go out again."""
    ticked = own / "ticked"
    if not ticked.exists():
        ticked.touch()
        headers = {"Idempotency-Key": "letter-1"} if key else {}
        httpx.post(f"{SERVICE}/mails", json={"to": "ada"}, headers=headers, timeout=5).raise_for_status()
    return "sent"


def appends(shared: Path, own: Path) -> str:
    """Tick an entry off before it is added to a list."""
    ticked = own / "ticked"
    if not ticked.exists():
        ticked.touch()
        with open(shared / "list.txt", "a") as file:
            file.write("an entry\n")
    return "added"


def test_a_change_that_makes_something_else_appear_is_not_claimed(tmp_path: Path) -> None:
    """In the other order the entry is added twice: one thing is wrong instead of another."""
    (finding,) = explored(in_two_folders(appends), tmp_path / "it", **only("process.kill")).violations
    assert "with shared/list.txt before own/ticked" in finding.cure.tried
    assert not finding.cure.helps


@pytest.mark.parametrize(("key", "tried"), [(True, ""), (False, " and with a stable Idempotency-Key on that call")])
def test_a_call_in_the_other_order_needs_a_key(key: bool, tried: str, tmp_path: Path) -> None:
    """Sent before it is ticked off, a letter goes out again after a crash: only a key makes that harmless."""

    def explore(chaos: Any, folder: Path) -> None:
        chaos.api(SERVICE)
        in_two_folders(lambda shared, own: sends(shared, own, key=key)).explore(chaos, folder)

    (finding,) = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill")).violations
    assert finding.cure.tried == f"with api.mail.test/mails before own/ticked{tried}"
    assert finding.kind == kinds.RECORDED_BEFORE_DONE
    assert finding.cure.helps


PRINTER = (
    "import sqlite3, sys; s = sqlite3.connect(sys.argv[1]); s.execute('INSERT INTO pages VALUES (?)', sys.argv[2:])"
)


def prints(shared: Path, own: Path, *, late: bool) -> str:
    """Let a program print a page and note that: at once, or `late`. The program knows no keys."""
    noted = own / "printed"
    if not noted.exists():
        subprocess.run([sys.executable, "-S", "-E", "-c", f"{PRINTER}; s.commit()", shared / "queue.db", "page 1"])
        if late:
            (shared / "said").mkdir(exist_ok=True)
        noted.touch()
    return "printed"


@pytest.mark.parametrize("late", [False, True])
def test_what_nobody_can_do_just_once_is_told_from_a_defect(late: bool, tmp_path: Path) -> None:
    """A page that is noted at once may still be printed twice; where it is noted late, that is the agent's doing."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        with closing(sqlite3.connect(shared / "queue.db")) as queue:
            queue.execute("CREATE TABLE pages (text)")
        chaos.explore(run=lambda: prints(shared, own, late=late))

    found = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill")).violations
    (twice,) = (finding for finding in found if finding.cause is not None and finding.cause.way == "twice")
    assert not twice.cure.helps
    assert (twice.kind == kinds.AT_LEAST_ONCE) == (not late)


def test_what_cures_take_is_no_part_of_the_exploration(tmp_path: Path) -> None:
    """Where nothing is found, and where something is, the statement tells the processes of the exploration alone."""
    result = explored(in_two_folders(appends), tmp_path / "it", **only("process.kill"))
    assert f"in {result.executions} executions" in result.statement
    assert result.executions < 20


def test_a_change_that_was_tried_alone_and_with_more_stands_once() -> None:
    """What it was tried with as well is said behind it."""
    first, other = "with a.db before b.md", "with one more recovery"
    tried = [first, f"{first} and with a key", other]
    assert list(plainly(tried)) == [f"{first}, alone and with a key", other]


@pytest.mark.parametrize(
    ("role", "planned", "where"),
    [("run", 0, "run"), ("run", 1, "handler"), ("recover", 0, "recovery"), ("recover", 1, "recovery")],
)
def test_a_fault_that_lasts_is_one_of_the_recovery_where_it_ends_that(role: Any, planned: int, where: str) -> None:
    """A change of the run's own code is none of what a recovery does, though the fault is one of the run."""
    state, asked = RawState(None, (), 0.0), list[str]()  # type: ignore[arg-type]
    (fault,) = Schedule.parse("storage.full~lasting@file.write:a/b#1:before").injections

    def reaches(here: str, point: Point) -> bool:
        asked.append(here)
        return False

    treated = Treated(None, AsOne((), "run"), lambda _: None, {}, reaches, lambda: False)  # type: ignore[arg-type]
    assert treated.left(ProcessRun(role, state, planned=planned), state, fault) is state
    assert asked == [where]


def posts(*letters: str, key: str = "") -> ProcessRun:
    """Return a process that sent these letters, each under this key."""
    process = ProcessRun("run", RawState(None, (), 0.0))  # type: ignore[arg-type]
    for number, letter in enumerate(letters, 1):
        point = Point("http", "post", "api.mail.test/mails", number)
        process.effects[point] = Effect(point, request=HttpRequest("POST", f"{SERVICE}/mails", body=letter.encode()))
        process.sent.append(Sent(point, key=key))
    return process


@pytest.mark.parametrize(
    ("processes", "spared"),
    [
        ([posts("a"), posts("b")], True),
        ([posts("a"), posts("a")], False),
        ([posts("a", "a")], False),
        ([posts("a", key="1"), posts("b", key="2")], True),
        ([posts("a", "b", key="1")], False),
        ([posts("b").in_short()], True),
        ([posts("a").in_short(), posts("b")], False),
    ],
)
def test_a_key_makes_a_difference_where_one_comes_again(processes: list[ProcessRun], spared: bool) -> None:
    """Of the letters a and b each goes out once; not more than two went out in any of these."""
    run = posts("a", "b")
    handled = [(process, sent) for process in processes for sent in process.sent]
    assert Keyed("api.mail.test/mails", run, run).spares(handled) == spared
