"""Agents on further frameworks: what is inherent to each is found by cause, and with keys nothing is.

None of it is a defect of a framework's: what was done and not stored is done again, as each of them says. Right
agents are explored with more, and left alone.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ...exploring import causes, explored, only, replayed
from .shop import EFFECTS, agent

CLEAN: tuple[Any, ...] = ((), (), (), ())


def adk(*, keyed: bool) -> Any:
    """Return ADK's agent."""
    clerk = pytest.importorskip(f"{__package__}.adk_clerk", exc_type=ImportError)
    return agent(lambda own: clerk.order(own / "sessions.db", clerk.CAREFUL if keyed else clerk.CARELESS))


def pydantic_ai(*, keyed: bool) -> Any:
    """Return pydantic-ai's agent on DBOS."""
    clerk = pytest.importorskip(f"{__package__}.pydantic_clerk", exc_type=ImportError)
    return agent(partial(clerk.run, keyed=keyed), partial(clerk.resume, keyed=keyed), prepare=clerk.prepare)


def llama_index(*, keyed: bool) -> Any:
    """Return the workflow of LlamaIndex."""
    orders = pytest.importorskip(f"{__package__}.llama_workflow", exc_type=ImportError)
    return agent(partial(orders.order, keyed=keyed), asks_a_model=False)


def crew_ai(*, keyed: bool) -> Any:
    """Return CrewAI's flow."""
    flow = pytest.importorskip(f"{__package__}.crew_flow", exc_type=ImportError)
    return agent(partial(flow.order, keyed=keyed), asks_a_model=False)


ALL = [adk, pydantic_ai, llama_index, crew_ai]


def twice(effects: tuple[str, ...] = EFFECTS) -> list[str]:
    """Return the causes of effects that are done twice."""
    return sorted(f"twice: {effect} in post" for effect in effects)


@pytest.mark.parametrize("framework", ALL)
@pytest.mark.parametrize("effect", EFFECTS)
def test_a_kill_after_an_effect_is_found_and_harmless_with_keys(framework: Any, effect: str, tmp_path: Path) -> None:
    """What was not stored by then is done again."""
    token = f"process.kill@{effect}#1:after"
    careless = replayed(framework(keyed=False), tmp_path / "careless", token)
    assert (causes(careless), careless.drifted) == (twice((effect,)), ())
    careful = replayed(framework(keyed=True), tmp_path / "careful", token)
    assert (careful.violations, careful.flaky, careful.errors, careful.drifted) == CLEAN


@pytest.mark.parametrize("framework", ALL)
@pytest.mark.parametrize("effect", EFFECTS)
def test_a_lost_answer_is_found_and_harmless_with_keys(framework: Any, effect: str, tmp_path: Path) -> None:
    """The error ends the run, and going on from it asks again."""
    token = f"http.timeout@{effect}#1:after"
    careless = replayed(framework(keyed=False), tmp_path / "careless", token)
    assert (causes(careless), careless.drifted) == (twice((effect,)), ())
    careful = replayed(framework(keyed=True), tmp_path / "careful", token)
    assert (careful.violations, careful.flaky, careful.errors, careful.drifted) == CLEAN


@pytest.mark.parametrize("framework", ALL)
def test_with_keys_faults_of_services_do_no_harm(framework: Any, tmp_path: Path) -> None:
    """Of the shop's and of the model's."""
    faults = only("http.timeout", "http.refused", "http.server_error")
    result = explored(framework(keyed=True), tmp_path / "it", **faults)
    assert (result.violations, result.flaky, result.errors, result.drifted) == CLEAN


@pytest.mark.parametrize("framework", [adk, llama_index, crew_ai])
def test_with_keys_no_crash_does_harm(framework: Any, tmp_path: Path) -> None:
    """Wherever the process dies, and dies again while it recovers, within what a budget allows."""
    result = explored(framework(keyed=True), tmp_path / "it", budget_s=120, **only("process.kill"))
    assert (result.violations, result.flaky, result.drifted) == ((), (), ())
