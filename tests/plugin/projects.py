"""Small projects to run pytest in: a right agent, a wrong one, and what their tests look like."""

from textwrap import dedent, indent

import pytest

AGENT = """
import os

def publish(shared, own):
    draft = own / "report.part"
    draft.write_text("Prices fell by a tenth.")
    os.replace(draft, shared / "report.md")
    return "published"

def restart(own):
    (own / "report.part").unlink(missing_ok=True)
"""

TEST = """
import pytest
from agent import publish, restart

@pytest.mark.chaos{mark}
def test_publishing({fixture}, tmp_path):
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    own.mkdir()
    chaos = {fixture}
    chaos.watch(shared)
    chaos.private(own)
    found = chaos.explore(run=lambda: publish(shared, own), recover=lambda: {recover})
{after}
"""


def when_found(how: str) -> str:
    """Return the lines of a test that do something as soon as a finding is confirmed."""
    reader = f"Reader((Found,), lambda found: {how})"
    return f"    from rollproof.values.events import Found, Reader\n    chaos._readers = ({reader}, *chaos._readers)\n"


def write_project(
    pytester: pytest.Pytester,
    *,
    right: bool = True,
    mark: str = "",
    fixture: str = "chaos",
    after: str = "",
) -> None:
    """Write an agent and its test; with ``right=False`` recovery leaves the draft where it is."""
    recover = "restart(own)" if right else "None"
    text = TEST.format(mark=mark, fixture=fixture, recover=recover, after=indent(dedent(after), "    "))
    pytester.makepyfile(agent=AGENT, test_it=text)


def write_test(pytester: pytest.Pytester, body: str, *, before: str = "") -> None:
    """Write one chaos test with this body; ``shared`` and ``own`` are folders that exist."""
    head = (
        "import os, sqlite3, pytest\n"
        f"{dedent(before)}\n"
        "@pytest.fixture\n"
        "def folders(tmp_path):\n"
        "    for name in ('shared', 'own'):\n"
        "        (tmp_path / name).mkdir()\n"
        "    return tmp_path / 'shared', tmp_path / 'own'\n\n"
        "def write(folder):\n"
        "    (folder / 'a.txt').write_text('a')\n\n"
        "def test_it(chaos, folders, tmp_path):\n"
        "    shared, own = folders\n"
    )
    pytester.makepyfile(test_it=head + indent(dedent(body), "    "))


def unwrapped(output: str) -> str:
    """Return what was printed with all of it in one line: how it is wrapped is a matter of its width."""
    return " ".join(output.split())


def refused(result: pytest.RunResult, code: str, *texts: str) -> str:
    """Check that a run failed with just this one error and these texts, without our traceback; return the output."""
    output = result.stdout.str() + result.stderr.str()
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR), output
    assert output.count(f"[{code}]") == 1, output
    for text in texts:
        assert text in output, output
    assert "harness/" not in output.replace("rootdir", ""), output
    assert "INTERNALERROR" not in output, output
    return output
