"""Carry out every single crash and second ones truly (SIGKILL), merge nothing, and compare with closure.

What is restricted, to stay within minutes: brute force tries ``process.kill``, and where no crash shows a bug the error
of `ERRORS` that does. Of an agent's second faults it carries out each `EACH`th: a bug that needs two may then be one
that only closure shows. It tries a part of the agents; `make nightly` tries all.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import pytest
from rollproof.engine import brute
from rollproof.values.exploration import Exploration, Finding
from rollproof.values.faults import Fault
from rollproof.values.schedule import Schedule
from rollproof.world.volatile.shapes import looks_random

from .exploring import options

EACH = 100
KILL = (options().known["process.kill"],)
ERRORS = {
    "wrong_busy_model_is_an_answer": "llm.overloaded",
    "wrong_cancelled_and_still_locked": "process.cancel",
    "wrong_compensation_stops_at_first_error": "http.timeout",
    "wrong_draft_read_without_its_hash": "storage.bit_flip",
    "wrong_effect_twice_after_timeout": "http.timeout",
    "wrong_error_swallowed": "sqlite.locked",
    "wrong_half_of_a_long_context": "llm.context_overflow",
    "wrong_items_applied_while_parsing": "llm.truncated_json",
    "wrong_mail_merge": "http.refused",
    "wrong_model_planner": "llm.refused",
    "wrong_new_message_id_for_each_attempt": "mail.lost_answer",
    "wrong_partly_refused_mail": "mail.rejected",
    "wrong_refund_of_any_order": "llm.plausible_value",
    "wrong_retries_a_revoked_key": "credentials.revoked",
    "wrong_retry_storm": "http.unavailable",
    "wrong_ticket_booking": "http.server_error",
    "wrong_truncated_plan_repaired": "llm.truncated_json",
    "wrong_webhook_last_one_wins": "webhook.late",
    "wrong_webhook_never_asked_for": "webhook.lost",
}
WHOLE = bool(os.environ.get("ROLLPROOF_WHOLE"))
Broken = tuple[tuple[str, ...], frozenset[str]]
_WORD = re.compile(r"[A-Za-z0-9_]{8,}")


def is_tried(name: str, names: Sequence[str], each: int) -> bool:
    """Return whether brute force is tried on an agent: on one of `each`, or on all where ROLLPROOF_WHOLE is set."""
    return WHOLE or names.index(name) % each == each - 1


def tried(name: str) -> tuple[Fault, ...]:
    """Return the faults that brute force tries on an agent."""
    return (*KILL, options().known[ERRORS[name]]) if name in ERRORS else KILL


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> list[Schedule]:
    """Let brute force carry out each `EACH`th of all second crashes; lists those that it left out."""
    every, numbers, left_out = brute.second_faults, count(), []

    def some(config: Any, processes: Iterable[Any], schedule: Schedule) -> Iterator[Schedule]:
        for double in every(config, processes, schedule):
            if next(numbers) % EACH:
                left_out.append(double)
            else:
                yield double

    monkeypatch.setattr(brute, "second_faults", some)
    return left_out


def broken(result: Exploration) -> set[Broken]:
    """Return each violation as the invariants that break together and the difference outside."""
    assert (result.flaky, result.errors, result.drifted) == ((), (), ()), result
    return set(map(_broken, result.violations))


def agree(closed: Exploration, unmerged: Exploration, faults: Iterable[Fault], *, whole: bool) -> None:
    """Both break the same; of what only a second crash shows, a sample may have missed some.

    `unmerged` tried `faults`, `closed` may have tried more.
    """
    assert broken(unmerged) <= broken(closed)
    names = {fault.name for fault in faults}
    alike = [finding for finding in closed.violations if faults_of(finding) <= names]
    by_one = {finding.invariants for finding in alike if len(Schedule.parse(finding.schedule).injections) == 1}
    assert by_one <= {finding.invariants for finding in unmerged.violations}
    assert not whole or set(map(_broken, alike)) <= broken(unmerged)


def _broken(finding: Finding) -> Broken:
    """One leftover under a random name is like another."""
    return finding.invariants, frozenset(map(_masked, finding.diff))


def faults_of(finding: Finding) -> set[str]:
    """Return the names of the faults that show it."""
    return {injection.fault for injection in Schedule.parse(finding.schedule).injections}


def _masked(line: str) -> str:
    return _WORD.sub(lambda word: "*" if looks_random(word[0]) else word[0], line)
