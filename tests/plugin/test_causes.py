"""A finding's cause as its reader meets it: on the terminal and in the JSON result."""

import json

import pytest

from .projects import unwrapped

AGENT = """
import json
import httpx

KEYS = ("promise", "way")

def load(path):
    return json.loads(path.read_text())

def send(own):
    state = own / "state.json"
    about = load(state)["about"] if state.exists() else "solar"
    state.write_text(json.dumps({"about": about}))
    httpx.post(
        "https://api.mail.test/mails",
        json={"about": about},
    ).raise_for_status()
"""
TEST = """
import pytest
from agent import send

@pytest.mark.chaos(faults="process.kill")
def test_sending(chaos, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.mail.test")
    chaos.explore(run=lambda: send(own))
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a project with a folder of its own for agent and test."""
    pytester.makeini("[pytest]\npythonpath = agents")
    folder = pytester.mkdir("agents")
    (folder / "agent.py").write_text(AGENT)
    (folder / "test_it.py").write_text(TEST)
    return pytester


def test_both_tell_the_line_that_made_it(project: pytest.Pytester) -> None:
    """JSON has the keys of the contract; the terminal shows what is twice, place, statement, and what was raised."""
    result = project.runpytest_subprocess("--chaos", "--chaos-json=it.json", "agents")
    result.assert_outcomes(failed=1)
    (exploration,) = json.loads((project.path / "it.json").read_text())["explorations"]
    torn, doubled = sorted((found["cause"] for found in exploration["violations"]), key=lambda cause: cause["way"])
    lines = AGENT.splitlines()
    posting = lines.index("    httpx.post(") + 1
    raising = lines.index("    return json.loads(path.read_text())") + 1
    assert torn == {
        "promise": "recovery_succeeds",
        "way": "raised",
        "effect": "",
        "file": "agents/agent.py",
        "line": raising,
        "function": "load",
        "statement": "return json.loads(path.read_text())",
        "exception": f"JSONDecodeError at agents/agent.py:{raising} in load",
        "callers": [],
        "raising": "return json.loads(path.read_text())",
        "killed": f"file.open:own/state.json, agents/agent.py:{posting - 1} in send",
        "goes_on": False,
    }
    assert doubled == {
        "promise": "all_or_nothing",
        "way": "twice",
        "effect": "http.post:api.mail.test/mails",
        "file": "agents/agent.py",
        "line": posting,
        "function": "send",
        "statement": 'httpx.post( "https://api.mail.test/mails", json={"about": about}, ).raise_for_status()',
        "exception": "",
        "callers": [],
        "raising": "",
        "killed": "",
        "goes_on": False,
    }
    output = result.stdout.str()
    assert "\nMail 'solar' goes out twice " in output
    assert f"agent.py:{posting} sent it again in the recovery without a key." in unwrapped(output)
    assert f"  to blame agents/agent.py:{posting} in send\n" in output
    assert f"\n           > {posting}  httpx.post(\n" in output
    assert "\nRecovery fails with JSONDecodeError in load() " in output
    assert f"  to blame agents/agent.py:{raising} in load\n" in output


def test_the_file_is_where_pytest_was_started(project: pytest.Pytester) -> None:
    """A test that goes elsewhere takes it nowhere: that folder may be watched."""
    file = project.path / "agents" / "test_it.py"
    file.write_text(file.read_text().replace("    own.mkdir()", "    own.mkdir()\n    import os\n    os.chdir(own)"))
    project.runpytest_subprocess("--chaos", "--chaos-json=it.json", "--basetemp=base", "agents")
    assert [path.relative_to(project.path).as_posix() for path in project.path.rglob("it.json")] == ["it.json"]
