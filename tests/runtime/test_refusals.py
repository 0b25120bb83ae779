"""What is wrong is said in one clear error, with what to type instead, and before anything happens."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rollproof.runtime import (
    AsyncSaga,
    Decision,
    Fence,
    FileTransactions,
    FolderContents,
    Found,
    Journal,
    NeedsPerson,
    PlannedAgent,
    PlanRejected,
    Reality,
    Releases,
    Rules,
    Run,
    Saga,
    Staging,
    Status,
    Step,
    Store,
    StoreError,
    Tool,
    UnfinishedRun,
    UnknownStep,
    Versions,
    read_plan,
)
from rollproof.runtime.progress import all_runs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an open store in a folder of its own."""
    with Store(tmp_path / "agent.db") as opened:
        yield opened


def nothing(run: Run) -> None:
    """Succeed."""


# steps


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([Step("a", nothing)], r"step 'a' has no undo: .*undo=\.\.\..*reads_only=True.*irreversible=True"),
        ([Step("a", nothing, undo=nothing, reads_only=True)], "step 'a' has an undo and reads only"),
        ([Step("a", nothing, irreversible=True, reads_only=True)], "step 'a' is irreversible and reads only"),
        ([Step("a", nothing, undo=nothing), nothing], "step 2 is <function nothing"),
        ([("a", nothing)], r"step 1 is \('a', .*each in a Step"),
        (Step("a", nothing, undo=nothing), r"takes a list of steps, .* not Step\(name='a'"),
        (None, "takes a list of steps, .* not None"),
        ([Step("", nothing, undo=nothing)], "the name of a step is a text, not ''"),
        ([Step("a", None, undo=nothing)], "step 'a': act is None, no function"),  # type: ignore[arg-type]
        ([Step("a", nothing, undo="rm a")], "step 'a': undo is 'rm a', no function"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_list_of_steps_is_refused(store: Store, steps: Any, words: str) -> None:
    """The step is named, with the ways out; no database is made."""
    with pytest.raises((TypeError, ValueError), match=words):
        Saga(store, "s", steps)
    assert not store.path.exists()


def test_a_path_is_no_store(tmp_path: Path) -> None:
    """It is told when the saga is made."""
    store: Any = tmp_path / "agent.db"
    with pytest.raises(TypeError, match=r"the store is PosixPath\(.*give an open one: with Store\('agent.db'\)"):
        Saga(store, "s", [Step("a", nothing, reads_only=True)])


def test_steps_may_come_from_a_generator(store: Store) -> None:
    """They are taken from it once."""
    saga = Saga(store, "s", (Step(name, nothing, reads_only=True) for name in "ab"))  # type: ignore[arg-type]
    assert [step.name for step in saga.steps] == ["a", "b"]


async def later(run: Run) -> None:
    """Succeed, once somebody waits for it."""


@pytest.mark.parametrize("part", ["act", "undo", "look"])
@pytest.mark.parametrize("function", [later, functools.partial(later)], ids=["function", "partial"])
def test_a_coroutine_function_is_refused(store: Store, part: str, function: Any) -> None:
    """It would be called, and never carried out: an undo that undoes nothing."""
    parts: dict[str, Any] = {"act": nothing, "undo": nothing, part: function}
    with pytest.raises(TypeError, match=f"step 'a': {part} is a coroutine function; AsyncSaga waits for those"):
        Saga(store, "s", [Step("a", **parts)])


def test_an_undo_that_nobody_waits_for_undid_nothing(store: Store, clock: Any) -> None:
    """A plain function that gives a coroutine cannot be seen before it is called; the run stays unfinished."""

    def fail(run: Run) -> None:
        raise ValueError

    undo: Any = lambda run: later(run)  # noqa: E731
    saga = Saga(store, "s", [Step("a", fail, undo=undo)])
    with pytest.raises(TypeError, match="step 'a' returned a coroutine and did nothing: AsyncSaga waits for those"):
        saga.run("goal", {})
    assert all_runs(Journal(store))[0].status is Status.UNDOING


@pytest.mark.parametrize("after_crash", ["resum", None, "rollback"])
def test_a_wrong_word_for_after_crash_is_refused(store: Store, after_crash: Any) -> None:
    """It would mean to roll back."""
    with pytest.raises(ValueError, match=f"after_crash is {after_crash!r}; it is 'roll_back' or 'resume'"):
        Saga(store, "s", [Step("a", nothing, reads_only=True)], after_crash=after_crash)


# variables


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (None, "the variables of 's': a NoneType; variables are a mapping"),
        ([1], "the variables of 's': a list"),
        ({"at": Path("a")}, "the variables of 's': 'at' is a PosixPath that is not JSON"),
        ({"at": {"deep": {1, 2}}}, "'at' is a dict that is not JSON"),
        ({"at": float("nan")}, "'at' is a float that is not JSON"),
        ({"at": "\ud800"}, "'at' is a str that is not JSON"),
        ({1: "one"}, "the name 1 is no text"),
    ],
    ids=["None", "list", "path", "set", "nan", "surrogate", "name"],
)
def test_variables_that_are_not_json_are_refused(store: Store, variables: Any, words: str) -> None:
    """The one that is not is named, and nothing is written."""
    with pytest.raises(TypeError, match=words):
        Saga(store, "s", [Step("a", nothing, reads_only=True)]).run("goal", variables)
    assert not store.path.exists()


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("done", "what the act of step 'last' returned: a str; variables are a mapping"),
        (0, "a int; variables are a mapping"),
        ({"path": Path("a")}, "'path' is a PosixPath that is not JSON"),
    ],
)
def test_what_an_act_returns_is_variables(store: Store, returned: Any, words: str) -> None:
    """Also what the last step returns, which no step after it needs; what was done is undone."""
    undone: list[str] = []
    saga = Saga(store, "s", [Step("last", lambda run: returned, undo=lambda run: undone.append("last"))])
    with pytest.raises(TypeError, match=words):
        saga.run("goal", {})
    assert undone == ["last"]


def test_a_step_sees_what_a_restart_would_see(store: Store) -> None:
    """A tuple is a list in the database, so it is one for the step after it, too."""
    steps = [Step("a", lambda run: {"pair": (1, 2)}, reads_only=True), Step("b", nothing, reads_only=True)]
    assert Saga(store, "s", steps).run("goal", {}) == {"pair": [1, 2]}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (True, r"the look of step 'a' returned a bool; give Found\(Reality"),
        (Found(Reality.PRESENT, {"at": Path("a")}), "what the look of step 'a' learned: 'at' is a PosixPath"),
    ],
)
def test_a_look_gives_found(store: Store, answer: Any, words: str) -> None:
    """True is no answer, since whether it means ours is not said; what it learned is stored."""
    saga = Saga(store, "s", [Step("a", nothing, undo=nothing, look=lambda run: answer)])
    saga.run("goal", {})
    with pytest.raises(TypeError, match=words):
        saga.differences(all_runs(Journal(store))[0].run)


# a run whose steps were renamed


def saga_of(store: Store, names: str, undone: list[str], act: Callable[[Run], None] = nothing) -> Saga:
    """Give a saga with a step for each letter."""
    return Saga(store, "s", [Step(name, act, undo=lambda run: undone.append(run.step)) for name in names])


def unfinished(store: Store, names: str, undone: list[str]) -> str:
    """Leave a run of some steps with a person, and give its id."""

    def ask(run: Run) -> None:
        if run.step == names[-1]:
            raise NeedsPerson("look")

    with pytest.raises(NeedsPerson):
        saga_of(store, names, undone, ask).run("goal", {})
    return all_runs(Journal(store))[0].run


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("axc", "took 'b', which the saga no longer has; the steps by now are a, x, c. Nothing was done: .* old name"),
        ("bac", "took a, b, in this order; the steps by now are b, a, c"),
        ("axbc", "took a, b, in this order"),
    ],
)
def test_a_run_whose_steps_were_renamed_is_refused(store: Store, names: str, words: str) -> None:
    """Going on would leave one out; nothing is done, and with the old steps all is well again."""
    undone: list[str] = []
    run = unfinished(store, "ab", undone)
    events = len(list(Journal(store).entries()))
    changed = saga_of(store, names, undone)
    for ask in (changed.differences, lambda run: changed.hand_back(run, Decision.GO_ON)):
        with pytest.raises(UnknownStep, match=f"run {run} of 's' {words}"):
            ask(run)
    assert len(list(Journal(store).entries())) == events
    assert saga_of(store, "ab", undone).hand_back(run, Decision.ROLL_BACK) is Status.ROLLED_BACK
    assert undone == ["b", "a"]


def test_recovery_and_the_next_run_say_that_a_step_was_renamed(store: Store, clock: Any) -> None:
    """Recovery names it; a new run says that recovery comes first."""

    def fail(run: Run) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        Saga(store, "s", [Step("a", nothing, undo=fail), Step("b", fail, undo=nothing)]).run("goal", {})
    renamed = Saga(store, "s", [Step("c", nothing, undo=nothing)])
    with pytest.raises(UnknownStep, match="took 'a', which the saga no longer has"):
        renamed.recover()
    with pytest.raises(UnfinishedRun):
        renamed.run("goal", {})


def test_a_run_that_only_goes_back_needs_its_steps_alone(store: Store) -> None:
    """A step that came in between is none of its."""
    undone: list[str] = []
    saga_of(store, "ab", undone).run("goal", {})
    assert saga_of(store, "axb", undone).roll_back(all_runs(Journal(store))[0].run) is Status.ROLLED_BACK
    assert undone == ["b", "a"]


# the store


def test_a_store_takes_text(tmp_path: Path) -> None:
    """As every other function that takes a path."""
    with Store(str(tmp_path / "agent.db")) as store:
        Saga(store, "s", [Step("a", nothing, reads_only=True)]).run("goal", {})
    assert (tmp_path / "agent.db").exists()


@pytest.mark.parametrize(
    ("path", "words"), [("nowhere/agent.db", "there is no folder .*nowhere for agent.db"), (".", "is a folder")]
)
def test_a_path_that_can_be_no_database_is_named(tmp_path: Path, path: str, words: str) -> None:
    """To the one who reads, too: a path with a typing error does not look like a database without runs."""
    saga = Saga(Store(tmp_path / path), "s", [Step("a", nothing, reads_only=True)])
    with pytest.raises(StoreError, match=words):
        saga.run("goal", {})
    with pytest.raises(StoreError, match=words):
        saga.recover()


def test_a_store_in_memory_is_refused() -> None:
    """It would forget all, the first time that a transaction fails."""
    with pytest.raises(StoreError, match="':memory:' is no file"):
        Store(":memory:")


# plans


@pytest.mark.parametrize("text", [None, b"{}", {"goal": "g"}])
def test_an_answer_without_text_is_no_plan(tmp_path: Path, text: Any) -> None:
    """Models give None where they call a tool instead."""
    with pytest.raises(PlanRejected, match=f"the answer is no text, but {type(text).__name__}"):
        read_plan(text, "stop", {}, Rules(tmp_path))


def no_tool(run: Run, given: Any) -> None:
    """Succeed."""


@pytest.mark.parametrize(
    ("tools", "rules", "words"),
    [
        ([Tool("a", no_tool, {})], Rules(Path()), "tools is a list; give a mapping"),
        ({"a": no_tool}, Rules(Path()), r"tool 'a' is .*; give a Tool\('a'"),
        ({"a": Tool("a", no_tool, {"n": "int"})}, Rules(Path()), "'n' is of 'int'; give str, int"),  # type: ignore[dict-item]
        ({}, Path(), r"rules is a PosixPath; give Rules\(workspace\)"),
        ({}, Rules("work"), r"give a Path: Path\('work'\)"),  # type: ignore[arg-type]
    ],
    ids=["tools", "tool", "parameter", "rules", "workspace"],
)
def test_wrong_tools_and_rules_are_no_fault_of_the_model(tools: Any, rules: Any, words: str) -> None:
    """They are told from a plan that is refused."""
    with pytest.raises(TypeError, match=words):
        read_plan("{}", "stop", tools, rules)


def test_a_plan_whose_tool_is_gone_is_refused(store: Store) -> None:
    """An agent that starts with other tools leaves what an earlier one began, and names the tool."""

    def ask(run: Run, given: Any) -> None:
        raise NeedsPerson("look")

    tools = {"ask": Tool("ask", ask, {}, reads_only=True)}
    text = '{"goal": "g", "steps": [{"tool": "ask", "arguments": {}}]}'
    agent = PlannedAgent(store, tools)
    digest = agent.propose(read_plan(text, "stop", tools, Rules(Path()))).digest
    agent.approve(digest, "ada")
    with pytest.raises(NeedsPerson):
        agent.carry_out(digest)
    with pytest.raises(UnknownStep, match="uses the tool 'ask', and there are none"):
        PlannedAgent(store, {}).saga(digest)
    with pytest.raises(TypeError, match="tools is a list; give a mapping"):
        PlannedAgent(store, list(tools.values()))  # type: ignore[arg-type]


# files


def files_in(root: Path, store: Store) -> dict[str, Callable[[Any], object]]:
    """Give, by the name of the part, what writes a content."""
    for name in ("files", "staging", "contents"):
        (root / name).mkdir()
    files, staging = str(root / "files"), str(root / "staging")  # as text, which each of them takes
    versions = Versions(store, FolderContents(str(root / "contents")), files, staging)

    def in_transaction(content: Any) -> None:
        with FileTransactions(store, files, staging).transaction() as work:
            work.write("a", content)

    return {
        "Staging": lambda content: Staging(f"{staging}/workspace", f"{files}/set").fill({"a": content}),
        "Releases": lambda content: Releases(files, f"{staging}/workspace").fill({"a": content}),
        "Versions": lambda content: versions.save("a", content),
        "FileTransactions": in_transaction,
        "Fence": lambda content: Fence(files, staging).write(1, "a", content),
    }


@pytest.mark.parametrize("part", ["Staging", "Releases", "Versions", "FileTransactions", "Fence"])
def test_text_is_no_content(tmp_path: Path, store: Store, part: str) -> None:
    """The file is named, and how text becomes bytes; nothing was made."""
    write = files_in(tmp_path, store)[part]
    with pytest.raises(TypeError, match=r"the content of 'a' is str, not bytes: encode it, text\.encode\(\)"):
        write("text")
    assert not [path for name in ("files", "staging", "contents") for path in (tmp_path / name).iterdir()]
    write(b"bytes")


def test_a_version_in_a_folder_that_is_not_there_is_refused(tmp_path: Path, store: Store) -> None:
    """Nothing is kept and nothing is listed, so it works once the folder is made."""
    files_in(tmp_path, store)
    versions = Versions(store, FolderContents(tmp_path / "contents"), tmp_path / "files", tmp_path / "staging")
    with pytest.raises(FileNotFoundError, match=r"make it first: '.*/files/sub'"):
        versions.save("sub/a", b"1")
    assert versions.history("sub/a") == []
    assert not list((tmp_path / "contents").iterdir())
    (tmp_path / "files" / "sub").mkdir()
    versions.save("sub/a", b"1")
    versions.save("sub/a", b"2")
    assert (tmp_path / "files" / "sub" / "a").read_bytes() == b"2"


@pytest.mark.parametrize("part", ["act", "undo", "look"])
def test_a_tool_that_is_a_coroutine_function_is_refused(store: Store, part: str) -> None:
    """Before anything is proposed; the same plan can be carried out by an AsyncSaga."""

    async def later(run: Run, given: Any) -> Any:
        raise AssertionError("never called")

    parts = {"act": lambda run, given: None, "undo": lambda run, given: None, part: later}
    tools = {"a": Tool("a", parameters={}, **parts)}
    with pytest.raises(
        TypeError, match=f"tool 'a': {part} is a coroutine function, which a PlannedAgent does not await"
    ):
        PlannedAgent(store, tools)


def test_a_plan_with_coroutine_functions_is_carried_out_by_an_async_saga(store: Store, tmp_path: Path) -> None:
    """As the refusal says."""

    async def add(run: Run, given: Any) -> dict[str, int]:
        return {"sum": given["n"] + 1}

    tools = {"add": Tool("add", add, {"n": int}, reads_only=True)}
    text = '{"goal": "g", "steps": [{"tool": "add", "arguments": {"n": 2}}]}'
    plan = read_plan(text, "stop", tools, Rules(tmp_path))
    assert asyncio.run(AsyncSaga(store, "plan", plan.steps(tools)).run(plan.goal, {})) == {"sum": 3}
