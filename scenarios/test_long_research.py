"""An agent asks a model three questions, one after the other, and writes down the answers: a restart goes on, and pays
for no answer twice that it already has.
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import openai
import pytest
from rollproof import Chaos, World
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs
from rollproof.runtime import Buffer, Found, Run, Saga, Staging, Status, Step, Store
from rollproof.runtime.staging import MANIFEST

ANSWERS = {"What does it cost": '{"cents": 5}', "How much is there": '{"gigawatts": 900}'}


def form(fact: str) -> dict[str, object]:
    """Say what an answer with one whole number is."""
    properties = {fact: {"type": "integer"}}
    return {"type": "object", "properties": properties, "required": [fact], "additionalProperties": False}


FORMS = {"What does it cost": form("cents"), "How much is there": form("gigawatts")}


def ask(run: Run, question: str) -> dict[str, object]:
    """Ask the model, which answers in pieces; the answer is part of the next checkpoint, once all of it is there."""
    buffer, reason = Buffer(FORMS[question]), None
    said: Any = [{"role": "user", "content": f"{question}?"}]
    with openai.OpenAI(timeout=60, max_retries=1) as model:
        for chunk in model.chat.completions.create(model="gpt-5", messages=said, stream=True):
            for choice in chunk.choices:
                buffer.add(choice.delta.content or "")
                reason = choice.finish_reason or reason
    return {"facts": {**run.variables["facts"], **buffer.take(reason)}}


class Researcher:
    """Collects facts, and publishes them as a set."""

    def __init__(self, shared: Path, own: Path) -> None:
        self.shared, self.own = shared, own

    def saga(self, store: Store) -> Saga:
        """One step a question; a crash is no reason to begin again."""
        questions = [
            Step(f"ask-{number}", lambda run, q=question: ask(run, q), reads_only=True)  # type: ignore[misc]
            for number, question in enumerate(ANSWERS)
        ]
        stage = Step("stage", self.stage, undo=lambda run: self.staging(run).discard(), repeatable=True)
        publish = Step("publish", self.publish, undo=self.withdraw, look=self.look)
        return Saga(store, "research", [*questions, stage, publish], after_crash="resume")

    def staging(self, run: Run) -> Staging:
        """Give the run a workspace."""
        return Staging(self.own / f"staging-{run.id}", self.shared / "facts")

    def stage(self, run: Run) -> dict[str, str]:
        """Write the facts down where nobody looks; what a dead process began is deleted first."""
        self.staging(run).discard()
        return {"digest": self.staging(run).fill({"facts.json": json.dumps(run.variables["facts"]).encode()})}

    def publish(self, run: Run) -> None:
        """Publish them."""
        self.staging(run).commit(run.variables["digest"])

    def withdraw(self, run: Run) -> None:
        """Take them back."""
        self.staging(run).withdraw(run.variables["digest"])

    def look(self, run: Run) -> Found:
        """Ask the shared folder whether they are published."""
        manifest = self.shared / "facts" / MANIFEST
        there = sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else None
        return Found.of(run.variables["digest"], there)


def research(shared: Path, own: Path) -> str:
    """Do it all."""
    with Store(own / "agent.db") as store:
        Researcher(shared, own).saga(store).run("facts on solar power", {"facts": {}})
    return "published"


def restart(shared: Path, own: Path) -> Status | None:
    """Go on where the last process died."""
    with Store(own / "agent.db") as store:
        return Researcher(shared, own).saga(store).recover()


@pytest.mark.chaos(epic="Research", feature="Checkpoints")
def test_a_restart_goes_on_from_the_last_checkpoint(chaos: Chaos, tmp_path: Path) -> None:
    """Each step is entered once in a run, and the facts are complete or not there."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.llm(ANSWERS)
    chaos.invariant(journal_is_whole)
    chaos.invariant(leases_end_with_their_runs)

    @chaos.invariant
    def no_step_is_taken_twice(world: World) -> None:
        """What is behind a checkpoint is not done again, but for a step whose checkpoint was damaged."""
        rows = world.private_tables.get("agent/agent.db:journal", [])
        steps = Counter[tuple[str, str]]()
        for row in rows:
            if row["event"] in ("entered", "rewound"):
                steps[row["run"], row["detail"]] += 1 if row["event"] == "entered" else -1
        assert all(times <= 1 for times in steps.values())

    @chaos.invariant
    def a_restart_takes_nothing_back(world: World) -> None:
        """A crash is no reason to begin again: what was answered is paid for."""
        rows = world.private_tables.get("agent/agent.db:journal", [])
        assert not [row for row in rows if row["event"] == "abandoned" and '"restart"' in row["detail"]]

    chaos.explore(run=lambda: research(shared, own), recover=lambda: restart(shared, own))

    assert json.loads((shared / "facts" / "facts.json").read_text()) == {"cents": 5, "gigawatts": 900}
