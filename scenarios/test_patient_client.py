"""An agent orders from a service that stumbles: it retries what may pass, stops at once where nothing will work, and
never exceeds its budget.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from rollproof import Chaos
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs
from rollproof.runtime import Budget, Retry, Run, Saga, Step, Store

SHOP = "https://api.shop.test"
TOKEN = "token-of-this-shop-7f3a9b"


class Buyer:
    """Orders three things, each with retries, all within one budget."""

    def __init__(self, store: Store) -> None:
        self.store, self.budget, self.retry = store, Budget(attempts=20, seconds=600), Retry(attempts=4)

    def saga(self) -> Saga:
        """One step a thing."""
        steps = [Step(what, self.order, undo=self.cancel) for what in ("panel", "cable", "plug")]
        return Saga(self.store, "buy", steps)

    def request(self, method: str, path: str, run: Run, **given: object) -> httpx.Response:
        """Send a request that can be repeated: reads, deletes, and orders under their key."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": run.key}

        def once() -> httpx.Response:
            answer = httpx.request(method, f"{SHOP}{path}", headers=headers, timeout=20, **given)  # type: ignore[arg-type]
            return answer.raise_for_status()

        return self.retry.call(once, self.budget, f"{method} {path}", credential=SHOP)

    def order(self, run: Run) -> None:
        """Order one thing."""
        self.budget.notice("order", {"what": run.step})
        self.request("POST", "/orders", run, json={"what": run.step, "run": run.id})

    def cancel(self, run: Run) -> None:
        """Cancel it, if it was ordered."""
        for found in self.request("GET", "/orders", run, params={"run": run.id, "what": run.step}).json():
            self.request("DELETE", f"/orders/{found['id']}", run)


def buy(own: Path) -> str:
    """Buy all."""
    with Store(own / "agent.db") as store:
        Buyer(store).saga().run("buy", {})
    return "bought"


def restart(own: Path) -> None:
    """Settle what was left, with a budget of its own."""
    with Store(own / "agent.db") as store:
        Buyer(store).saga().recover()


@pytest.mark.chaos(epic="Orders", feature="Fail fast, retry, roll back")
def test_calls_are_bounded_and_a_revoked_key_is_tried_once(chaos: Chaos, tmp_path: Path) -> None:
    """All is ordered, once, or nothing is; what passes is waited for, and the rest is rolled back."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    shop = chaos.api(SHOP, token=TOKEN)
    chaos.invariant(journal_is_whole)
    chaos.invariant(leases_end_with_their_runs)

    chaos.explore(run=lambda: buy(own), recover=lambda: restart(own))

    assert [order["what"] for order in shop.resources("orders")] == ["panel", "cable", "plug"]
