"""The command `rollproof`: results are printed again and joined, and what is not there yet is refused clearly."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rollproof.__main__ import main
from rollproof.reports import json_file
from rollproof.testing import sample_report

from .projects import AGENT, TEST

_CALM = ("-p", "no:cacheprovider", "-p", "no:faker", "-p", "no:hypothesispytest")


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python in a folder, as a user does."""
    return subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Explore a wrong agent whole and in three shards; returns the folder, and what the first session printed."""
    folder = tmp_path_factory.mktemp("explored")
    (folder / "agent.py").write_text(AGENT)
    (folder / "test_it.py").write_text(TEST.format(mark="", fixture="chaos", recover="None", after=""))

    def session(*words: str) -> str:
        return python(folder, "pytest", "--chaos", "--chaos-faults=process.kill", *_CALM, *words).stdout

    whole = session("--chaos-json=whole.json")
    for number in (1, 2, 3):
        session(f"--chaos-shard={number}/3", f"--chaos-json={number}.json")
    return folder, whole


def test_a_report_prints_what_the_session_printed(explored: tuple[Path, str]) -> None:
    """Each line of its end, in that order; what was proved comes first; each finding with its command."""
    folder, printed = explored
    told = python(folder, "rollproof", "report", "whole.json")
    assert told.returncode == pytest.ExitCode.TESTS_FAILED
    *section, compared, file = printed.partition("= chaos =")[2].partition("\n")[2].partition("\n====")[0].splitlines()
    assert compared.startswith("compared with ")  # which the session alone can tell
    assert file == "written: whole.json (--chaos-json)"
    lines = told.stdout.splitlines()
    assert len(section) >= 3
    assert [line for line in lines if line in section] == section
    assert lines[1].startswith("  3 points, 7 schedules judged in ")
    assert "  Proved:" in lines[2:5]
    assert lines.index("  Proved:") < lines.index("  Not looked at:")
    (replay,) = [line for line in printed.splitlines() if line.startswith("  replay ")]
    assert replay in lines


def test_a_report_is_as_long_as_it_is_asked_to_be(explored: tuple[Path, str]) -> None:
    """One line, or each cell and each point."""
    folder, _ = explored
    brief = python(folder, "rollproof", "report", "-q", "whole.json").stdout
    assert re.fullmatch(r"test_it.py::test_publishing: 1 finding, 7 schedules, closed, \d+\.\d s\n", brief)
    whole = python(folder, "rollproof", "report", "-v", "whole.json").stdout
    assert "  file.write:own/report.part#1\n    process.kill  violated  3  no_leftovers\n" in whole
    assert re.search(r"\n  By points .*\n(?:  .*\n)*?  file\.write:own/report\.part#1 +1 ", whole)


def test_shards_merge_to_what_one_run_finds(explored: tuple[Path, str]) -> None:
    """The same violations, counts and grid; neither a shard alone nor two of them say that they are all."""
    folder, _ = explored
    done = python(folder, "rollproof", "merge", "3.json", "1.json", "2.json", "-o", "made/merged.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    one, other = (
        json.loads((folder / name).read_text())["explorations"][0] for name in ("whole.json", "made/merged.json")
    )
    alike = ("test", "points", "schedules", "closed", "skipped", "verdicts", "masked", "errors", "model", "grid")
    assert {key: other[key] for key in alike} == {key: one[key] for key in alike}
    assert found(other) == found(one)
    assert "exhaustive: all 3 shards of every single fault" in other["statement"]
    part = python(folder, "rollproof", "merge", "3.json", "1.json")
    assert part.stderr == "chaos: test_it.py::test_publishing: no shard 2/3\n"
    assert json.loads(part.stdout)["explorations"][0]["closed"] is False


def found(exploration: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what tells the violations of an exploration apart, and how many schedules end so."""
    return [(v["id"], v["invariants"], v["also"]["number"]) for v in exploration["violations"]]


def test_a_shard_without_a_schedule_is_a_part_too(tmp_path: Path) -> None:
    """Its test is skipped; without it the whole would never be there."""
    (tmp_path / "test_it.py").write_text(
        "def test_it(chaos, tmp_path):\n"
        "    chaos.watch(tmp_path)\n"
        "    chaos.explore(run=lambda: (tmp_path / 'a').mkdir())\n"
    )
    words = ("--chaos", "--chaos-faults=process.kill", "--chaos-shard=9/9", "--chaos-json=9.json", *_CALM)
    assert "1 skipped" in python(tmp_path, "pytest", *words).stdout
    (part,) = json.loads((tmp_path / "9.json").read_text())["explorations"]
    assert (part["schedules"], part["shards"], part["proved"]) == (0, {"9/9": True}, [])


@pytest.mark.parametrize("known", [True, False])
def test_a_known_violation_breaks_nothing(tmp_path: Path, known: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code of a report is that of a session with the same findings."""
    report = sample_report()
    for violation in (one for exploration in report["explorations"] for one in exploration["violations"]):
        violation.update(known=known, reason="we live with it")
    json_file.write(str(tmp_path / "chaos.json"), report)
    assert main(["report", str(tmp_path / "chaos.json")]) == (0 if known else 1)
    assert ("we live with it" in capsys.readouterr().out) is known


def with_violation(**more: object) -> str:
    """Return a result with one violation that has these values."""
    violation = {"schedule": "process.kill@file.open:a#1", **more}
    return json.dumps({"version": 2, "explorations": [{"test": "a", "statement": "b", "violations": [violation]}]})


@pytest.mark.parametrize("cause", [{"way": "twice"}, None])
def test_parts_that_an_earlier_commit_did_not_write_are_empty(tmp_path: Path, cause: object) -> None:
    """Inside of a violation, too; each form can be written of it."""
    path = tmp_path / "chaos.json"
    parts = {"story": [{"point": "x"}], "blame": [{}], "states": {}, "cure": {}, "also": {}, "cause": cause}
    path.write_text(with_violation(**parts))
    forms = ("html", "sarif", "markdown", "annotations", "code-quality")
    written = (f"--{form}={tmp_path / form}" for form in forms)
    assert main(["report", "-v", str(path), *written, f"--allure={tmp_path / 'allure'}"]) == 1
    assert all((tmp_path / form).stat().st_size for form in forms)


def test_a_form_without_a_file_goes_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As with ``-``: for ``>> "$GITHUB_STEP_SUMMARY"``. It stands there alone."""
    json_file.write(str(tmp_path / "chaos.json"), sample_report())
    main(["report", str(tmp_path / "chaos.json"), "--markdown"])
    assert capsys.readouterr().out.startswith("## Recovery: ")
    main(["report", str(tmp_path / "chaos.json"), "--sarif=-"])
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"


NO_RESULT = "is JSON and no result of an exploration"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "is empty"),
        ("<html>", "is no JSON: Expecting value"),
        (b"\xff\xfe", "is no text, and so no JSON"),
        (json.dumps(sample_report())[:900], "ends in the middle"),
        ("[" * 100_000, "is JSON and no result"),
        ("[]", NO_RESULT),
        ('{"version": 2}', NO_RESULT),
        ('{"version": 1, "explorations": []}', "is version 1 of the result, which leaves out most of it"),
        ('{"version": 3, "explorations": []}', "is version 3 of the result, and this Rollproof reads version 2"),
        ('{"version": 2, "explorations": {}}', "explorations is a list, seed a number"),
        ('{"version": 2, "explorations": [1]}', "explorations[0] is no object"),
        ('{"version": 2, "explorations": [{}]}', "explorations[0] has no 'test'"),
        ('{"version": 2, "explorations": [{"test": 1}]}', "explorations[0] has 1 for 'test', which is no str"),
        (
            '{"version": 2, "explorations": [{"test": "a", "statement": "b", "violations": [{}]}]}',
            "explorations[0].violations[0] has no 'schedule'",
        ),
        ('{"version": 2, "explorations": []}', "has no explorations: nothing was explored"),
        (with_violation(story=[1]), "explorations[0].violations[0].story[0] is 1, and no object"),
        (with_violation(exchange=[{"step": "a"}]), "violations[0].exchange[0].step is 'a', and no int"),
        (with_violation(severity="bad"), "severity is 'bad', and none of blocker, critical, normal, minor"),
    ],
)
@pytest.mark.parametrize("command", ["report", "merge"])
def test_what_is_no_result_is_said_in_one_message(
    command: str, content: str | bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the file's name, what to type, and the code of wrong usage."""
    path = tmp_path / "given.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main([command, str(path)]) == pytest.ExitCode.USAGE_ERROR
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"chaos: {path}")
    assert said in told.err
    assert told.err.count("chaos: ") == 1


def test_a_result_of_an_earlier_commit_is_read(tmp_path: Path) -> None:
    """Keys that it does not have are empty; names that are no UTF-8 come back as they were."""
    document: Any = sample_report()
    for exploration in document["explorations"]:
        del exploration["grid"], exploration["shards"], exploration["cells"][0]["merged"]
        exploration["masked"] = [os.fsdecode(b"shared/\xff")]
    json_file.write(str(tmp_path / "chaos.json"), document)
    (first, _) = json_file.read(str(tmp_path / "chaos.json"))["explorations"]
    assert (first["grid"], first["shards"]) == ({"families": [], "points": []}, {})
    assert first["cells"][0]["merged"] == 0
    assert first["masked"] == [os.fsdecode(b"shared/\xff")]
    assert main(["report", str(tmp_path / "chaos.json")]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report"], "arguments are required: FILE"),
        (["merge", "a", "--of"], "unrecognized arguments"),
        (["report", "a", "./a"], "./a is named twice"),
        (["report", "a", "--html=a"], "a would be written over by --html"),
        (["report", "a", "--sarif=b", "--code-quality=b"], "b would be written over by --code-quality"),
        (["report", "a", "--html="], "--html names no file"),
    ],
)
def test_wrong_words_are_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With a line that says how."""
    assert main(words) == pytest.ExitCode.USAGE_ERROR
    told = capsys.readouterr().err
    assert said in told
    assert f"usage: rollproof {words[0]}" in told


def test_a_result_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `--chaos-json` says it."""
    json_file.write(str(tmp_path / "chaos.json"), sample_report())
    assert main(["merge", str(tmp_path / "chaos.json"), "-o", "/dev/full"]) == pytest.ExitCode.USAGE_ERROR
    assert "could not be written to /dev/full: No space left on device (-o)" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_ends_it(tmp_path: Path) -> None:
    """As in ``rollproof report FILE | head``: no traceback."""
    json_file.write(str(tmp_path / "chaos.json"), sample_report())
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, "-m", "rollproof", "report", str(tmp_path / "chaos.json")]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    os.close(theirs)
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["campaign", "init", "new", "doctor", "demo", "explain"])
def test_a_command_that_is_not_there_yet_says_what_to_do_until_then(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with pytest's code for wrong usage, and names another way."""
    assert main([name, "somewhere"]) == pytest.ExitCode.USAGE_ERROR
    told = capsys.readouterr().err
    assert f"chaos: rollproof {name} is not there yet" in told
    assert "until then: " in told


def test_a_mistyped_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """One clear error."""
    assert main(["reprot"]) == pytest.ExitCode.USAGE_ERROR
    assert "nearest: report" in capsys.readouterr().err


def test_help_names_what_works(tmp_path: Path) -> None:
    """Help is help, and asks for nothing heavy."""
    shown = python(tmp_path, "rollproof", "--help")
    assert shown.returncode == 0
    assert "pytest --chaos" in shown.stdout
    commands = [line.split()[1] for line in shown.stdout.splitlines() if line.startswith("  rollproof ")]
    assert commands == ["report", "merge", "known", "pin"]
