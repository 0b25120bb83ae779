"""``rollproof known``: what it adds, lists and removes, and what it refuses."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from rollproof.__main__ import main
from rollproof.testing import sample_report

ID = "3f2a91c04d7e"
TODAY = date.today()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a project, below whose root we are, and whose last run had a finding."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    kept = tmp_path / ".pytest_cache" / "v" / "rollproof" / "runs"
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"test_it.py::test_it": {"": [[ID, "Mail goes out twice", "process.kill@x"]]}}))
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path / "tests")
    return tmp_path


def entry(id: str, test: str = "", until: date | None = None) -> str:
    """Return an entry as a person writes it."""
    day = f"until = {until}\n" if until is not None else ""
    return f'[[known]]\nid = "{id}"\nreason = "ticket 12"\n' + (f'test = "{test}"\n' if test else "") + day


def test_a_finding_of_the_last_run_is_added_beside_the_root(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its title and its test, for people; `list` prints what is known."""
    assert main(["known", "list"]) == 0
    assert "nothing is known" in capsys.readouterr().out
    assert main(["known", "add", ID, "--reason", "see ticket 12", "--until", str(TODAY)]) == 0
    assert (project / "chaos-known.toml").read_text() == (
        f'[[known]]\nid = "{ID}"\ntitle = "Mail goes out twice"\ntest = "test_it.py::test_it"\n'
        f'reason = "see ticket 12"\nuntil = {TODAY}\n'
    )
    capsys.readouterr()
    assert main(["known", "list"]) == 0
    told = f"{ID}  until {TODAY}: see ticket 12  Mail goes out twice  test_it.py::test_it\n"
    assert capsys.readouterr().out == told


YESTERDAY = TODAY - timedelta(days=1)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["add", "3f2a", "--reason", "r"], "unknown-id", f"{ID}  Mail goes out twice"),
        (["add", ID], "bad-usage", "--reason"),
        (["add", ID, "--reason", " "], "bad-known", "a finding is known for a reason"),
        (["add", ID, "--reason", "r", "--until", "spring"], "bad-date", "'spring' is no day"),
        (["add", ID, "--reason", "r", "--until", str(YESTERDAY)], "bad-date", f"{YESTERDAY} is over"),
        (["add", ID, "--reason", "r", "--from", "none.json"], "bad-baseline", "'none.json' cannot be read"),
        (["add", ID, "--reason", "r", "--from", "old.json"], "bad-baseline", "is version 1 of the JSON result"),
        (["forget", ID], "bad-usage", "forget"),
        ([], "bad-usage", "required"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: str, told: str
) -> None:
    """With one message and pytest's code for wrong usage; nothing is written."""
    (project / "tests" / "old.json").write_text('{"version": 1, "explorations": []}')
    assert main(["known", *words]) == pytest.ExitCode.USAGE_ERROR
    said = capsys.readouterr().err
    assert f"[{code}]" in said
    assert told in said
    assert not (project / "chaos-known.toml").exists()


def test_what_is_known_already_is_not_added(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its reason is changed in the file."""
    (project / "chaos-known.toml").write_text(entry(ID))
    assert main(["known", "add", ID, "--reason", "r"]) == pytest.ExitCode.USAGE_ERROR
    assert f"{ID} is known already" in capsys.readouterr().err


def test_without_a_run_there_is_nothing_to_add(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what to do first."""
    (project / ".pytest_cache" / "v" / "rollproof" / "runs").unlink()
    assert main(["known", "add", ID, "--reason", "r"]) == pytest.ExitCode.USAGE_ERROR
    assert "explore first: pytest --chaos" in capsys.readouterr().err


def report(folder: Path, **changed: Any) -> tuple[str, list[str]]:
    """Write a result, its first exploration changed; returns its name and the ids in it."""
    found = sample_report()
    found["explorations"][0].update(changed)  # type: ignore[typeddict-item]
    absent = ("name", "label", "interrupted", "not_explored", "notes")  # where nothing is in them
    written = [
        {key: value for key, value in one.items() if value or key not in absent} for one in found["explorations"]
    ]
    (folder / "run.json").write_text(json.dumps({**found, "explorations": written}))
    return "run.json", [one["id"] for one in found["explorations"][0]["violations"]]


def test_a_finding_of_a_result_is_added(project: Path) -> None:
    """Without a title it is called by its cause."""
    file, (id, *_) = report(project / "tests")
    assert main(["known", "add", id, "--reason", "r", "--from", file]) == 0
    assert 'title = "twice: http.post:api.mail.test/mails, agent.py:12"' in (project / "chaos-known.toml").read_text()


def test_what_a_run_does_not_have_is_removed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But for what it did not look at: tests that did not run, or did not come to their end."""
    file, (id, *_) = report(project / "tests")
    explored, other = "tests/test_it.py::test_0", "tests/test_it.py::test_9"
    stays, gone, unseen = entry(id, explored), entry("9" * 12, explored), entry("8" * 12, other)
    nowhere = entry("7" * 12)
    known = project / "chaos-known.toml"
    known.write_text("\n".join([gone, stays, unseen, nowhere]))
    assert main(["known", "prune", file]) == 0
    assert known.read_text() == "\n".join([stays, unseen])
    said = capsys.readouterr().out
    assert f"removed: {'9' * 12}" in said
    assert f"kept, as run.json did not look at all of its test: {'8' * 12}" in said
    known.write_text(gone)
    file, _ = report(project / "tests", skipped={"budget": 3})
    assert main(["known", "prune", file]) == 0
    assert known.read_text() == gone
