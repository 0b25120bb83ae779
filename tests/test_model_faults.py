"""Every fault of a model is caught in an agent that believes too much, and leaves alone one that looks twice."""

from pathlib import Path
from typing import Any

import pytest

from .brute_forcing import WHOLE
from .exploring import explored, options, replayed
from .mutants.models import GEMINI, WAYS, Agent, run_tools, write_plan, write_prose

MODEL_FAULTS = {name: fault for name, fault in options().known.items() if name.startswith("llm.")}
SEEDED = {
    "llm.malformed_json": run_tools,
    "llm.truncated_json": run_tools,
    "llm.json_in_prose": write_plan,
    "llm.missing_field": write_plan,
    "llm.wrong_type": write_plan,
    "llm.empty_answer": write_prose,
    "llm.refusal": write_prose,
    "llm.stopped_for_length": write_prose,
    "llm.unknown_tool": run_tools,
    "llm.closed_stream": write_prose,
    "llm.cut_stream": write_plan,
    "llm.stalled_stream": run_tools,
    "llm.content_filter": write_prose,
}
BY_SCHEMA = {"llm.unknown_enum_value"}  # these agents ask for none: see test_model_schemas
DRAWN = {"llm.corrupted_json", "llm.surprising_value"}  # see test_edited_json
OWN_AGENTS = {"llm.context_overflow", "llm.overloaded", "llm.plausible_value"}  # see tests/mutants
GEMINIS = ("llm.malformed_json", "llm.unknown_tool", "llm.refusal", "llm.content_filter", "llm.closed_stream")


def ways(n: int, name: str) -> list[Any]:
    """Return two APIs in turn, once whole and once streamed, and all for a fault of streams; in CI one of these."""
    two = [WAYS[2 * n % 6], WAYS[(2 * n + 3) % 6]]
    every = WAYS[1::2] if name.endswith("_stream") else two
    return every if WHOLE else [every[n % len(every)]]


CAUGHT = [(name, *way) for n, name in enumerate(SEEDED) for way in ways(n, name)]
LEFT_ALONE = [(run_tools, *way) for way in (WAYS if WHOLE else WAYS[:2])]
LEFT_ALONE += [(write_plan, *way) for way in (WAYS[::2] if WHOLE else WAYS[2:4])]
LEFT_ALONE += [(write_prose, *way) for way in (WAYS[1::2] if WHOLE else WAYS[4:])]


def ids(value: Any) -> str:
    """Name a parameter."""
    return getattr(value, "__name__", {True: "streamed", False: "whole"}.get(value, str(value)))


def test_every_fault_of_a_model_has_its_seeded_agent() -> None:
    """What the other services share with a model is tested with them."""
    shared = {name.replace("http.", "llm.", 1) for name in options().known if name.startswith("http.")}
    assert set(SEEDED) | BY_SCHEMA | DRAWN | OWN_AGENTS == set(MODEL_FAULTS) - shared


@pytest.mark.parametrize(("name", "ask", "streamed"), CAUGHT, ids=ids)
def test_a_fault_catches_an_agent_that_believes_too_much(name: str, ask: Any, streamed: bool, tmp_path: Path) -> None:
    """With this fault alone the outside is seen to be wrong, and the token replays it."""
    agent = Agent(SEEDED[name], ask, streamed, careful=False)
    result = explored(agent, tmp_path / "explored", faults=(MODEL_FAULTS[name],))
    assert result.violations, result.statement
    assert not result.errors
    assert not result.flaky
    smallest = result.violations[0]
    assert smallest.schedule.startswith(name)
    assert "all_or_nothing" in smallest.invariants
    again = replayed(agent, tmp_path / "replayed", smallest.schedule)
    assert again.violations[0].invariants == smallest.invariants


@pytest.mark.parametrize(("work", "ask", "streamed"), LEFT_ALONE, ids=ids)
def test_an_agent_that_looks_twice_is_left_alone(work: Any, ask: Any, streamed: bool, tmp_path: Path) -> None:
    """No fault of a model makes it do anything wrong, and each was tried."""
    result = explored(Agent(work, ask, streamed, careful=True), tmp_path, faults=tuple(MODEL_FAULTS.values()))
    assert result.violations == ()
    assert (result.flaky, result.errors, result.drifted, result.unintercepted) == ((), (), (), ())


@pytest.mark.parametrize("careful", [False, True])
def test_gemini_goes_wrong_in_its_own_ways(careful: bool, tmp_path: Path) -> None:
    """Its answers, calls and streams can be changed as any other's; only an agent that believes them is led astray."""
    ask, streamed = GEMINI[1]
    faults = tuple(MODEL_FAULTS[name] for name in GEMINIS)
    result = explored(Agent(run_tools, ask, streamed, careful), tmp_path, faults=faults)
    assert {cell.fault for cell in result.cells} == set(GEMINIS)
    assert (result.flaky, result.errors, result.drifted) == ((), (), ())
    assert bool(result.violations) != careful
