"""``--chaos-keep``: the states of a finding as folders that a person can look at."""

import json
import sqlite3
from unittest.mock import ANY

import pytest

from .projects import refused, unwrapped, write_test

AGENT = """
chaos.watch(shared)
chaos.private(own)
chaos.watch(shared.parent / "rows.db")
api = chaos.api("https://bank.test")
import httpx
def run():
    (own / "plan").write_text("half")
    with sqlite3.connect(shared.parent / "rows.db") as rows:
        rows.execute("create table row (of integer)")
        rows.execute("insert into row values (7)")
    httpx.post("https://bank.test/payments", json={"of": 3})
    os.mkdir(shared / "a")
    os.mkdir(shared / "b")
chaos.explore(run=run, recover=lambda: None)
"""
TOKEN = "process.kill@file.mkdir:shared/a#1:after"


def _replay(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest("--chaos", f"--chaos-replay={TOKEN}", *options)


def test_states_are_kept(pytester: pytest.Pytester) -> None:
    """Of a replayed finding all three states are there: files, databases, services; later sessions replace them."""
    write_test(pytester, AGENT)
    for _ in range(2):
        result = _replay(pytester, "--chaos-keep=states")
        assert f"has the states before, at the fault and at the end of {TOKEN}" in unwrapped(str(result.stdout))
    assert "are real, secrets included" in unwrapped(str(result.stdout))
    (kept,) = (pytester.path / "states").iterdir()
    assert {path.stat().st_mode & 0o777 for path in (kept, kept.parent)} == {0o700}
    assert (kept / "schedule.txt").read_text() == f"{TOKEN}\n"
    assert sorted(path.name for path in (kept / "before").iterdir()) == ["own", "shared"]
    fault = kept / "at-the-fault"
    assert (fault / "own" / "plan").read_text() == "half"
    assert (fault / "shared" / "a").is_dir()
    with sqlite3.connect(fault / "rows.db") as rows:
        assert rows.execute("select of from row").fetchall() == [(7,)]
    assert json.loads((kept / "end" / "services.json").read_text()) == {"bank.test/payments": [{"id": ANY, "of": 3}]}
    foreign = kept / "schedule.txt"
    foreign.unlink()
    assert "left as it is, nothing is kept there" in str(_replay(pytester, "--chaos-keep=states").stdout)
    assert (fault / "own" / "plan").exists()


def test_a_folder_that_is_put_back_keeps_nothing(pytester: pytest.Pytester) -> None:
    """States within what is watched would go when it is put back: refused before anything runs, as a file is."""
    write_test(pytester, AGENT)
    base = pytester.path / "base"
    result = _replay(pytester, f"--basetemp={base}", f"--chaos-keep={base}/test_it0/shared/states")
    refused(result, "bad-keep", "shared, which is put back")
    (pytester.path / "file").write_text("")
    refused(_replay(pytester, "--chaos-keep=file"), "bad-keep", "no folder to write to")
