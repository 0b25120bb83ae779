"""An agent of the OpenAI Agents SDK with two tools and its SQLite session: what its tools do is done again.

The SDK stores a turn's items when the turn is over, and hands a tool's exception to the model as text. So a crash
between a tool's effect and the end of its turn, or a lost answer, makes the model ask for the same effect again. That
is inherent, as it is with every framework: a key that does not change makes it harmless. The session itself stays
whole: the twin, as strict as the provider, never met a tool call without its result.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ..exploring import causes, explored, options, replayed
from . import openai_clerk as clerk

KILL, TIMEOUT = options().known["process.kill"], options().known["http.timeout"]
EFFECTS = ("http.post:api.shop.test/reservations#1", "http.post:api.shop.test/mails#1")


def agent(tools: Any) -> Any:
    """Return the clerk with these tools, as `explored` takes it."""

    def explore(chaos: Any, folder: Path) -> None:
        own = folder / "agent"
        own.mkdir()
        chaos.private(own)
        chaos.api(clerk.SHOP)
        chaos.llm(clerk.model)
        chaos.explore(run=lambda: clerk.order(own / "sessions.db", tools))

    return SimpleNamespace(explore=explore)


def test_a_tool_whose_answer_was_lost_is_called_again(tmp_path: Path) -> None:
    """The model is told of the timeout, asks again, and there are two: one cause for each tool."""
    result = explored(agent(clerk.CARELESS), tmp_path / "it", faults=[TIMEOUT])
    once = {f"http.timeout@{point}:after" for point in EFFECTS}
    assert {finding.schedule for finding in result.violations} == once
    assert {finding.invariants for finding in result.violations} == {("all_or_nothing", "honest_outcome")}
    assert causes(result) == [
        "twice: http.post:api.shop.test/mails in post",
        "twice: http.post:api.shop.test/reservations in post",
    ]
    assert (result.flaky, result.errors, result.drifted) == ((), (), ())


def test_with_keys_no_lost_answer_does_harm(tmp_path: Path) -> None:
    """Each tool may be called again, and the whole of it started again."""
    result = explored(agent(clerk.CAREFUL), tmp_path / "it", faults=[TIMEOUT])
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())


@pytest.mark.parametrize("point", EFFECTS)
def test_a_kill_after_an_effect_is_found_and_harmless_with_keys(point: str, tmp_path: Path) -> None:
    """The call is not in the session, so that "Continue." leads to it once more."""
    token = f"process.kill@{point}:after"
    careless = replayed(agent(clerk.CARELESS), tmp_path / "careless", token)
    assert [finding.invariants for finding in careless.violations] == [("all_or_nothing", "honest_outcome")]
    careful = replayed(agent(clerk.CAREFUL), tmp_path / "careful", token)
    assert (careful.violations, careful.drifted) == ((), ())


def test_crashes_leave_a_session_that_goes_on(tmp_path: Path) -> None:
    """Each resumption adds to the session, so that no number of crashes is all of them; a budget ends it."""
    result = explored(agent(clerk.CAREFUL), tmp_path / "it", faults=[KILL], budget_s=15)
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())
    assert not result.closed
    assert "left out" in result.statement
