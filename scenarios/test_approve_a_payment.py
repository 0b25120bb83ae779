"""An agent shows in shadow what it would pay; a person approves exactly that; it is paid once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos, World
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs
from rollproof.runtime import NotApproved, PlannedAgent, Refused, Rules, Run, Store, Tool, read_plan

BANK = "https://api.bank.test"
PLAN = {
    "goal": "pay the supplier",
    "steps": [
        {"tool": "reserve", "arguments": {"cents": 12000}},
        {"tool": "pay", "arguments": {"to": "supplier", "cents": 12000}},
    ],
}


def reserve(run: Run, given: Any) -> None:
    """Set money aside."""
    body, headers = {"run": run.id, "cents": given["cents"]}, {"Idempotency-Key": run.key}
    httpx.post(f"{BANK}/reserves", json=body, headers=headers).raise_for_status()


def release(run: Run, given: Any) -> None:
    """Free it, if it was set aside."""
    for found in httpx.get(f"{BANK}/reserves", params={"run": run.id}).raise_for_status().json():
        httpx.delete(f"{BANK}/reserves/{found['id']}").raise_for_status()


def pay(run: Run, given: Any) -> None:
    """Pay, which cannot be taken back."""
    try:
        answer = httpx.post(f"{BANK}/payments", json=dict(given), headers={"Idempotency-Key": run.key})
    except httpx.ConnectError as error:
        raise Refused("the bank cannot be reached") from error
    if answer.status_code in (401, 429):
        raise Refused(f"the bank refused with {answer.status_code}")
    answer.raise_for_status()


TOOLS = {
    "reserve": Tool("reserve", reserve, {"cents": int}, undo=release),
    "pay": Tool("pay", pay, {"to": str, "cents": int}, irreversible=True),
}


def pay_supplier(own: Path) -> str:
    """Propose, be approved, carry out; an approval is good for one run."""
    with Store(own / "agent.db") as store:
        agent = PlannedAgent(store, TOOLS)
        proposal = agent.propose(read_plan(json.dumps(PLAN), "stop", TOOLS, Rules(own)))
        agent.approve(proposal.digest, "ada")
        agent.carry_out(proposal.digest)
        try:
            agent.carry_out(proposal.digest)
        except NotApproved:
            return "paid once"
    return "paid twice"


def restart(own: Path) -> None:
    """Settle what was left."""
    with Store(own / "agent.db") as store:
        PlannedAgent(store, TOOLS).recover()


@pytest.mark.chaos(epic="Plans", feature="Shadow mode")
def test_what_was_approved_is_what_is_paid_and_once(chaos: Chaos, tmp_path: Path) -> None:
    """The plan that was logged is the plan that runs, and its approval starts one run."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    bank = chaos.api(BANK)
    chaos.invariant(journal_is_whole)
    chaos.invariant(leases_end_with_their_runs)

    @chaos.invariant
    def each_run_has_its_approval(world: World) -> None:
        """No run starts without an approval of its own, and a person gave it."""
        rows = world.private_tables.get("agent/agent.db:journal", [])
        approved = [json.loads(row["detail"])["by"] for row in rows if row["event"] == "approved"]
        assert [row["event"] for row in rows].count("started") <= approved.count("ada")

    @chaos.invariant
    def what_is_paid_was_logged(world: World) -> None:
        """Each payment is one that a proposal showed."""
        rows = world.private_tables.get("agent/agent.db:journal", [])
        lines = [line for row in rows if row["event"] == "proposed" for line in json.loads(row["detail"])["lines"]]
        for payment in world.resources.get("api.bank.test/payments", []):
            assert any(f"pay(cents={payment['cents']}, to={payment['to']!r})" in line for line in lines)

    chaos.explore(run=lambda: pay_supplier(own), recover=lambda: restart(own))

    assert [payment["cents"] for payment in bank.resources("payments")] == [12000]
