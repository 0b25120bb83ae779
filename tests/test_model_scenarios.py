"""The scenarios that ask a model stand up to all that a model can say.

One of them is explored under every fault by `make chaos`, which CI runs, and not here again.
"""

import re
from pathlib import Path

import pytest

from .exploring import explored, options, scenario

STORIES = {
    "carry_out_a_plan": "test_a_bad_plan_changes_nothing",
    "long_research": "test_a_restart_goes_on_from_the_last_checkpoint",
    "publish_report": "test_a_failed_email_leaves_no_half_written_report",
}
ROOT = Path(__file__).parent.parent


def test_each_of_them_is_here() -> None:
    """Whoever adds one that asks a model enters it."""
    asking = {path.stem for path in (ROOT / "scenarios").glob("test_*.py") if "chaos.llm(" in path.read_text()}
    assert asking == {f"test_{name}" for name in STORIES}


def core() -> list[str]:
    """Return the scenarios that `make chaos` explores."""
    (names,) = re.findall(r"^CORE := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return list(names.split())


@pytest.mark.parametrize("name", [name for name in STORIES if name not in core()])
def test_whatever_the_model_says(name: str, tmp_path: Path) -> None:
    """Nothing is half done, and nothing is believed that was not looked at."""
    faults = [fault for fault in options().faults if fault.name.startswith("llm.")]
    result = explored(scenario(name, STORIES[name]), tmp_path / "explored", faults=faults)
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())
