"""A tool loop on Anthropic's SDK: a call whose result was not stored bricks the conversation, unless it is repaired."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..exploring import causes, explored, options
from . import anthropic_loop as loop

FAULTS = [options().known[name] for name in ("process.kill", "http.timeout", "llm.timeout", "llm.rate_limited")]
REPLIES = {
    loop.TASK: [
        {"tool_calls": [{"name": "reservations", "arguments": {"what": "4 panels"}}]},
        {"tool_calls": [{"name": "mails", "arguments": {"what": "4 panels are yours"}}]},
        "Done.",
    ]
}


def agent(*, repairs: bool) -> Any:
    """Return the loop, restarted as it is or through `resume`, as `explored` takes it."""

    def explore(chaos: Any, folder: Path) -> None:
        own = folder / "agent"
        own.mkdir()
        path = own / "conversation.json"
        chaos.private(own)
        chaos.api(loop.SHOP)
        chaos.llm(REPLIES)
        chaos.explore(run=lambda: loop.order(path), recover=(lambda: loop.resume(path)) if repairs else None)

    return SimpleNamespace(explore=explore)


def test_a_call_without_its_result_is_refused_for_ever(tmp_path: Path) -> None:
    """The provider answers 400 to the conversation that was left, at every start (its own rule, and the twin's)."""
    result = explored(agent(repairs=False), tmp_path / "it", faults=FAULTS)
    (finding,) = result.violations
    assert "recovery_succeeds" in finding.invariants
    assert "tool_use" in finding.message
    assert causes(result) == ["raised in order, BadRequestError"]
    assert (result.flaky, result.errors, result.drifted) == ((), (), ())


def test_a_conversation_that_is_repaired_first_goes_on(tmp_path: Path) -> None:
    """The call is made again under its own id, which is in the conversation: any number of crashes end with one."""
    result = explored(agent(repairs=True), tmp_path / "it", faults=FAULTS)
    assert (result.violations, result.flaky, result.errors, result.drifted) == ((), (), (), ())
    assert result.closed, result.statement
