"""Names for effects: steps that an agent names, and those of sagas and of calls that a model asks for."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from openai import OpenAI
from rollproof import ChaosError, Exploration, step
from rollproof.boundary.process.steps import within
from rollproof.runtime import Run, Saga, Step, Store

from .exploring import replayed

API = "https://api.travel.test"
KILLED = "process.kill@http.post:api.travel.test/{}#1:after"


def post(name: str) -> None:
    """Make a booking, again and again."""
    httpx.post(f"{API}/{name}", json={"for": "Ada"}, timeout=10).raise_for_status()


def agent(run: Callable[[Any, Path], object], *, replies: Any = None) -> SimpleNamespace:
    """Return an agent with a private folder, a service, and perhaps a model."""

    def explore(chaos: Any, folder: Path) -> None:
        own = folder / "own"
        own.mkdir()
        chaos.private(own)
        chaos.api(API)
        if replies is not None:
            chaos.llm(replies)
        chaos.explore(run=lambda: run(chaos, own))

    return SimpleNamespace(explore=explore)


def names(result: Exploration) -> dict[str, tuple[str, ...]]:
    """Return the names at the line of each cause, by the target of its effect."""
    found = [(finding.cause, finding.blamed[0]) for finding in result.violations]
    return {cause.effect.rpartition("/")[2]: blamed.within for cause, blamed in found if cause is not None}


def ways(chaos: Any) -> Iterator[tuple[str, ...]]:
    """Yield the names in each way in which work is handed over."""
    seen: list[tuple[str, ...]] = []

    def look(name: str) -> None:
        with step(name):
            seen.append(within())

    async def tasks() -> None:
        with chaos.step("tasks"):
            await asyncio.gather(asyncio.create_task(asyncio.to_thread(look, "to thread")))

    with chaos.step("trip"):
        other = threading.Thread(target=look, args=("thread",))
        other.start()
        other.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(look, "pool").result()
        asyncio.run(tasks())
    look("alone")
    yield from seen


def test_names_are_carried_to_threads_and_tasks(tmp_path: Path) -> None:
    """The line of a cause has those that its effects are inside of; behind a step its name is gone."""

    def run(chaos: Any, own: Path) -> list[tuple[str, ...]]:
        with chaos.step("trip"), step("book flight"):
            post("flight")
        return list(ways(chaos))

    result = replayed(agent(run), tmp_path / "it", KILLED.format("flight"))
    assert names(result) == {"flight": ("trip", "book flight")}
    assert result.result == [("trip", "thread"), ("trip", "pool"), ("trip", "tasks", "to thread"), ("alone",)]


def test_a_step_of_a_saga_gives_its_name(tmp_path: Path) -> None:
    """The runtime knows nothing of the harness: it is asked."""

    def act(run: Run) -> None:
        post("flight")

    def run(chaos: Any, own: Path) -> None:
        with Store(own / "agent.db") as store:
            saga = Saga(store, "trip", [Step("book flight", act, irreversible=True)])
            if saga.recover() is None:
                saga.run("go", {})

    assert names(replayed(agent(run), tmp_path / "it", KILLED.format("flight"))) == {"flight": ("book flight",)}


def test_an_effect_between_a_call_and_its_result_carries_the_name_of_the_tool(tmp_path: Path) -> None:
    """Also where the process dies before the model has the result."""

    def replies(request: Any) -> Any:
        if any(message["role"] == "tool" for message in request["messages"]):
            return "It is booked."
        return {"tool_calls": [{"name": "book_flight", "arguments": {"for": "Ada"}}]}

    def run(chaos: Any, own: Path) -> None:
        messages: list[Any] = [{"role": "user", "content": "Book a flight"}]
        with OpenAI(max_retries=0) as client:
            said = client.chat.completions.create(model="gpt-4o-mini", messages=messages).choices[0].message
            messages.append(said.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True))
            for call in messages[-1]["tool_calls"]:
                post(json.loads(call["function"]["arguments"])["for"])
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": "done"})
            client.chat.completions.create(model="gpt-4o-mini", messages=messages)

    result = replayed(agent(run, replies=replies), tmp_path / "it", KILLED.format("Ada"))
    assert names(result) == {"Ada": ("book_flight",)}


def test_outside_exploration_a_step_does_nothing() -> None:
    """But refuse what is no name."""
    with step("book flight"):
        pass
    for name in ("", " ", 3):
        with pytest.raises(ChaosError, match="no name of a step"), step(name):  # type: ignore[arg-type]
            pass
