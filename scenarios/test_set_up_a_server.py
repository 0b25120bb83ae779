"""An agent sets up a server with a provider that knows no idempotency keys: before it undoes or repeats, it looks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from rollproof import Chaos, World
from rollproof.invariants.runtime import belief_is_reality, journal_is_whole, leases_end_with_their_runs
from rollproof.runtime import Found, Run, Saga, Step, Store

CLOUD = "https://api.cloud.test"


def things(kind: str, run: Run) -> list[dict[str, str]]:
    """Ask the provider what there is of this run."""
    found: list[dict[str, str]] = httpx.get(f"{CLOUD}/{kind}", params={"tag": run.id}).raise_for_status().json()
    return found


def step(name: str, kind: str) -> Step:
    """Make one thing; look for it before it is undone or made again."""

    def make(run: Run) -> None:
        httpx.post(f"{CLOUD}/{kind}", json={"tag": run.id, "name": "web"}).raise_for_status()

    def destroy(run: Run) -> None:
        for thing in things(kind, run):
            httpx.delete(f"{CLOUD}/{kind}/{thing['id']}").raise_for_status()

    def look(run: Run) -> Found:
        return Found.of("web", next((thing["name"] for thing in things(kind, run)), None))

    return Step(name, make, undo=destroy, look=look)


def saga(store: Store) -> Saga:
    """A disk, a server, an address; a crash is no reason to begin again."""
    steps = [step("disk", "disks"), step("server", "servers"), step("address", "addresses")]
    return Saga(store, "server", steps, after_crash="resume")


def set_up(own: Path) -> str:
    """Set it up."""
    with Store(own / "agent.db") as store:
        saga(store).run("a web server", {})
    return "set up"


def restart(own: Path) -> None:
    """Look, and go on."""
    with Store(own / "agent.db") as store:
        saga(store).recover()


@pytest.mark.chaos(epic="Operations", feature="Belief and reality")
def test_what_the_agent_believes_is_there_is_there(chaos: Chaos, tmp_path: Path) -> None:
    """Nothing is made twice though the provider would, and no success is claimed that is not there."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    cloud = chaos.api(CLOUD)
    chaos.invariant(journal_is_whole)
    chaos.invariant(leases_end_with_their_runs)

    def is_there(kind: str) -> Callable[[World], bool]:
        return lambda world: bool(world.resources.get(f"api.cloud.test/{kind}"))

    looks = {
        name: is_there(kind) for name, kind in (("disk", "disks"), ("server", "servers"), ("address", "addresses"))
    }
    chaos.invariant(belief_is_reality("agent/agent.db", looks))

    @chaos.invariant
    def nothing_twice(world: World) -> None:
        """There is one of each at most, for each run."""
        assert all(len(rows) == len({row["tag"] for row in rows}) for rows in world.resources.values())

    chaos.explore(run=lambda: set_up(own), recover=lambda: restart(own))

    assert len(cloud.resources("servers")) == 1
