"""The command `rollproof`: what is not there yet is refused clearly."""

import subprocess
import sys

import pytest
from rollproof.__main__ import main


@pytest.mark.parametrize("name", ["report", "merge", "known", "campaign", "init", "new", "doctor", "demo", "explain"])
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


def test_python_minus_m_says_how_to_explore() -> None:
    """Help is help, and asks for nothing heavy."""
    shown = subprocess.run([sys.executable, "-m", "rollproof", "--help"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0
    assert "pytest --chaos" in shown.stdout
    assert not [line for line in shown.stdout.splitlines() if line.startswith("  rollproof")], "none works yet"
