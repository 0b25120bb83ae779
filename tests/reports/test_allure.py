"""The recovery report, as the result files that a real pytest run with allure-pytest leaves."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rollproof.values.known_secrets import placeholder

WRITES = """
import pytest
from rollproof.reports import allure
from rollproof.values.exploration import Cell, Exploration, Finding
from rollproof.values.schedule import Schedule
from rollproof.values.story import Step

KEY = "sk-live-0123456789abcdef"
SENT = "process.kill@http.post:api.mail.test/mails#1:after"
OPENED = "process.kill@file.open:agent/report.lock#1:after"
WORLD = '{"api.mail.test/mails": [{"to": "a"}], "shared": "dir", "shared/report.md": "text"}'

def cell(schedule=OPENED, verdict="violated", invariants=("no_leftovers",), count=1):
    point = schedule.partition("@")[2].rpartition(":")[0]
    return Cell(point, "process.kill", verdict, invariants, Schedule.parse(schedule), count)

def finding(schedule=OPENED, invariants=("no_leftovers",), diff=("+ agent/report.lock: file, 5 bytes",), **more):
    wrong = "\\n".join(f"{name}: that is wrong" for name in invariants)
    return Finding(invariants, Schedule.parse(schedule), wrong, diff, **more)

def report(request, *cells, **more):
    explored = Exploration(test=request.node.nodeid, cells=cells, statement="7 points, 9 schedules", **more)
    allure.write(request.node, [explored], 7)
"""

AGENT = """
import os, pytest

def publish(shared, own):
    (own / "report.lock").write_text("mine")
    (shared / "report.md").write_text(os.environ["REPORT_API_KEY"])
    (own / "report.lock").unlink()

@pytest.mark.chaos(epic="Publishing", feature="Report", faults="process.kill")
def test_publishing(chaos, tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_API_KEY", "correct-horse-battery")
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir(); own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish(shared, own), recover=lambda: None)
"""


@dataclass(frozen=True)
class Written:
    """What a run left in the folder of ``--alluredir``."""

    folder: Path
    outcomes: dict[str, int]

    @property
    def all(self) -> list[dict[str, Any]]:
        """All results, allure-pytest's own ones too."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.folder.glob("*-result.json"))]

    @property
    def ours(self) -> list[dict[str, Any]]:
        """The results of cells."""
        return [each for each in self.all if labels(each).get("framework") == "rollproof" and not is_summary(each)]

    @property
    def cell(self) -> dict[str, Any]:
        """The only result of a cell."""
        (only,) = self.ours
        return only

    @property
    def summary(self) -> dict[str, Any]:
        """The result of the whole exploration."""
        (only,) = [each for each in self.all if is_summary(each)]
        return only

    def attached(self, result: dict[str, Any]) -> list[str]:
        """Return the texts attached to a result."""
        return [(self.folder / each["source"]).read_text(encoding="utf-8") for each in result.get("attachments", ())]


def labels(result: dict[str, Any]) -> dict[str, str]:
    """Return the labels of a result, of several with one name the last."""
    return {label["name"]: label["value"] for label in result["labels"]}


def is_summary(result: dict[str, Any]) -> bool:
    """Say whether a result is that of a whole exploration."""
    return str(result["name"]).startswith("The whole exploration")


def steps(result: dict[str, Any]) -> dict[str, list[str]]:
    """Return the phases of a result, each with its lines."""
    return {phase["name"]: [step["name"] for step in phase.get("steps", ())] for phase in result["steps"]}


OPTIONS = ("--alluredir=results", "--clean-alluredir", "-p", "no:cacheprovider")


def _written(pytester: pytest.Pytester, result: pytest.RunResult) -> Written:
    return Written(pytester.path / "results", result.parseoutcomes())


@pytest.fixture
def explores(pytester: pytest.Pytester) -> Callable[..., Written]:
    """Explore a small agent truly, in a pytest of its own."""

    def run(*options: str) -> Written:
        pytester.makepyfile(test_agent=AGENT)
        return _written(pytester, pytester.runpytest_subprocess("--chaos", *OPTIONS, *options))

    return run


@pytest.fixture
def writes(pytester: pytest.Pytester) -> Callable[..., Written]:
    """Run one test that writes a report of these values."""

    def run(values: str, *, mark: str = "", prelude: str = "") -> Written:
        body = f"{WRITES}{prelude}\n{mark}\ndef test_it(request, tmp_path):\n    report(request, {values})\n"
        pytester.makepyfile(test_written=body)
        return _written(pytester, pytester.runpytest(*OPTIONS))

    return run


def test_a_holding_cell_is_a_passed_result(writes: Callable[..., Written]) -> None:
    """A schedule after which all is right is one passed result, named for people, without steps and attachments."""
    written = writes("cell(verdict='holds', invariants=(), count=3), verdicts={'terminates': 'holds'}")
    assert written.cell["name"] == "process.kill after file.open:agent/report.lock#1 ×3"
    assert written.cell["status"] == "passed"
    assert {"name": "schedules", "value": "3", "excluded": True} in written.cell["parameters"]
    assert not written.cell.get("steps")
    assert not written.cell.get("attachments")


def test_the_pytest_item_keeps_its_own_result(writes: Callable[..., Written]) -> None:
    """What allure-pytest writes for the item is neither renamed nor failed by the results beside it."""
    written = writes("cell(), violations=[finding()]")
    (own,) = [each for each in written.all if labels(each)["framework"] == "pytest"]
    assert (own["name"], own["status"], own.get("attachments")) == ("test_it", "passed", None)
    assert own["titlePath"] == written.cell["titlePath"][: len(own["titlePath"])]


def test_a_broken_cell_says_what_and_how_to_replay_it(writes: Callable[..., Written]) -> None:
    """Message, replay command, tag and difference of a failure come from its finding."""
    written = writes("cell(), violations=[finding()]")
    details = written.cell["statusDetails"]
    assert written.cell["status"] == "failed"
    assert details["message"] == "+ agent/report.lock: file, 5 bytes\nno_leftovers: that is wrong"
    assert details["trace"].endswith(
        "::test_it --chaos-replay='process.kill@file.open:agent/report.lock#1:after' --chaos-seed=7"
    )
    assert labels(written.cell)["tag"] == "no_leftovers"
    assert written.attached(written.cell) == ["+ agent/report.lock: file, 5 bytes"]


def test_a_failure_is_told_in_true_order(writes: Callable[..., Written]) -> None:
    """The story of a finding becomes steps, a part for each process and phase; the one that failed says so."""
    lock = "file.open:agent/report.lock#1"
    story = (
        f"(Step('run', 'before the fault', '{lock}', 'done', 0.001, 'agent.py', 7, 'publish', fate='forgotten'),"
        f" Step('run', 'fault', '{lock}', 'the process is killed'), Step('run', 'after the fault', '', 'killed'),"
        " Step('recover', 'recovery', '', 'raises KeyError'), Step('recover', 'promises', '', 'no_leftovers: wrong'))"
    )
    written = writes(f"cell(), violations=[finding(story={story})], verdicts={{'terminates': 'vacuous'}}")
    assert steps(written.cell) == {
        "[run] before the fault": [f"{lock}: done (agent.py:7, forgotten)"],
        "[fault] run": [f"{lock}: the process is killed"],
        "[run] after the fault": ["killed"],
        "[recover]": ["raises KeyError"],
        "[invariants]": ["no_leftovers: that is wrong", "terminates: nothing to judge"],
    }
    assert [step["status"] for step in written.cell["steps"]] == ["passed", "passed", "passed", "failed", "failed"]


def test_the_two_sides_differ_in_what_is_wrong_and_in_nothing_else(writes: Callable[..., Written]) -> None:
    """After a right rollback that leaves a lock, only the lock shows, not the report that was rolled back."""
    written = writes('cell(), violations=[finding(expected=WORLD, actual=\'{"shared": "dir"}\')]')
    details = written.cell["statusDetails"]
    assert json.loads(details["expected"]) == {"shared": "dir"}
    assert json.loads(details["actual"]) == {"shared": "dir", "agent/report.lock": "file, 5 bytes"}


def test_what_is_missing_stands_on_the_expected_side(writes: Callable[..., Written]) -> None:
    """A resource that a complete run makes, and that is not there, is expected as the complete run makes it."""
    values = "diff=('- api.mail.test/mails: one',), expected=WORLD, actual='{\"api.mail.test/mails\": []}'"
    details = writes(f"cell(), violations=[finding({values})]").cell["statusDetails"]
    assert json.loads(details["expected"]) == {"api.mail.test/mails": [{"to": "a"}]}
    assert json.loads(details["actual"]) == {"api.mail.test/mails": []}


def test_an_effect_that_happened_twice_has_a_tag_of_its_own(writes: Callable[..., Written]) -> None:
    """Two mails where a complete run sends one are a duplicated effect, whatever invariant noticed."""
    twice = '\'{"api.mail.test/mails": [{"to": "a"}, {"to": "a"}]}\''
    values = f"invariants=('all_or_nothing',), diff=('+ api.mail.test/mails: one',), expected=WORLD, actual={twice}"
    written = writes(f"cell(invariants=('all_or_nothing',)), violations=[finding({values})]")
    assert [each["value"] for each in written.cell["labels"] if each["name"] == "tag"] == [
        "all_or_nothing",
        "duplicated_effect",
    ]


def test_a_cell_that_fails_alike_borrows_the_finding_and_says_so(writes: Callable[..., Written]) -> None:
    """A schedule without a finding of its own shows the one with the same broken invariants, but not its story."""
    values = "cell(), cell(SENT), violations=[finding()]"
    alike = next(each for each in writes(values).ours if "http.post" in each["name"])
    assert "agent/report.lock" in alike["statusDetails"]["message"]
    assert "As seen after <i>process.kill after file.open" in alike["descriptionHtml"]
    assert list(steps(alike)) == ["[fault] process.kill after http.post:api.mail.test/mails#1", "[invariants]"]


def test_every_finding_is_told(writes: Callable[..., Written]) -> None:
    """A finding for which another schedule stands in the table has a result beside that one."""
    names = {each["name"] for each in writes("cell(count=2), violations=[finding(SENT)]").ours}
    assert names == {
        "process.kill after file.open:agent/report.lock#1 ×2",
        "process.kill after http.post:api.mail.test/mails#1",
    }


def test_the_same_schedule_is_the_same_test_in_every_run(writes: Callable[..., Written]) -> None:
    """Identity comes from test and token: verdict, count and what was found do not enter it."""
    first = writes("cell(verdict='holds', invariants=()), name='one'").cell
    second = writes("cell(count=5), violations=[finding()], name='one'").cell
    other = writes("cell(), name='two'").cell
    assert first["testCaseId"] == second["testCaseId"] == second["historyId"]
    assert other["testCaseId"] != first["testCaseId"]
    assert all(parameter["excluded"] for parameter in (*first["parameters"], *second["parameters"]))


def test_the_mark_names_epic_and_feature(writes: Callable[..., Written]) -> None:
    """`chaos(epic=…, feature=…)` and the suite of the test are the labels of every cell."""
    written = writes("cell()", mark='@pytest.mark.chaos(epic="Publishing", feature="Report")')
    found = labels(written.cell)
    assert (found["epic"], found["feature"]) == ("Publishing", "Report")
    assert (found["suite"], found["subSuite"]) == ("test_written", "test_it, explored")


def test_one_summary_has_the_statement_and_every_cell(writes: Callable[..., Written]) -> None:
    """The whole exploration is one result: its statement, what is to know, and a table of all cells as CSV."""
    written = writes("cell(), cell(SENT, verdict='holds', invariants=()), violations=[finding()], masked=['a: *']")
    assert written.summary["description"] == "7 points, 9 schedules"
    assert "a: *" in written.summary["descriptionHtml"]
    assert written.summary["status"] == "failed"
    (table,) = written.attached(written.summary)
    assert [row["verdict"] for row in csv.DictReader(table.splitlines())] == ["violated", "holds"]


def test_what_could_not_be_judged_is_broken_and_not_failed(writes: Callable[..., Written]) -> None:
    """An error of the harness or of a check is nobody's violation."""
    written = writes("cell(verdict='unknown', invariants=()), errors=['invariant mine failed']")
    assert (written.cell["status"], written.summary["status"]) == ("broken", "broken")
    assert written.summary["statusDetails"]["message"] == "invariant mine failed"


def test_too_many_cells_are_folded_and_counted(writes: Callable[..., Written]) -> None:
    """Failures come before what holds; what has no result of its own is in the table, and the summary says how many."""
    many = "*(cell(OPENED.replace('lock', str(n)), 'holds', ()) for n in range(5)), cell(), violations=[finding()]"
    few = "\n@pytest.fixture(autouse=True)\ndef few(monkeypatch):\n    monkeypatch.setattr(allure, 'KEPT', 2)\n"
    written = writes(many, prelude=few)
    assert sorted(each["status"] for each in written.ours) == ["failed", "passed"]
    assert "4 holds: in the attached table only" in written.summary["descriptionHtml"]
    assert len(written.attached(written.summary)[0].splitlines()) == 7


def test_no_secret_address_or_temporary_path_is_written(writes: Callable[..., Written]) -> None:
    """Keys are hidden in every file, and what changes from run to run is not there."""
    diff = "('+ notes.txt: ' + KEY, f'~ own: <Agent at 0x7f0011aabbcc> in {tmp_path}/own', '+ a: Bearer abcdefghijkl')"
    written = writes(f"cell(), violations=[finding(diff={diff}, expected='{{}}', actual='{{\"k\": \"%s\"}}' % KEY)]")
    texts = "\n".join(path.read_text(encoding="utf-8") for path in written.folder.iterdir())
    assert "sk-live" not in texts
    assert "abcdefghijkl" not in texts
    key, bearer = placeholder("sk-live-0123456789abcdef"), placeholder("abcdefghijkl")
    assert written.attached(written.cell) == [
        f"+ notes.txt: {key}\n~ own: <Agent at 0x…> in tmp/own\n+ a: Bearer {bearer}"
    ]


def test_html_of_an_agent_is_shown_as_text(writes: Callable[..., Written]) -> None:
    """What an agent wrote cannot become a part of the page, and nothing relies on what Allure strips."""
    html = writes("cell(), violations=[finding(diff=('+ <script>x</script>: <b>',))]").cell["descriptionHtml"]
    assert "&lt;script&gt;" in html
    assert not re.search(r"<(script|style|svg)", html)


def test_nothing_is_written_without_a_folder(pytester: pytest.Pytester) -> None:
    """Without ``--alluredir`` the report leaves nothing."""
    pytester.makepyfile(WRITES + "\ndef test_it(request):\n    report(request, cell(), violations=[finding()])\n")
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=1)
    assert not list(pytester.path.rglob("*-result.json"))


def test_an_exploration_reports_each_of_its_cells(explores: Callable[..., Written]) -> None:
    """A real exploration leaves failed and passed cells, a summary, and its test's own failure."""
    written = explores()
    assert written.outcomes == {"failed": 1}
    assert {each["status"] for each in written.ours} == {"failed", "passed"}
    assert labels(written.summary)["epic"] == "Publishing"
    (own,) = [each for each in written.all if labels(each)["framework"] == "pytest"]
    assert (own["name"], own["status"]) == ("test_publishing", "failed")


def test_a_key_that_an_agent_wrote_down_is_not_in_the_report(explores: Callable[..., Written]) -> None:
    """The value of a key in the environment is hidden, also where the difference is about it."""
    written = explores()
    ours = [written.summary, *written.ours]
    texts = [json.dumps(ours), *(text for each in ours for text in written.attached(each))]
    assert not [text for text in texts if "correct-horse" in text]
    assert any(placeholder("correct-horse-battery") in text for text in texts)


def test_explorations_in_workers_are_reported_too(explores: Callable[..., Written]) -> None:
    """Under xdist each worker writes what it explored."""
    pytest.importorskip("xdist")
    written = explores("-n", "1")
    assert written.ours
    assert written.summary["status"] == "failed"
