"""The recovery report as result files of Allure, and what makes its page open."""

import csv
import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from rollproof.__main__ import main
from rollproof.reports import allure, allure_page, json_file
from rollproof.testing import sample_report
from rollproof.values.errors import ChaosError
from rollproof.values.report import Fixed, Report, ReportedCell

from .findings import (
    EMPTY,
    POST,
    SOURCE,
    STRUCK,
    TEST,
    TITLE,
    TOKEN,
    besides,
    cause,
    exploration,
    report,
    step,
    violation,
)

CONFIG = Path(allure.__file__).with_name("allurerc.mjs")
Result = dict[str, Any]


def results(folder: Path) -> list[Result]:
    """Return all results in a folder, in the order in which Allure shows them."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*-result.json")]
    return sorted(found, key=lambda result: result["start"])


def written(folder: Path, given: Report, environment: dict[str, str] | None = None) -> list[Result]:
    """Write a report, and return its results."""
    allure.write(folder, given, environment or {}, 1_000_000)
    return results(folder)


def labels(result: Result) -> dict[str, str]:
    """Return the labels of a result, of several with one name the last."""
    return {label["name"]: label["value"] for label in result["labels"]}


def cell(point: str, fault: str, verdict: str, count: int = 1, **more: Any) -> ReportedCell:
    """Return a row of the table."""
    known: Any = {"invariants": [], "schedule": f"{fault}@{point}:after", "count": count, "merged": 0}
    return {"point": point, "fault": fault, "verdict": verdict, **known, **more}


def statuses(steps: Iterable[Result]) -> dict[str, str]:
    """Return steps by name, with how they ended."""
    return {step["name"]: step["status"] for step in steps}


def test_a_finding_is_one_failed_result(tmp_path: Path) -> None:
    """Title, severity, test and id; what to read first, the replay, and Allure's own difference, once."""
    found = exploration(violation(actual='{"api.mail.test/mails": [1, 2]}', expected='{"api.mail.test/mails": [1]}'))
    found["labels"] = [("epic", "Publishing")]
    first = written(tmp_path, report(found))[0]
    assert (first["name"], first["status"], first["testCaseId"]) == (TITLE, "failed", "0123456789ab")
    assert first["fullName"].startswith(TEST)
    assert first["titlePath"] == ["test_myagent.py", "test_publishing_is_all_or_nothing"]
    told = labels(first)
    assert (told["epic"], told["suite"], told["severity"]) == ("Publishing", "test_myagent", "blocker")
    assert told["finding"] == "new"
    details = first["statusDetails"]
    assert details["message"].startswith('A second mail is at api.mail.test, and run() says "published".')
    assert details["message"].endswith("\nbreaks: all_or_nothing, honest_outcome (repeated effect)")
    assert details["trace"] == f"pytest --chaos {TEST} --chaos-replay='{TOKEN}'"
    sides = [json.loads(details[side]) for side in ("expected", "actual")]
    assert sides == [{"api.mail.test/mails": [1]}, {"api.mail.test/mails": [1, 2]}]
    assert not first.get("attachments")


def test_its_story_is_steps_in_four_phases(tmp_path: Path) -> None:
    """In true order, with outcomes and virtual times; a fault is broken, what is wrong has failed."""
    told = written(tmp_path, report())[0]
    assert statuses(told["steps"]) == {
        "[run] until the fault": "passed",
        "[fault]": "broken",
        "[run] after the fault": "failed",
        "[promises]": "failed",
    }
    fault, after = told["steps"][1:3]
    assert statuses(fault["steps"]) == {
        f"{POST}#1: 201, answer lost: raises ReadTimeout (myagent.py:29, kept)": "broken"
    }
    assert statuses(after["steps"]) == {
        f"{POST}#2: 201 (myagent.py:29, repeated)": "failed",
        "returned 'published'": "passed",
    }
    assert [part["start"] - told["start"] for part in told["steps"]] == [0, 5200, 5300, 5400]
    assert told["stop"] - told["start"] == 5400


def test_a_long_story_keeps_what_is_near_the_fault(tmp_path: Path) -> None:
    """Allure does not open a result with a thousand steps."""
    many = [step(f"file.write:shared/{number}#1", "3 bytes", fate="kept") for number in range(1000)]
    told = written(tmp_path, report(exploration(violation(story=[*many, *violation()["story"]]))))[0]
    before = [each["name"] for each in told["steps"][0]["steps"]]
    assert (len(before), before[0], before[-1][:12]) == (61, "… 944 more steps", "file.replace")


def test_its_description_has_all_else(tmp_path: Path) -> None:
    """The picture, the line to blame with its source, the outside, kind and cure, and its other cells as a table."""
    broken = cell(f"{POST}#1", "http.unavailable", "violated", 25, invariants=["all_or_nothing", "honest_outcome"])
    found = violation(blame=besides())
    html = written(tmp_path, report(exploration(found, cells=[broken])))[0]["descriptionHtml"]
    picture = re.search(r'<img [^>]*src="data:image/svg\+xml;base64,([^"]*)"', html)
    assert picture is not None
    assert b64decode(picture[1]).startswith(b"<svg ")
    assert ">myagent.py:29, in mail(), called from myagent.py:21" in html
    assert ">besides myagent.py:11, in publish()" in html
    assert SOURCE[2].split('"')[0].strip() in html
    assert html.count("<table") == 2
    for said in ("shared/report.md", "repeated effect, no stable key", "it is gone", "25 more schedules"):
        assert said in html
    assert not re.search(r"<(script|style|svg)", html)


def test_html_of_an_agent_is_shown_as_text(tmp_path: Path) -> None:
    """What an agent wrote cannot become a part of the page."""
    evil = "</p><script>alert(1)</script>"
    story = [step(f"http.post:{evil}#1", evil, 1, phase="fault", life=evil, within=[evil])]
    states = {when: {evil: evil} for when in ("before", "fault", "end", "right")}
    bad = violation(title=evil, sentence=evil, kind=evil, story=story, states=states, cause=cause(statement=evil))
    whole = exploration(bad, cells=[cell(evil, evil, "holds")], statement=evil, proved=[evil], unresolved={evil: evil})
    for told in written(tmp_path, report(whole)):
        assert "<script" not in told["descriptionHtml"]


def test_a_finding_without_words_says_what_differs(tmp_path: Path) -> None:
    """Where nobody made a story, its message has the difference and the promises; of two orders neither is right."""
    bare = violation(**EMPTY, cause=cause(way="by order"), diff=[f"+ {n}" for n in range(10)], actual='{"a": 1}')
    told = written(tmp_path, report(exploration(bare)))[0]
    lines = told["statusDetails"]["message"].splitlines()
    assert lines[:2] == ["+ 0", "+ 1"]
    assert lines[8] == "… and 2 more"
    assert lines[-1] == "breaks: all_or_nothing, honest_outcome"
    assert "actual" not in told["statusDetails"]
    assert told["name"].startswith("no fault is needed: two orders of one run end differently")


def test_a_right_rollback_is_no_difference(tmp_path: Path) -> None:
    """After a rollback that leaves a lock, only the lock shows, not the report that was rolled back."""
    done, found = '{"shared": "dir", "shared/report.md": "text"}', '{"shared": "dir"}'
    diff = ["+ agent/report.lock: file, 5 bytes"]
    details = written(tmp_path, report(exploration(violation(diff=diff, expected=done, actual=found))))[0]
    sides = [json.loads(details["statusDetails"][side]) for side in ("expected", "actual")]
    assert sides == [{"shared": "dir"}, {"shared": "dir", "agent/report.lock": "file, 5 bytes"}]


@pytest.mark.parametrize("side", ['{"id": [secret 3f2a]}', "[1]", "3"])
def test_a_side_that_is_no_json_costs_no_report(tmp_path: Path, side: str) -> None:
    """A secret of the environment that is a number stands in JSON without quotes, and is hidden there, too."""
    details = written(tmp_path, report(exploration(violation(expected=side, actual=side))))[0]["statusDetails"]
    assert json.loads(details["actual"]) != json.loads(details["expected"])


def test_a_known_finding_is_not_red(tmp_path: Path) -> None:
    """It is skipped, with its reason and its day; when that is over, it is red and says so."""
    known = violation(known=True, reason="ticket 12", until="2027-01-31")
    over = violation(id="ba9876543210", reason="ticket 12", until="2026-01-31")
    first, second = written(tmp_path, report(exploration(known, over)))[:2]
    assert (first["status"], labels(first)["finding"], first["statusDetails"]["known"]) == ("skipped", "known", True)
    assert first["statusDetails"]["message"].startswith("known: ticket 12 (until 2027-01-31)\n")
    assert second["status"] == "failed"
    assert second["statusDetails"]["message"].startswith("known until 2026-01-31, which is over: ticket 12\n")


def test_a_resolved_finding_is_a_green_row_under_its_old_id(tmp_path: Path) -> None:
    """Its history goes on; and what is as before is told from what is new."""
    fixed: Fixed = {"id": "0123456789ab", "title": TITLE, "schedule": TOKEN, "replayed": True}
    red = written(tmp_path / "1", report(exploration(violation(new=False))))[0]
    [green] = [one for one in written(tmp_path / "2", report(exploration(fixed=[fixed]))) if one["name"] == TITLE]
    assert (green["status"], green["historyId"], green["testCaseId"]) == ("passed", red["historyId"], red["testCaseId"])
    assert [labels(one)["finding"] for one in (red, green)] == ["as before", "fixed"]


def test_a_point_where_all_holds_is_one_result(tmp_path: Path) -> None:
    """It lists the faults that were tried there; one where something could not be judged is broken."""
    cells = [
        cell("file.open:a#1", "process.kill", "holds", 3),
        cell("file.open:a#1", "storage.full", "vacuous"),
        cell("file.open:a#1", "process.pause", "violated"),
        cell("file.open:b#1", "process.kill", "unknown"),
        cell("file.open:c#1", "process.kill", "violated"),
    ]
    [unknown, holds] = [one for one in written(tmp_path, report(exploration(cells=cells))) if "#1" in one["name"]]
    assert (holds["name"], holds["status"]) == ("file.open:a#1", "passed")
    assert "<b>Holds</b>: process.kill ×3" in holds["descriptionHtml"]
    assert "<b>Broken, see the findings</b>: process.pause" in holds["descriptionHtml"]
    assert (unknown["name"], unknown["status"]) == ("file.open:b#1", "broken")
    assert "process.kill@file.open:b#1:after" in unknown["statusDetails"]["message"]
    for one in (holds, unknown):  # Allure keeps no history of what is no test case
        assert not {"testCaseId", "historyId", "fullName"} & {*one}


def test_each_exploration_says_what_green_means(tmp_path: Path) -> None:
    """What was proved, and all cells as a table; it is broken where something could not be judged, whatever was."""
    found = exploration(violation(), proved=["Seven places were hit."], not_proved=["Nothing else."])
    [told] = [one for one in written(tmp_path, report(found)) if one["name"] == "What green means here"]
    assert told["status"] == "passed"
    assert "Seven places were hit." in told["descriptionHtml"]
    with open(tmp_path / told["attachments"][0]["source"], encoding="utf-8") as table:
        assert [row["verdict"] for row in csv.DictReader(table)] == ["violated", "holds", "holds"]
    reasons = {
        "errors": ["a check failed"],
        "not_reached": ["http.timeout@x#1"],
        "flaky": ["x"],
        "interrupted": "Ctrl-C",
    }
    for number, (key, value) in enumerate(reasons.items()):
        unjudged = written(tmp_path / str(number), report(exploration(**{key: value})))[0]
        assert unjudged["status"] == "broken"
        assert (value if isinstance(value, str) else value[0]) in unjudged["statusDetails"]["message"]


def test_what_is_written_again_replaces_itself(tmp_path: Path) -> None:
    """An earlier result of the same test goes, that of another test and other files stay; nothing is counted twice."""
    written(tmp_path, report(exploration(violation()), exploration(test="test_other.py::test_it")))
    mine = tmp_path / "11111111-result.json"
    mine.write_text('{"name": "mine", "start": 0}')
    before = {path.name for path in tmp_path.iterdir()}
    written(tmp_path, report(exploration(violation())))
    assert {path.name for path in tmp_path.iterdir()} == before
    names = [one["name"] for one in written(tmp_path, report(exploration()))]
    assert "mine" in names
    assert TITLE not in names
    assert names.count("What green means here") == 2


def test_two_explorations_of_a_test_are_told_apart(tmp_path: Path) -> None:
    """Two results with one identity would be two runs of one test."""
    both = written(tmp_path, report(exploration(violation()), exploration(violation(), label="exploration 2")))
    cases = [one["testCaseId"] for one in both if "testCaseId" in one]
    assert len({*cases}) == len(cases) == 4
    assert {one["titlePath"][1] for one in both} == {
        "test_publishing_is_all_or_nothing",
        "test_publishing_is_all_or_nothing [exploration 2]",
    }


def test_a_report_has_at_most_a_thousand_results(tmp_path: Path) -> None:
    """All findings and explorations have one; points that are too many are said to stand in the table."""
    many = [cell(f"file.open:{number}#1", "process.kill", "holds") for number in range(1500)]
    few = exploration(test="test_other.py::test_it")
    found = written(tmp_path, report(exploration(violation(), cells=many), few))
    assert len(found) == allure.MOST_RESULTS == 1000
    assert {TITLE, f"{POST}#1"} <= {one["name"] for one in found}
    assert any("504 more points where it holds" in one["descriptionHtml"] for one in found)


def test_the_overview_says_what_was_explored(tmp_path: Path) -> None:
    """Environment, build and categories; what a user has put there stays."""
    (tmp_path / "environment.properties").write_text("Browser=none\nSeed=9\n")
    build = {"GITHUB_ACTIONS": "true", "GITHUB_WORKFLOW": "tests", "GITHUB_RUN_NUMBER": "7", "GITHUB_RUN_ID": "55"}
    build |= {"GITHUB_SERVER_URL": "https://github.test", "GITHUB_REPOSITORY": "a/b"}
    left_out = ["not explored: 0 of 9 crashes were tried"]
    written(tmp_path, report(exploration(violation(), compared="base.json", errors=left_out)), build)
    lines = (tmp_path / "environment.properties").read_text().splitlines()
    assert lines[0] == "Browser=none"
    assert {"Findings=1 finding, 1 new", "Explored=1 test, 340 schedules", "Baseline=base.json", "Seed=0"} < {*lines}
    assert {"Unjudged=nothing", "Left out by budget=1 exploration"} < {*lines}
    assert lines[-1].startswith("Statement=findings: 1 finding, 1 new; explored: 1 test, 340 schedules; closed: 1 of 1")
    executor = json.loads((tmp_path / "executor.json").read_text())
    assert (executor["type"], executor["buildName"]) == ("github", "tests #7")
    assert executor["buildUrl"] == "https://github.test/a/b/actions/runs/55"


@pytest.mark.parametrize(
    ("given", "category"),
    [
        ({}, "Effect that is there twice"),
        ({"known": True, "reason": "r"}, "Known, and accepted for a time"),
        ({"invariants": ["credential_hygiene"]}, "Credential exposed, or used after it was refused"),
        ({**EMPTY, "cause": cause(way="missing")}, "Not all or nothing"),
        ({**EMPTY, "cause": None, "invariants": ["clean_retry"]}, "Recovery failed"),
        ({**EMPTY, "cause": None, "invariants": ["terminates"]}, "Retry storm, or no end"),
        ({**EMPTY, "cause": None, "invariants": ["no_leftovers"]}, "Leftovers"),
        ({**EMPTY, "cause": None, "invariants": ["mine"]}, "Another promise broken"),
    ],
)
def test_each_finding_has_a_category(tmp_path: Path, given: dict[str, Any], category: str) -> None:
    """The first that matches its message: Allure 2 wants the whole of it, Allure 3 a part."""
    told = written(tmp_path, report(exploration(violation(**given))))[0]
    rules = json.loads((tmp_path / "categories.json").read_text())
    fitting = [
        rule["name"]
        for rule in rules
        if told["status"] in rule["matchedStatuses"]
        and re.fullmatch(rule["messageRegex"], told["statusDetails"]["message"], re.DOTALL)
    ]
    assert fitting[0] == category


def test_numbers_over_runs_are_one_of_each(tmp_path: Path) -> None:
    """Allure draws the mean of several: sums, and the times of all runs together; none is made up."""
    first, second = exploration(violation(), violation(known=True)), exploration(test="test_b.py::test_b")
    first["struck"] = {**STRUCK, "times": {"1.0": 3, "9.0": 1}}
    second["struck"] = {**STRUCK, "times": {"2.0": 4}}
    written(tmp_path, report(first, second))
    found = {one["key"]: one["value"] for one in json.loads((tmp_path / "rollproof-perf.json").read_text())}
    times = {"recovery_median_s": 2.0, "recovery_p95_s": 9.0, "recovery_max_s": 9.0}
    assert found == {"executions": 190, "findings": 1, "model_calls_again": 2, "tokens_again": 2468, **times}
    nothing = exploration()
    nothing["struck"] = {**STRUCK, "times": {}}
    written(tmp_path, report(nothing))
    assert len(json.loads((tmp_path / "rollproof-perf.json").read_text())) == 2


def test_the_configuration_of_allure_fits_what_is_written(tmp_path: Path) -> None:
    """Categories, the gate on new findings, and a title for each number."""
    if (node := shutil.which("node")) is None:
        pytest.skip("node is not here")
    prints = """const { default: it } = await import(process.argv[1]);
    const lets = ["new", "found", "as before", "known", "fixed"].filter(value =>
      !it.qualityGate.rules[0].filter({ labels: [{ name: "finding", value }] }));
    console.log(JSON.stringify({ ...it, lets }));"""
    printed = subprocess.run(
        [node, "--input-type=module", "-e", prints, str(CONFIG)], capture_output=True, text=True, check=True
    )
    config = json.loads(printed.stdout)
    assert config["lets"] == ["as before", "known", "fixed"]
    one = exploration(violation())
    one["struck"] = STRUCK
    written(tmp_path, report(one))
    keys = {sample["key"] for sample in json.loads((tmp_path / "rollproof-perf.json").read_text())}
    assert keys == {*config["performance"]["metrics"]}
    assert config["categories"] == json.loads((tmp_path / "categories.json").read_text())


PAGE = """<html><head><script>window.allureReportOptions = {}</script></head><body><div id="app"></div>
    <script   src="data:text/javascript;base64,YWxlcnQoMSk="></script>
    <script async src="https://www.googletagmanager.com/gtag/js?id=G-X"></script>
    <script>
        window.dataLayer = window.dataLayer || [];
        gtag('config', 'G-X', { "report": "awesome" });
    </script>
    <script async>window.allureReportDataReady = false; window.allureReportData = {};</script></body></html>"""


def test_a_page_waits_for_its_data_and_calls_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The program finds that the data is to come; mended twice it is the same; what is no page is refused."""
    page = tmp_path / "index.html"
    page.write_text(PAGE)
    assert allure_page.main([str(page)]) == 0
    mended = page.read_text()
    waits = mended.index("<script>window.allureReportDataReady=false;window.allureReportData={};</script>")
    assert waits < mended.index("data:text/javascript") < mended.rindex("window.allureReportDataReady = false")
    assert "https:" not in mended
    assert "dataLayer" not in mended
    assert allure_page.cured(mended) == mended
    page.write_text("<html></html>")
    assert allure_page.main([str(page), str(tmp_path / "none")]) == 4
    assert capsys.readouterr().err.startswith(f"chaos: {page} is no report of Allure 3 in a single file")
    with pytest.raises(ChaosError):
        allure_page.cured(PAGE.replace("allureReportData", "other"))


def test_saved_results_are_written_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`rollproof report FILE… --allure=DIR` writes what the sessions would have; what cannot be is said in a line."""
    file, folder = str(tmp_path / "chaos.json"), tmp_path / "new" / "results"
    json_file.write(file, sample_report())
    assert main(["report", file, "-q", f"--allure={folder}"]) == 1
    assert [one["status"] for one in results(folder)].count("failed") == 6
    assert any("mail(“Grüße”)" in one["descriptionHtml"] for one in results(folder))
    assert main(["report", file, "-q", f"--allure={file}"]) == 4
    assert "could not be written" in capsys.readouterr().err
    assert main(["report", file, "-q", "--allure=-"]) == 4
    assert "--allure writes many files, into a folder" in capsys.readouterr().err
    assert main(["report", file, "-q", "--allure="]) == 4
    assert "--allure names no folder" in capsys.readouterr().err


AGENT = """
import os, allure, pytest

def publish(shared, own):
    (own / "report.lock").write_text(os.environ["REPORT_API_KEY"])
    (shared / "report.md").touch()
    (own / "report.lock").unlink()

@allure.label("owner", "ann")
@pytest.mark.chaos(epic="Publishing")
def test_publishing(chaos, tmp_path, monkeypatch):
    monkeypatch.setenv("REPORT_API_KEY", "correct-horse-battery")
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir(); own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish(shared, own), recover=lambda: None)

def test_that_asserts_afterwards(chaos, tmp_path):
    chaos.watch(tmp_path)
    chaos.explore(run=lambda: (tmp_path / "report.md").touch())
    assert False

def test_that_explores_nothing():
    pass
"""


def test_a_session_writes_them_once(pytester: pytest.Pytester) -> None:
    """With workers, too; no row of pytest's own says the same again, but one that failed for another reason does.

    What was in the folder is cleared, and the key that the agent wrote down stands nowhere.
    """
    pytester.makepyfile(test_agent=AGENT)
    folder = pytester.mkdir("results")
    (folder / "old-result.json").write_text('{"name": "old", "labels": [], "start": 0}')
    options = (
        "--alluredir=results",
        "--clean-alluredir",
        "-n1",
        "-p",
        "no:cacheprovider",
        "--chaos-faults=process.kill",
    )
    pytester.runpytest_subprocess("--chaos", *options).assert_outcomes(failed=2, passed=1)
    found = results(folder)
    own = [one["name"] for one in found if labels(one)["framework"] == "pytest"]
    assert sorted(own) == ["test_that_asserts_afterwards", "test_that_explores_nothing"]
    ours = [one for one in found if labels(one)["framework"] == "rollproof"]
    assert "old" not in [one["name"] for one in found]
    assert [labels(one)["finding"] for one in ours if one["status"] == "failed"] == ["found"]
    assert [one["name"] for one in ours].count("What green means here") == 2
    assert (labels(ours[0])["epic"], labels(ours[0])["owner"]) == ("Publishing", "ann")
    assert all("correct-horse" not in path.read_text("utf-8") for path in folder.glob("rollproof-*"))
