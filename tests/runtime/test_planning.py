"""Plans, approvals, rehearsals: what is looked at before anything happens."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rollproof.runtime import (
    Journal,
    NotApproved,
    PlannedAgent,
    PlanRejected,
    Rules,
    Run,
    Step,
    Store,
    Tool,
    read_plan,
    rehearse,
)
from rollproof.runtime.rehearsal import described


def act(run: Run, given: Any) -> None:
    """Succeed."""


TOOLS = {
    "write": Tool("write", act, {"path": str, "text": str}, undo=act, paths=("path",)),
    "wait": Tool("wait", act, {"seconds": int}, reads_only=True),
    "mail": Tool("mail", act, {"to": str}, irreversible=True),
    "drop": Tool("drop", act, {"table": str}),
    "heat": Tool("heat", act, {"degrees": float}, undo=act),
}


def plan_text(*steps: tuple[str, dict[str, Any]], **changed: Any) -> str:
    """Write a plan."""
    listed = [{"tool": tool, "arguments": arguments} for tool, arguments in steps]
    return json.dumps({"goal": "g", "steps": listed, **changed})


WRITE = ("write", {"path": "a/b.txt", "text": "x"})
MAIL = ("mail", {"to": "ada"})
GOOD = plan_text(WRITE, ("wait", {"seconds": 1}), MAIL)


def rejected(text: str, root: Path, finish: str = "stop", **rules: Any) -> str:
    """Give why a plan is refused."""
    with pytest.raises(PlanRejected) as caught:
        read_plan(text, finish, TOOLS, Rules(root, **rules))
    return str(caught.value)


def test_a_good_plan_is_accepted_whole(tmp_path: Path) -> None:
    """Its digest names exactly it."""
    plan = read_plan(GOOD, "stop", TOOLS, Rules(tmp_path))
    assert [action.tool for action in plan.actions] == ["write", "wait", "mail"]
    assert [step.irreversible for step in plan.steps(TOOLS)] == [False, False, True]
    assert plan.digest != read_plan(GOOD.replace("ada", "bob"), "stop", TOOLS, Rules(tmp_path)).digest


@pytest.mark.parametrize("degrees", [20.5, 20])
def test_a_whole_number_is_a_number(tmp_path: Path, degrees: float) -> None:
    """JSON knows one kind of number, and models leave `.0` out."""
    plan = read_plan(plan_text(("heat", {"degrees": degrees})), "stop", TOOLS, Rules(tmp_path))
    assert plan.actions[0].arguments == {"degrees": degrees}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD[:-1], "not JSON"),
        (GOOD[:-2] + ",]}", "not JSON"),
        ("{'goal': 'g'}", "not JSON"),
        ("[]", "$ is an array, not object"),
        (plan_text(WRITE, extra=1), "$ has 1 more than"),
        ('{"goal": "g", "goal": "h", "steps": []}', "a name appears twice"),
        (plan_text(("wait", {"seconds": float("nan")})), "NaN"),
        (plan_text(("write", {"path": "a", "text": "\ud83d"})), "not JSON"),
        (GOOD.replace('"seconds": 1', '"seconds": 1e999'), "not JSON"),
        ("[" * 100_000, "not JSON"),
        (plan_text(), "$.steps is shorter than 1"),
        (plan_text(WRITE, goal=""), "$.goal is shorter than 1"),
        ('{"goal": "g", "steps": ["write"]}', "$.steps[0] is a string, not object"),
        (plan_text(("rm", {"path": "/"})), "'rm' is not allowed"),
        (plan_text(("write", {"path": "a"})), "takes ['path', 'text'], not ['path']"),
        (plan_text(("wait", {"seconds": "1"})), "seconds is str, not int"),
        (plan_text(("wait", {"seconds": True})), "seconds is bool, not int"),
        (plan_text(("heat", {"degrees": True})), "degrees is bool, not float"),
        (plan_text(("write", {"path": "../a", "text": ""})), "leaves the workspace"),
        (plan_text(("write", {"path": "/etc/passwd", "text": ""})), "leaves the workspace"),
        (plan_text(("write", {"path": "a\0b", "text": ""})), "leaves the workspace"),
        (plan_text(("write", {"path": "link/a", "text": ""})), "leaves the workspace"),
        (plan_text(MAIL, WRITE), "irreversible, and not the last step"),
        (plan_text(("drop", {"table": "t"})), "has no undo"),
        (plan_text(*[WRITE] * 21), "21 steps, and 20 are allowed"),
    ],
)
def test_an_unsafe_or_malformed_plan_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """And the reason is said; nothing was touched."""
    (tmp_path / "link").symlink_to("/")
    before = sorted(tmp_path.iterdir())
    assert reason in rejected(text, tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_every_prefix_of_a_plan_is_refused(tmp_path: Path) -> None:
    """Wherever a model's answer is cut, none of it is a plan."""
    for end in range(len(GOOD)):
        rejected(GOOD[:end], tmp_path)
    assert "not complete: length" in rejected(GOOD, tmp_path, "length")


def test_limits_and_own_rules(tmp_path: Path) -> None:
    """Length of the text, tools of this agent, and whatever else somebody wants."""
    assert "characters" in rejected(GOOD, tmp_path, max_characters=10)
    assert "'mail' is not allowed" in rejected(GOOD, tmp_path, allowed=frozenset({"write", "wait"}))
    assert "not on Fridays" in rejected(GOOD, tmp_path, checks=(lambda plan: iter(["not on Fridays"]),))


# shadow


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an open store."""
    with Store(tmp_path / "agent.db") as opened:
        yield opened


def proposing(store: Store, done: list[str]) -> tuple[PlannedAgent, str]:
    """Give an agent with one proposal."""

    def mail(run: Run, given: Any) -> None:
        done.append(given["to"])

    tools = {**TOOLS, "mail": Tool("mail", mail, {"to": str}, irreversible=True)}
    agent = PlannedAgent(store, tools)
    return agent, agent.propose(read_plan(GOOD, "stop", tools, Rules(store.path.parent))).digest


def test_a_proposal_says_what_would_happen_and_does_nothing(store: Store) -> None:
    """For each step what it would do, and what its rollback would do."""
    done: list[str] = []
    agent, digest = proposing(store, done)
    assert [line.partition("; ")[2] for line in agent.proposal(digest).lines] == [
        "rollback would do undo write(path='a/b.txt', text='x')",
        "rollback would do nothing: reads only",
        "rollback would do nothing: irreversible",
    ]
    assert done == []
    assert not (store.path.parent / "a").exists()


def test_an_approval_starts_one_run(store: Store) -> None:
    """Not before it is given, and not a second time."""
    done: list[str] = []
    agent, digest = proposing(store, done)
    with pytest.raises(NotApproved, match="is not approved"):
        agent.carry_out(digest)
    agent.approve(digest, "ada")
    agent.carry_out(digest)
    with pytest.raises(NotApproved, match="was used"):
        agent.carry_out(digest)
    with pytest.raises(NotApproved, match="propose it again"):
        agent.approve(digest, "ada")
    assert done == ["ada"]


def test_a_plan_that_was_changed_after_its_approval_does_not_run(store: Store) -> None:
    """The digest is compared with the text that would be carried out."""
    done: list[str] = []
    agent, digest = proposing(store, done)
    agent.approve(digest, "ada")
    with store.transaction():
        store.write("UPDATE approvals SET body = replace(body, 'ada', 'eve')")
    with pytest.raises(NotApproved, match="was changed"):
        agent.carry_out(digest)
    assert done == []


def test_what_was_refused_does_not_run(store: Store) -> None:
    """By a person or by a rule; the journal keeps who."""
    agent, digest = proposing(store, [])
    assert not agent.approve_by(lambda plan: len(plan.actions) < 3, agent.proposal(digest), "short plans only")
    with pytest.raises(NotApproved):
        agent.carry_out(digest)
    assert [entry.detail.get("by") for entry in Journal(store).entries() if entry.event == "refused"] == [
        "short plans only"
    ]


def test_a_plan_that_cannot_be_recovered_keeps_up_no_other(store: Store, clock: Any) -> None:
    """What is wrong with the first is raised when all the others are settled."""
    undone: list[str] = []
    broken = {"first", "second"}

    def fail(run: Run, given: Any) -> None:
        raise ValueError

    def undo(run: Run, given: Any) -> None:
        if given["path"] in broken:
            raise RuntimeError(given["path"])
        undone.append(given["path"])

    tools = {"write": Tool("write", fail, {"path": str, "text": str}, undo=undo)}
    for path in ("first", "second"):
        agent = PlannedAgent(store, tools, lock=path)
        plan = read_plan(plan_text(("write", {"path": path, "text": ""})), "stop", TOOLS, Rules(store.path.parent))
        agent.approve(agent.propose(plan).digest, "ada")
        with pytest.raises(RuntimeError, match=path):
            agent.carry_out(plan.digest)
    broken.remove("second")
    with pytest.raises(RuntimeError, match="first"):
        agent.recover()
    assert undone == ["second"]
    broken.clear()
    agent.recover()
    assert undone == ["second", "first"]


# rehearsal


RIGHT = Step("right", lambda run: None, undo=lambda run: None)


@pytest.mark.parametrize(("undo", "kind"), [("rm -f p", "right"), ("rm p", "raised"), ("touch b", "wrong")])
def test_missing_and_wrong_rollbacks_are_named(tmp_path: Path, undo: str, kind: str) -> None:
    """An undo that is right, one that cannot be repeated, one that undoes something else; the data stays as it is."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("a")

    def steps(folder: Path) -> list[Step]:
        command = undo.split()
        act = lambda run: (folder / "p").touch()  # noqa: E731
        back = {
            "rm -f p": lambda run: (folder / "p").unlink(missing_ok=True),
            "rm p": lambda run: (folder / "p").unlink(),
            "touch b": lambda run: (folder / "b").touch(),
        }
        return [RIGHT, Step(command[0], act, undo=back[undo])]

    found = {(each.step, each.when): each.kind for each in rehearse(data, tmp_path, steps)}
    assert found[("right", "after")] == "right"
    assert found[(undo.split()[0], "after")] == kind
    assert not (tmp_path / "data.rehearsal").exists()
    assert [path.name for path in data.iterdir()] == ["a"]


def test_a_missing_rollback_is_told_from_a_wrong_one(tmp_path: Path) -> None:
    """The step that has none is named."""
    (tmp_path / "data").write_text("a")
    steps = lambda path: [Step("cut", lambda run: path.unlink())]  # noqa: E731
    assert [str(each) for each in rehearse(tmp_path / "data", tmp_path, steps)] == [
        "right        error before cut",
        "missing      error after cut: data",
    ]


def test_a_bad_undo_hides_no_missing_one_behind_it(tmp_path: Path) -> None:
    """Each is named once, at its own step; a step that says it reads only and does not is one of them."""
    data = tmp_path / "data"
    data.mkdir()

    def steps(folder: Path) -> list[Step]:
        write = lambda run: (folder / run.step).write_text("x") and None  # noqa: E731
        remove = lambda run: (folder / run.step).unlink(missing_ok=True)  # noqa: E731
        return [
            Step("raises", write, undo=lambda run: (folder / "raises").unlink()),
            Step("does nothing", write, undo=lambda run: None),
            Step("is missing", write),
            Step("says it reads", write, reads_only=True),
            Step("is right", write, undo=remove),
            Step("reads", lambda run: None, reads_only=True),
            Step("is needless", lambda run: None),
        ]

    found = {
        each.step: f"{each.kind} {each.detail}" for each in rehearse(data, tmp_path, steps) if each.when == "after"
    }
    assert found.pop("raises").startswith("raised FileNotFoundError")
    assert found == {
        "does nothing": "wrong does nothing",
        "is missing": "missing is missing",
        "says it reads": "missing reads only, it says, and changed says it reads",
        "is right": "right ",
        "reads": "right ",
        "is needless": "missing changed nothing: say reads_only=True",
    }


def test_a_database_is_compared_by_its_rows_and_never_opened_for_writing(tmp_path: Path) -> None:
    """The original lies in a folder that cannot be written, and is byte for byte as before."""
    original = tmp_path / "shop" / "shop.db"
    original.parent.mkdir()
    with closing(sqlite3.connect(original)) as database:
        database.execute("CREATE TABLE t (x)")
        database.commit()
    content = original.read_bytes()

    def insert(path: Path, sql: str) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute(sql)
            database.commit()

    def steps(path: Path) -> list[Step]:
        return [
            Step("row", lambda run: insert(path, "INSERT INTO t VALUES (1)"), lambda run: insert(path, "DELETE FROM t"))
        ]

    original.chmod(0o400)
    original.parent.chmod(0o500)
    try:
        assert {each.kind for each in rehearse(original, tmp_path, steps)} == {"right"}
    finally:
        original.parent.chmod(0o700)
    assert original.read_bytes() == content
    assert list(described(original)) == ["shop.db"]


def linked(tmp_path: Path) -> Path:
    """Give data with a file, and links to it: relative, absolute, and one to nothing."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("a")
    (data / "near").symlink_to("a")
    (data / "far").symlink_to(data / "a")
    (data / "nowhere").symlink_to("gone")
    os.mkfifo(data / "pipe")
    return data


@pytest.mark.parametrize("name", ["a", "near", "far"])
def test_links_in_the_data_lead_into_the_copy(tmp_path: Path, name: str) -> None:
    """Whatever is written through one, the original stays as it is, and a rollback through one is right."""
    data = linked(tmp_path)

    def steps(folder: Path) -> list[Step]:
        write = lambda text: lambda run: (folder / name).write_text(text) and None  # noqa: E731
        return [Step("write", write("b"), undo=write("a")), Step("spoil", write("c"))]

    assert [str(each) for each in rehearse(data, tmp_path, steps)] == [
        "right        error before write",
        "right        error after write",
        "right        error before spoil",
        "missing      error after spoil: a",
    ]
    assert (data / "a").read_text() == "a"
    assert os.readlink(data / "far") == str(data / "a")


@pytest.mark.parametrize("target", ["/etc", "../other", "far/../../other"])
def test_data_with_a_link_that_leads_out_is_refused(tmp_path: Path, target: str) -> None:
    """A step could write through it what is no copy; nothing is tried."""
    data = linked(tmp_path)
    (tmp_path / "other").mkdir()
    (data / "out").symlink_to(target)
    with pytest.raises(ValueError, match=f"out leads to {target}, out of the data"):
        list(rehearse(data, tmp_path, lambda path: [RIGHT]))
    assert not (tmp_path / "data.rehearsal").exists()


def test_a_rehearsal_within_its_data_is_refused(tmp_path: Path) -> None:
    """It would write what must not be written."""
    with pytest.raises(ValueError, match="lies in"):
        list(rehearse(tmp_path, tmp_path, lambda path: []))
