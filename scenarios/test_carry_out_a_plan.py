"""A model plans how to tidy a folder; a rule approves the plan; then, and only then, is it carried out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from rollproof import Chaos, World
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs
from rollproof.runtime import Plan, PlannedAgent, PlanRejected, Rules, Run, Store, Tool, read_plan

PLAN = {
    "goal": "tidy up",
    "steps": [
        {"tool": "look_around", "arguments": {}},
        {"tool": "make_folder", "arguments": {"path": "old"}},
        {"tool": "move", "arguments": {"source": "a.txt", "target": "old/a.txt"}},
        {"tool": "move", "arguments": {"source": "b.txt", "target": "old/b.txt"}},
    ],
}


class Tidier:
    """Moves files of one folder about."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tools(self) -> dict[str, Tool]:
        """Say what a plan may use."""
        text = {"source": str, "target": str}
        look = Tool("look_around", self.look_around, {}, reads_only=True)
        make = Tool("make_folder", self.make, {"path": str}, undo=self.unmake, paths=("path",))
        move = Tool("move", self.move, text, undo=self.move_back, paths=("source", "target"))
        return {tool.name: tool for tool in (look, make, move)}

    def look_around(self, run: Run, given: Any) -> dict[str, Any]:
        """Remember what is there: the work of others, which is not this run's to take back."""
        return {"there": sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*"))}

    def make(self, run: Run, given: Any) -> None:
        """Make a folder."""
        (self.folder / given["path"]).mkdir()

    def unmake(self, run: Run, given: Any) -> None:
        """Remove it, unless it was there before; gone is fine."""
        folder = self.folder / given["path"]
        if given["path"] not in run.variables["there"] and folder.exists():
            folder.rmdir()

    def move(self, run: Run, given: Any) -> None:
        """Move a file, never over another."""
        source, target = self.folder / given["source"], self.folder / given["target"]
        if target.exists():
            raise FileExistsError(target)
        source.rename(target)

    def move_back(self, run: Run, given: Any) -> None:
        """Move it back, if it was moved."""
        source, target = self.folder / given["source"], self.folder / given["target"]
        ours = given["target"] not in run.variables["there"]
        if ours and target.exists() and not source.exists():
            target.rename(source)


def looks_first(plan: Plan) -> Iterator[str]:
    """Yield what is wrong with a plan that could not tell its own work from that of others."""
    if plan.actions[0].tool != "look_around":
        yield "it does not look around first"


def is_small(plan: Plan) -> bool:
    """Say whether a plan may run without a person: a few steps."""
    return len(plan.actions) <= 5


def tidy(folder: Path, own: Path) -> str:
    """Ask for a plan, have it approved, carry it out; a bad plan is discarded whole."""
    tools = Tidier(folder).tools()
    with openai.OpenAI(timeout=60, max_retries=1) as model:
        question = [{"role": "user", "content": "Plan how to tidy up. Answer with JSON."}]
        reply = model.chat.completions.create(model="gpt-5", messages=question)  # type: ignore[arg-type]
    choice, rules = reply.choices[0], Rules(folder, checks=(looks_first,))
    try:
        plan = read_plan(choice.message.content or "", choice.finish_reason, tools, rules)
    except PlanRejected:
        return "rejected"
    with Store(own / "agent.db") as store:
        agent = PlannedAgent(store, tools)
        proposal = agent.propose(plan)
        if not agent.approve_by(is_small, proposal):
            return "not approved"
        agent.carry_out(proposal.digest)
    return "tidy"


def restart(folder: Path, own: Path) -> None:
    """Settle what was left."""
    with Store(own / "agent.db") as store:
        PlannedAgent(store, Tidier(folder).tools()).recover()


@pytest.mark.chaos(epic="Plans", feature="Plan, then execute")
def test_a_bad_plan_changes_nothing(chaos: Chaos, tmp_path: Path) -> None:
    """A plan that is cut off or malformed is discarded whole; a good one is carried out whole or taken back."""
    folder, own = tmp_path / "folder", tmp_path / "agent"
    folder.mkdir()
    own.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(name)
    chaos.watch(folder)
    chaos.private(own)
    chaos.llm({"Plan how": json.dumps(PLAN)})
    chaos.invariant(journal_is_whole)
    chaos.invariant(leases_end_with_their_runs)

    @chaos.invariant
    def only_what_was_approved_ran(world: World) -> None:
        """Each run used an approval of its own."""
        rows = world.private_tables.get("agent/agent.db:journal", [])
        events = [row["event"] for row in rows]
        assert events.count("started") <= events.count("approved")

    chaos.explore(run=lambda: tidy(folder, own), recover=lambda: restart(folder, own))

    assert sorted(path.name for path in (folder / "old").iterdir()) == ["a.txt", "b.txt"]
