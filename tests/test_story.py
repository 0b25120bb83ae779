"""The story of a finding: steps in true order, how each went, when and where, and what became of its effect."""

import json
import os
import sqlite3
from collections.abc import Callable
from itertools import pairwise, takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from openai import OpenAI
from rollproof.chaos import Chaos
from rollproof.engine.story import Told
from rollproof.values.events import PointReached, ProcessEnded, Reader
from rollproof.values.exploration import Exploration, Finding
from rollproof.values.replaying import ReplayCommand
from rollproof.values.report import reported
from rollproof.values.story import STORY_PHASES, Exchange, States, Step

from .exploring import explored, line_of, only, options, replayed, two_folders
from .test_mutants import agent

MAILS = "https://api.mail.test/mails"
Agent = Callable[[Path, Path], object]
Line = tuple[str, str, str, str, str]


def agent_of(run: Agent, recover: Agent | None = None) -> Any:
    """Return an agent with a watched folder, one of its own, a mail service and a model."""

    def explore(chaos: Any, folder: Path) -> None:
        shared, own = two_folders(chaos, folder)
        chaos.api("https://api.mail.test")
        chaos.llm({"Write": '{"title": "Solar", "body": "It is cheap."}'})
        again = None if recover is None else lambda: recover(shared, own)
        chaos.explore(run=lambda: run(shared, own), recover=again)

    return SimpleNamespace(explore=explore)


def told(finding: Finding) -> list[Line]:
    """Return life, phase, point, outcome and fate of each step but the promises."""
    steps = [step for step in finding.story if step.phase != "promises"]
    return [(step.life, step.phase, step.point, step.outcome, step.fate) for step in steps]


def found(result: Exploration, schedule: str) -> Finding:
    """Return the finding of a schedule."""
    assert (result.flaky, result.errors) == ((), ())
    return next(finding for finding in result.violations if finding.schedule == schedule)


def lines(steps: tuple[Step, ...]) -> list[int]:
    """Return the lines of the steps that have one; all of them are in this file."""
    placed = [step for step in steps if step.line]
    assert {step.file for step in placed} == {__file__}
    assert all(step.function for step in placed)
    return [step.line for step in placed]


def publish(shared: Path, own: Path) -> str:
    """Write a report with a model, and mail it; a slow mail service is asked again."""
    answer = OpenAI(api_key="k").chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Write the report"}]
    )
    report = json.loads(answer.choices[0].message.content or "")
    (own / "draft.md").write_text(str(report.get("title")))
    os.replace(own / "draft.md", shared / "report.md")
    for _ in range(2):
        try:
            httpx.post(MAILS, json={"to": "all"}).raise_for_status()
        except httpx.TimeoutException:
            continue
        break
    return "published"


def test_a_lost_answer_is_told_from_the_first_point_to_the_promises(tmp_path: Path) -> None:
    """What came before the fault has its outcome, the fault stands behind its effect, and the second mail is too many.

    The states are those before, at the fault and at the end; the model's exchange is there; a replay tells the same.
    """
    lost = "http.timeout@http.post:api.mail.test/mails#1:after"
    publishing = agent_of(publish, lambda shared, own: None)
    result = explored(publishing, tmp_path / "it", **only("http.timeout"))
    finding = found(result, lost)
    post, mails = "http.post:api.mail.test/mails#1", "api.mail.test/mails"
    assert told(finding) == [
        ("run", "before the fault", "llm.chat:api.openai.com#1", "200", ""),
        ("run", "before the fault", "file.open:own/draft.md#1", "created", "kept"),
        ("run", "before the fault", "file.write:own/draft.md#1", "5 bytes", "kept"),
        ("run", "before the fault", "file.replace:shared/report.md#1", "replaced", "kept"),
        ("run", "before the fault", post, "201", "kept"),
        ("run", "fault", post, "the answer is lost after the service had acted: ReadTimeout", ""),
        ("run", "after the fault", "http.post:api.mail.test/mails#2", "201", "repeated"),
        ("run", "after the fault", "", "returned 'published'", ""),
    ]
    promised = [(step.phase, step.point, step.outcome.partition(":")[0]) for step in finding.story[8:]]
    assert promised == [("promises", "", name) for name in finding.invariants]
    write, mail = (
        line_of(__file__, '(own / "draft.md").write'),
        line_of(__file__, 'httpx.post(MAILS, json={"to": "all"'),
    )
    assert lines(finding.story)[1:] == [
        write,
        write,
        line_of(__file__, 'os.replace(own / "draft.md"'),
        mail,
        mail,
        mail,
    ]
    times = [step.at_s for step in finding.story]
    assert times == sorted(times)
    assert times[0] < times[4] == times[5] < times[6]
    states = finding.states
    assert (mails in states.before, len(states.fault[mails]), len(states.end[mails])) == (False, 1, 2)
    assert [states.fault["shared/report.md"], states.right["shared/report.md"]] == ["Solar", [None, "Solar"]]
    assert [len(rows or ()) for rows in states.right[mails]] == [0, 1]
    (asked,) = finding.exchange
    assert (asked.step, asked.request["messages"][0]["content"]) == (0, "Write the report")
    assert json.loads(asked.answer["text"])["title"] == "Solar"
    violations = json.loads(json.dumps(reported(result, ReplayCommand.of_test("test_it", 0))))["violations"]
    reported_as = next(violation for violation in violations if violation["schedule"] == lost)
    assert [step["point"] for step in reported_as["story"]] == [step.point for step in finding.story]
    assert reported_as["states"]["right"][mails][0] is None
    again = replayed(publishing, tmp_path / "again", lost)
    assert told(again.violations[0]) == told(finding)


def test_a_killed_run_has_its_effects_and_so_has_a_recovery_that_raises(tmp_path: Path) -> None:
    """A checkpoint is torn by a kill in the middle of its write: recovery cannot read it, and leaves a lock."""

    def run(shared: Path, own: Path) -> None:
        with sqlite3.connect(shared / "jobs.db") as jobs:
            jobs.execute("CREATE TABLE jobs (name)")
            jobs.executemany("INSERT INTO jobs VALUES (?)", [("a",), ("b",)])
        jobs.close()
        (own / "state.json").write_text('{"done": ["a", "b"]}')

    def recover(shared: Path, own: Path) -> None:
        if (own / "state.json").exists():
            (own / "recovery.lock").write_text("")
            json.loads((own / "state.json").read_text())

    result = replayed(agent_of(run, recover), tmp_path / "it", "process.kill@file.write:own/state.json#1:middle")
    (finding, *_) = result.violations
    steps = told(finding)
    assert steps[:5] == [
        ("run", "before the fault", "sqlite.open:shared/jobs.db#1", "created", ""),
        ("run", "before the fault", "sqlite.create:shared/jobs.db:jobs#1", "created", "kept"),
        ("run", "before the fault", "sqlite.insert:shared/jobs.db:jobs#1", "2 rows", "kept"),
        ("run", "before the fault", "sqlite.commit:shared/jobs.db#1", "committed", "kept"),
        ("run", "before the fault", "file.open:own/state.json#1", "created", "kept"),
    ]
    assert steps[5:8] == [
        ("run", "before the fault", "file.write:own/state.json#1", "done in part", "torn"),
        ("run", "fault", "file.write:own/state.json#1", "the process is killed in the middle of it", ""),
        ("run", "after the fault", "", "killed", ""),
    ]
    recovery = [step for step in steps if step[0] == "recover"]
    assert recovery[0][1:4] == ("recovery", "file.open:own/recovery.lock#1", "created")
    assert recovery[-1][3].startswith("raises JSONDecodeError: ")
    ended = next(step for step in finding.story if step.life == "recover" and not step.point)
    assert (ended.file, ended.line) == (__file__, line_of(__file__, 'json.loads((own / "state.json").read_text())'))
    assert ended.at_s >= 1  # a process starts a second after the last one


def test_a_crash_in_the_recovery_is_a_fault_of_that_process(tmp_path: Path) -> None:
    """The recovery is killed after it took one of two files back; the next one is the second, and finds its marker."""

    def run(shared: Path, own: Path) -> None:
        for name in ("a", "b"):
            (shared / name).write_text(name)
        httpx.post(MAILS, json={"to": "ada"}).raise_for_status()

    def recover(shared: Path, own: Path) -> None:
        if (own / "begun").exists():
            return
        (own / "begun").touch()
        for name in ("a", "b"):
            (shared / name).unlink(missing_ok=True)
        (own / "begun").unlink()

    first, second = "http.server_error@http.post:api.mail.test/mails#1:before", "file.remove:shared/a#1"
    token = f"{first} + process.kill@recover/{second}:after"
    (finding, *_) = replayed(agent_of(run, recover), tmp_path / "it", token).violations
    steps = told(finding)
    assert steps[4:10] == [
        ("run", "fault", "http.post:api.mail.test/mails#1", "the service answers 500 and does not act", ""),
        ("run", "after the fault", "", steps[5][3], ""),
        ("recover", "recovery", "file.open:own/begun#1", "created", "kept"),
        ("recover", "recovery", second, "removed", "kept"),
        ("recover", "fault", second, "the process is killed after it is done", ""),
        ("recover", "recovery", "", "killed", ""),
    ]
    assert steps[5][3].startswith("raises HTTPStatusError: ")
    assert steps[10] == ("recover 2", "recovery", "", "returned None", "")
    fates = {point: fate for _, _, point, _, fate in steps[:4]}
    assert (fates["file.write:shared/a#1"], fates["file.write:shared/b#1"]) == ("undone", "forgotten")


def test_what_a_model_was_made_to_say_is_told(tmp_path: Path) -> None:
    """The step of the fault has the other words, and the exchange what the agent was answered."""
    result = explored(agent_of(publish, lambda shared, own: None), tmp_path / "it", **only("llm.missing_field"))
    (finding,) = result.violations
    fault = next(step for step in finding.story if step.phase == "fault")
    assert (fault.point, fault.life) == ("llm.chat:api.openai.com#1", "run")
    assert fault.outcome.startswith("the model says something else: {")
    (asked,) = finding.exchange
    assert asked.answer["text"] in fault.outcome
    assert asked.answer["text"] != '{"title": "Solar", "body": "It is cheap."}'


def test_no_part_of_a_story_keeps_a_secret() -> None:
    """Steps, states and exchanges are hidden in part, names of what lies outside too."""
    step = Step("run", "fault", "file.write:own/hunter2#1", "raises KeyError: 'hunter2'")
    states = States({}, {"own/hunter2": [{"key": "hunter2"}]}, {"own/x": "hunter2"}, {"own/x": [None, "hunter2"]})
    told = Told((step,), states, (Exchange(0, {"messages": ["hunter2"]}, {"text": "hunter2"}),))
    assert "hunter2" in repr(told)
    hidden = told.hiding(lambda text: text.replace("hunter2", "<key>"))
    assert "hunter2" not in repr(hidden)
    assert hidden.states.right == {"own/x": [None, "<key>"]}


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("wrong_checkpoint_before_effect", ("process.kill",)),
        ("wrong_half_of_a_set", ("process.kill", "storage.full")),
        ("wrong_ticket_booking", ("http.server_error", "process.kill")),
    ],
)
def test_every_story_is_in_true_order(name: str, faults: tuple[str, ...], tmp_path: Path) -> None:
    """Before its fault a run does what the fault-free one does, phases never go back, and a kill hides no effect."""
    usual: list[str] = []
    ended: list[ProcessEnded] = []
    readers = (
        Reader((PointReached,), lambda reached: ended or usual.append(str(reached.point))),
        Reader((ProcessEnded,), ended.append),
    )
    results: list[Exploration] = []
    with pytest.raises(pytest.fail.Exception):
        agent(name).explore(Chaos(options(**only(*faults)), "test_it", results.append, readers), tmp_path)
    assert results[-1].violations
    assert ended[-1].number - ended[-1].beside == results[-1].executions  # what the progress line counts
    for finding in results[-1].violations:
        story = finding.story
        before = list(takewhile(lambda step: step.phase == "before the fault", story))
        assert [step.point for step in before] == usual[: len(before)]
        first = finding.planned.injections[0]
        assert (story[len(before)].phase, story[len(before)].point) == ("fault", str(first.point))
        assert len(before) == usual.index(str(first.point)) + (first.when != "before")
        assert all(step.outcome and step.line for step in before)
        assert [step.phase for step in story].count("fault") == len(finding.planned.injections)
        for step, later in pairwise(step for step in story if step.life == "run"):
            assert STORY_PHASES.index(step.phase) <= STORY_PHASES.index(later.phase)
            assert step.at_s <= later.at_s
