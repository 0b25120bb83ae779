"""Shadow mode: the effects of a plan and their rollbacks are listed and approved before any of it is done.

Of several processes that carry out one approval one does; the others get `NotApproved`.

    from pathlib import Path
    from rollproof.runtime import PlannedAgent, Rules, Store, Tool, read_plan

    look = Tool("look", lambda run, given: {"seen": given["at"]}, {"at": str}, reads_only=True)
    text = '{"goal": "look", "steps": [{"tool": "look", "arguments": {"at": "a.md"}}]}'
    with Store("agent.db") as store:
        agent = PlannedAgent(store, {"look": look})
        proposal = agent.propose(read_plan(text, "stop", {"look": look}, Rules(Path("."))))     # nothing is touched
        assert proposal.lines == ("1. would do look(at='a.md'); rollback would do nothing: reads only",)
        agent.approve(proposal.digest, "alice")     # or a rule: agent.approve_by(rule, proposal)
        assert agent.carry_out(proposal.digest) == {"seen": "a.md"}     # that plan, unchanged, once

States of a proposal: proposed → approved → used, or proposed → refused. It is used in the transaction that starts its
run, so an approval starts one run, whatever dies when; a plan that is proposed again begins anew. What is carried out
is the text that was approved, not the one that is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .calls import run_blocking
from .canonical import canonical, sha256
from .carrier import settle_all
from .definition import Companion
from .journal import Journal
from .locks import Leases
from .plan import Action, Plan, Tool, refuse_wrong_tools
from .progress import Event, Status, unfinished
from .saga import Saga
from .steps import coroutine_of
from .store import Storage

PREFIX = "plan-"


class Approval(StrEnum):
    """The states of a proposal."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed plan: `lines` describe the effect and the rollback of each step."""

    digest: str
    state: Approval
    lines: tuple[str, ...]
    by_whom: str = ""


class NotApproved(Exception):
    """The plan may not run: it is not approved, or its approval was used."""


class UnknownPlan(LookupError):
    """No plan with this digest was proposed."""


class PlannedAgent:
    """Carries out approved plans over one store; make it anew in each process, with the same tools."""

    def __init__(
        self,
        store: Storage,
        tools: Mapping[str, Tool],
        *,
        lock: str = "plans",
        companions: Sequence[Companion] = (),
    ) -> None:
        """Name the tools that plans are made of; nothing is opened or written.

        Raises:
            TypeError: They are no tools, or one is a coroutine function.
        """
        refuse_wrong_tools(tools)
        for name, tool in tools.items():
            part = coroutine_of(tool)
            if part:
                raise TypeError(
                    f"tool {name!r}: {part} is a coroutine function, which a PlannedAgent does not await; carry "
                    "the plan out with AsyncSaga(store, name, plan.steps(tools))"
                )
        self._store, self._tools, self._lock = store, dict(tools), lock
        self._companions = tuple(companions)

    def propose(self, plan: Plan) -> Proposal:
        """Log the effects of a plan; only its own database is written."""
        body = canonical(plan.as_json())
        put = "INSERT OR REPLACE INTO approvals (plan, body, state, by_whom) VALUES (?, ?, ?, '')"
        with self._store.transaction():
            self._store.write(put, plan.digest, body, Approval.PROPOSED)
            Journal(self._store).append(PREFIX + plan.digest, "proposed", lines=list(would_do(plan, self._tools)))
        return self.proposal(plan.digest)

    def proposal(self, digest: str) -> Proposal:
        """Return a proposal by its digest.

        Raises:
            UnknownPlan: There is none.
        """
        for proposal in self.proposals():
            if proposal.digest == digest:
                return proposal
        raise UnknownPlan(f"no plan {digest!r} was proposed; there are {[each.digest for each in self.proposals()]}")

    def proposals(self) -> list[Proposal]:
        """Return all proposals."""
        rows = self._store.read("SELECT plan, body, state, by_whom FROM approvals ORDER BY rowid")
        return [
            Proposal(digest, Approval(state), tuple(would_do(_plan(body), self._tools)), by_whom)
            for digest, body, state, by_whom in rows
        ]

    def approve(self, digest: str, by_whom: str) -> None:
        """Approve a proposal, as a person.

        Raises:
            UnknownPlan: There is none.
            NotApproved: It was refused or used; propose it again.
        """
        self._decide(digest, Approval.APPROVED, by_whom)

    def refuse(self, digest: str, by_whom: str) -> None:
        """Refuse a proposal, as a person; as `approve`."""
        self._decide(digest, Approval.REFUSED, by_whom)

    def approve_by(self, rule: Callable[[Plan], bool], proposal: Proposal, name: str = "rule") -> bool:
        """Approve by a rule: a pure function of the plan."""
        allowed = rule(_plan(self._body(proposal.digest)))
        self._decide(proposal.digest, Approval.APPROVED if allowed else Approval.REFUSED, name)
        return allowed

    def carry_out(self, digest: str) -> dict[str, object]:
        """Run an approved plan, once.

        Raises:
            NotApproved: It is not approved, or its approval was used; nothing happened.
            Exception: As `Saga.run`.
        """
        body = self._body(digest)
        if sha256(body) != digest:
            raise NotApproved(f"the plan {digest} was changed after it was proposed")
        return self._saga(digest, body).run(_plan(body).goal, {})

    def recover(self) -> Status | None:
        """Settle the unfinished runs of earlier processes, as `Saga.recover`, also behind one that fails."""
        plans = [
            run.saga
            for run in unfinished(Journal(self._store), Leases(self._store).all())
            if run.saga.startswith(PREFIX)
        ]

        async def settle(plan: str) -> Status | None:
            return self.saga(plan.removeprefix(PREFIX)).recover()

        return run_blocking(settle_all(settle, plans))

    def saga(self, digest: str) -> Saga:
        """Return the saga of a plan, to roll back or hand over a run by hand."""
        return self._saga(digest, self._body(digest))

    def _saga(self, digest: str, body: str) -> Saga:
        use = _Use(self._store, digest)
        steps = _plan(body).steps(self._tools)
        return Saga(self._store, PREFIX + digest, steps, lock=self._lock, companions=[use, *self._companions])

    def _decide(self, digest: str, state: Approval, by_whom: str) -> None:
        self.proposal(digest)
        with self._store.transaction():
            update = "UPDATE approvals SET state = ?, by_whom = ? WHERE plan = ? AND state = ?"
            if not self._store.write(update, state, by_whom, digest, Approval.PROPOSED):
                raise NotApproved(f"the plan {digest} is {self.proposal(digest).state}; propose it again")
            Journal(self._store).append(PREFIX + digest, state, by=by_whom)

    def _body(self, digest: str) -> str:
        self.proposal(digest)
        return str(self._store.read("SELECT body FROM approvals WHERE plan = ?", digest)[0][0])


@dataclass(frozen=True, slots=True)
class _Use:
    """Uses an approval up in the transaction that starts the run."""

    store: Storage
    digest: str

    def follow(self, run: str, event: Event) -> None:
        """Refuse to start without an approval."""
        if event is Event.STARTED:
            update = "UPDATE approvals SET state = ? WHERE plan = ? AND state = ?"
            if not self.store.write(update, Approval.USED, self.digest, Approval.APPROVED):
                raise NotApproved(f"the plan {self.digest} is not approved, or its approval was used")


def would_do(plan: Plan, tools: Mapping[str, Tool]) -> list[str]:
    """Return a line for each step with its effect and its rollback."""
    lines = []
    for number, action in enumerate(plan.actions, 1):
        tool = tools.get(action.tool)
        text = ", ".join(f"{name}={value!r}" for name, value in sorted(action.arguments.items()))
        if tool is None:
            back = "unknown tool"
        elif tool.irreversible:
            back = "nothing: irreversible"
        else:
            back = "nothing: reads only" if tool.undo is None else f"undo {action.tool}({text})"
        lines.append(f"{number}. would do {action.tool}({text}); rollback would do {back}")
    return lines


def _plan(body: str) -> Plan:
    document = json.loads(body)
    actions = tuple(Action(step["tool"], step["arguments"]) for step in document["steps"])
    return Plan(document["goal"], actions, sha256(body))
