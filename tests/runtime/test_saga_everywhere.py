"""Every error and every kill at every point of a whole agent, and kills in recovery as well."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rollproof.runtime import Refused, Run, Saga, Staging, Step, Store

KINDS = ("kill_before", "kill_torn", "error_once", "error_lasting", "error_after")
"""A kill after a point leaves what one before the next point does."""
START = 13
"""Which point is the commit that starts the run."""


class Agent:
    """Stages two files, publishes them as a set, mails them; the mail server is a file that knows idempotency keys."""

    def __init__(self, root: Path, gate: Any) -> None:
        self.root, self.gate = root, gate

    def run(self) -> None:
        """Do the whole task."""
        self._with_saga(lambda saga: saga.run("publish", {"topic": "solar"}))

    def recover(self) -> None:
        """Do what the service does when it starts."""
        self._with_saga(lambda saga: saga.recover())

    def _with_saga(self, work: Callable[[Saga], Any]) -> None:
        with Store(self.root / "own" / "agent.db") as store:
            stage = Step("stage", self.stage, undo=lambda run: self.staging(run).discard())
            publish = Step("publish", self.publish, undo=self.withdraw)
            work(Saga(store, "publish", [stage, publish, Step("mail", self.mail, irreversible=True)]))

    def staging(self, run: Run) -> Staging:
        """Name the workspace of a run."""
        return Staging(self.root / "own" / f"staging-{run.id}", self.root / "shared" / "solar")

    def stage(self, run: Run) -> dict[str, str]:
        """Write the set."""
        return {"digest": self.staging(run).fill({"a.txt": b"first file", "b.txt": b"second file"})}

    def publish(self, run: Run) -> None:
        """Move the set."""
        self.staging(run).commit(run.variables["digest"])

    def withdraw(self, run: Run) -> None:
        """Take the set back."""
        self.staging(run).withdraw(run.variables["digest"])

    def mail(self, run: Run) -> None:
        """Send once, whatever comes of it."""
        self.gate.through("mail", lambda: self.serve(run.key, run.variables["digest"]))

    def serve(self, key: str, text: str) -> None:
        """Do what the mail server does: keep one mail for each key."""
        sent = self.root / "outside" / "mails.json"
        mails = json.loads(sent.read_text()) if sent.exists() else {}
        handle = os.open(sent, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.write(handle, json.dumps({key: text} | mails).encode())
        os.close(handle)


class RefusedAgent(Agent):
    """The mail server refuses, for sure, until the service is started again."""

    refusing = True

    def recover(self) -> None:
        """Start when the server is well again."""
        self.refusing = False
        super().recover()

    def mail(self, run: Run) -> None:
        """Be refused."""
        super().mail(run) if not self.refusing else self.gate.through("refusal", lambda: None)
        if self.refusing:
            raise Refused("no such mailbox")


def outside(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Give the world with run ids masked: the texts of mails instead of their keys."""
    world = dict(snapshot)
    mails = world.pop("outside/mails.json", b"{}")
    return {**world, "mails": sorted(json.loads(mails).values())}


def private_leftovers(root: Path) -> list[Any]:
    """Give what must be gone from the agent's own folder."""
    own = root / "own"
    leases: list[Any] = []
    if (own / "agent.db").exists():
        with sqlite3.connect(own / "agent.db") as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master")]
            leases = db.execute("SELECT * FROM leases").fetchall() if "leases" in tables else []
        db.close()
    return leases + [path.name for path in own.iterdir() if not path.name.startswith("agent.db")]


class Judge:
    """Knows both right ends of the world and refuses everything else."""

    def __init__(self, explorer: Any, child: Callable[..., str], agent: Agent) -> None:
        self.explorer, self.child, self.agent = explorer, child, agent
        self.before = self.look()
        child(Agent(agent.root, agent.gate).run)
        self.after = self.look()

    def look(self) -> dict[str, Any]:
        """Give the watched world."""
        return outside(self.explorer.snapshot("shared", "outside"))

    def is_new(self, met: list[dict[str, Any]]) -> bool:
        """Say whether this world was not met, and is now; recovery looks at nothing else, so once is enough."""
        world = self.explorer.snapshot("shared", "outside", "own")
        if world in met:
            return False
        met.append(world)
        return True

    def settled(self, why: str) -> bool:
        """Recover, judge, recover again, judge again; say whether the task was rolled back."""
        assert self.child(self.agent.recover) == "returned", why
        world, everything = self.look(), self.explorer.snapshot("shared", "outside", "own")
        assert world in (self.before, self.after), why
        assert private_leftovers(self.explorer.root) == [], why
        assert self.child(self.agent.recover) == "returned", why
        assert self.explorer.snapshot("shared", "outside", "own") == everything, why
        return world == self.before


@pytest.fixture(params=[Agent, RefusedAgent])
def agent(request: pytest.FixtureRequest, explorer: Any, gate: Any) -> Agent:
    """Give an agent whose mail is accepted, and one whose mail is refused."""
    made: Agent = request.param(explorer.root, gate)
    return made


def first_point(agent: Agent, points: int) -> int:
    """Return the first point that is struck: one whose mail is refused does until then what the other one does."""
    return 1 if type(agent) is Agent else points // 2


def test_every_single_fault_ends_before_or_after(agent: Agent, explorer: Any, child: Any) -> None:
    """Whatever strikes wherever, recovery comes to one of two ends, stays there, and the task can be done again.

    An error that passes leaves nothing for recovery to do, once the run has started for sure.
    """
    judge, points = Judge(explorer, child, agent), explorer.points(agent.run)
    met: list[dict[str, Any]] = []
    assert points > 25
    for kind, at in itertools.product(KINDS, range(first_point(agent, points), points + 1)):
        explorer.restore("start")
        ended = child(agent.run, at, kind)
        if ended == "returned":
            assert judge.look() == judge.after, (kind, at)
        if type(agent) is Agent and (kind == "error_once" or (kind == "error_after" and at > START)):
            assert judge.look() in (judge.before, judge.after), (kind, at)
            assert private_leftovers(explorer.root) == [], (kind, at)
        if judge.is_new(met) and judge.settled(f"{kind} at {at}: {ended}"):
            assert child(Agent(agent.root, agent.gate).run) == "returned"
            assert judge.look() == judge.after, (kind, at)


@pytest.mark.parametrize("agent", [Agent], indirect=True)  # from its states recovery goes forward and back
def test_recovery_survives_its_own_death(agent: Agent, explorer: Any, child: Any) -> None:
    """After every kill or error in `run`, recovery is struck at each of its points, and comes to its end at last."""
    judge, points = Judge(explorer, child, agent), explorer.points(agent.run)
    judged: list[dict[str, Any]] = []
    for kind in ("kill_after", "error_once", "error_after"):
        met: list[dict[str, Any]] = []
        for at in range(first_point(agent, points), points + 1):
            explorer.restore("start")
            child(agent.run, at, "error_lasting" if "error" in kind else "kill_before")
            if not judge.is_new(met):
                continue
            explorer.save(f"{kind}-{at}")
            for again in range(1, 100):
                explorer.restore(f"{kind}-{at}")
                ended, why = child(agent.recover, again, kind), f"run at {at}, recover {kind} at {again}"
                if judge.is_new(met) and judge.is_new(judged):
                    judge.settled(why)
                if ended == "returned":
                    break
            assert ended == "returned", why
    assert len(judged) > 10
