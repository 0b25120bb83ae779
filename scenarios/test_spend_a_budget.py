"""An agent buys within a budget, of money and of calls, and crashes give none of it back.

What is left of the money is nothing but a fold over its events, and going back loses none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos, World
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs
from rollproof.runtime import Budget, Ledger, Retry, Run, Saga, Step, Store

SHOP = "https://api.shop.test"
BUDGET = {"left_cents": 10000, "bought": []}
WANTED = {"panel": 4000, "cable": 500}
CALLS = 3
"""How many orders a run may try to place, its restarts included."""


def fold(state: Any, event: str, detail: Mapping[str, Any]) -> Any:
    """Give what is left after a purchase."""
    bought = [*state["bought"], [detail["by"], detail["what"]]]
    return {"left_cents": state["left_cents"] - detail["cents"], "bought": bought}


class TooDear(Exception):
    """There is not enough left."""


class Buyer:
    """Buys what is wanted."""

    def __init__(self, store: Store) -> None:
        self.store, self.ledger = store, Ledger(store, "budget", fold, BUDGET)

    def saga(self) -> Saga:
        """Book it, then buy it, piece by piece."""
        steps = []
        for what in WANTED:
            steps.append(Step(f"book-{what}", self.book, undo=self.unbook, repeatable=True))
            steps.append(Step(f"buy-{what}", self.buy, undo=self.give_back, repeatable=True))
        return Saga(self.store, "buy", steps, after_crash="resume")

    def book(self, run: Run) -> None:
        """Spend the money in the ledger, once for each run."""
        what = run.step.partition("-")[2]
        with self.store.transaction():
            run.check()  # inside: a process that wakes up late spends nothing
            state = self.ledger.state()
            if state["left_cents"] < WANTED[what]:
                raise TooDear(f"{what} costs {WANTED[what]} cents, and {state['left_cents']} are left")
            if [run.id, what] not in state["bought"]:
                self.ledger.append("spent", by=run.id, what=what, cents=WANTED[what])

    def unbook(self, run: Run) -> None:
        """Point back to the version before; every version stays."""
        spent = [run.id, run.step.partition("-")[2]]
        if spent in self.ledger.state()["bought"]:
            versions = range(self.ledger.version, -1, -1)
            at = next(v for v in versions if spent not in self.ledger.state(at=v)["bought"])
            with self.store.transaction():
                run.check()
                self.ledger.roll_back_to(at)

    def buy(self, run: Run) -> None:
        """Order it, within the calls that the run has left; each is counted before it is made."""
        what = run.step.partition("-")[2]
        body = {"what": what, "cents": WANTED[what], "run": run.id}

        def order() -> None:
            httpx.post(f"{SHOP}/orders", json=body, headers={"Idempotency-Key": run.key}).raise_for_status()

        Retry(attempts=2).call(order, Budget(attempts=CALLS, store=self.store, run=run.id), "order")

    def give_back(self, run: Run) -> None:
        """Cancel the order."""
        wanted = {"run": run.id, "what": run.step.partition("-")[2]}
        for found in httpx.get(f"{SHOP}/orders", params=wanted).raise_for_status().json():
            httpx.delete(f"{SHOP}/orders/{found['id']}").raise_for_status()


def buy(own: Path) -> int:
    """Buy all, and say what is left."""
    with Store(own / "agent.db") as store:
        buyer = Buyer(store)
        buyer.saga().run("buy", {})
        return int(buyer.ledger.state()["left_cents"])


def restart(own: Path) -> None:
    """Go on with what was left, or take it back where no call is left."""
    with Store(own / "agent.db") as store:
        Buyer(store).saga().recover()


@pytest.mark.chaos(epic="Budget", feature="Immutable log")
def test_the_ledger_says_what_was_bought(chaos: Chaos, tmp_path: Path) -> None:
    """Replaying the events gives what the shop has; no event is ever lost."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SHOP)
    chaos.invariant(journal_is_whole)
    chaos.invariant(leases_end_with_their_runs)

    @chaos.invariant
    def replay_equals_reality(world: World) -> None:
        """The fold of the events is what was bought."""
        states: list[Any] = [BUDGET]
        for row in world.private_tables.get("agent/agent.db:journal", []):
            if row["run"] == "budget":
                detail = json.loads(row["detail"])
                states.append(states[detail["version"]] if "version" in detail else fold(states[-1], "", detail))
        orders = world.resources.get("api.shop.test/orders", [])
        assert sorted(states[-1]["bought"]) == sorted([order["run"], order["what"]] for order in orders)

    @chaos.invariant
    def no_call_beyond_the_budget(world: World) -> None:
        """Whatever died in between, a run made no more calls than it may, and each order is one that was counted."""
        rows = world.private_tables.get("agent/agent.db:journal", [])
        runs = [row["run"] for row in rows if row["event"] == "used"]
        assert all(runs.count(run) <= CALLS for run in runs)
        orders = [order["run"] for order in world.resources.get("api.shop.test/orders", [])]
        assert all(orders.count(run) <= runs.count(run) for run in orders)

    result = chaos.explore(run=lambda: buy(own), recover=lambda: restart(own))

    assert result.result == 5500
    with Store(own / "agent.db") as store:
        first = Buyer(store).ledger.state(at=1)
    assert (first["left_cents"], [what for _, what in first["bought"]]) == (6000, ["panel"])
