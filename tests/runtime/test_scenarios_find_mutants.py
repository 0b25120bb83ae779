"""The scenarios have teeth: exploring one finds each of these mutants of the runtime, most by crashes alone.

Each part of the runtime that acts has one here at least (`WITHOUT` names the others). Not here are checks behind which
another one stands, so that either can go: a key that was refused is kept back by the budget and by the verdict on its
error, `Retry` is bounded by its own attempts and by those of the budget, what `Versions.settle` does undoing the run
does too, and what the audit trail undid already it may undo again.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from mutation import mutated
from rollproof.values.errors import ChaosError

from tests.exploring import breaks, explored, options, replayed, scenario

TESTS = {
    "approve_a_payment": "test_what_was_approved_is_what_is_paid_and_once",
    "audited_edits": "test_the_trail_alone_restores_the_files",
    "book_a_trip": "test_booking_payment_and_ticket_stand_or_fall_together",
    "call_a_courier": "test_a_courier_comes_for_what_was_reserved_and_for_nothing_else",
    "carry_out_a_plan": "test_a_bad_plan_changes_nothing",
    "correct_a_price_list": "test_overwriting_keeps_the_old_version",
    "hand_over_a_contract": "test_a_run_has_one_owner_at_any_time",
    "invoice_and_its_file": "test_a_row_and_its_file_come_together",
    "long_research": "test_a_restart_goes_on_from_the_last_checkpoint",
    "order_and_outbox": "test_mails_go_out_with_the_order_or_not_at_all",
    "patient_client": "test_calls_are_bounded_and_a_revoked_key_is_tried_once",
    "poison_message": "test_a_poison_message_is_tried_three_times_and_kept",
    "publish_report": "test_a_failed_email_leaves_no_half_written_report",
    "rehearse_on_a_copy": "test_the_original_is_never_touched",
    "replace_a_site": "test_readers_see_the_old_site_or_the_new_one",
    "set_up_a_server": "test_what_the_agent_believes_is_there_is_there",
    "spend_a_budget": "test_the_ledger_says_what_was_bought",
    "two_agents_one_folder": "test_no_lease_outlives_its_holder_and_each_file_has_its_review",
}
# scenario, module, what stands there, what the mutant has, an invariant that a crash breaks then
FOUND = [
    ("invoice_and_its_file", "transactions",
     "        for place, staged, digest in moves:\n", "        for place, staged, digest in moves[:1]:\n",
     "rows_and_files_agree"),
    ("poison_message", "claims",
     "self._store.write(update, State.SENDING, token", "self._store.write(update, State.SENT, token", "all_or_nothing"),
    ("poison_message", "dead_letters",
     "letter.reason, letter.attempts)", "letter.reason, 1)", "nothing_is_lost_and_nothing_is_tried_for_ever"),
    ("rehearse_on_a_copy", "rehearsal",
     "    if scratch.exists():\n        shutil.rmtree(scratch)\n", "", "recovery_succeeds"),
    ("call_a_courier", "outbox", "State.READY if at_once else State.HELD", "State.READY", "all_or_nothing"),
]  # fmt: skip
MAIL, INVOICE = "http.post:api.mail.test/mails#1:after", "http.post:api.invoices.test/invoices#1:after"
REGISTERED = "process.kill@http.post:api.registry.test/contracts#1:after"
SERVER, STAGED = "http.post:api.cloud.test/servers#1", "process.kill@file.mkdir:agent/staging-*#1:before"
AGENT = "sqlite.read:agent/agent.db"
# the same, and the schedule that shows it
AT = [
    ("hand_over_a_contract", "carried_run",
     "                companion.follow(progress.run, event)", "                pass",
     "whoever_had_a_run_was_told", REGISTERED),
    ("hand_over_a_contract", "handover", "TOPIC, body, at_once=True", "TOPIC, body, at_once=False",
     "whoever_had_a_run_was_told", REGISTERED),
    ("replace_a_site", "releases", "            self._show(release.before)\n", "            pass\n", "all_or_nothing",
     "http.refused@http.post:api.search.test/crawls#1:before"),
    ("call_a_courier", "outbox", "            self._withdraw(run)\n\n", "            pass\n\n", "outbox_is_settled",
     "process.kill@http.post:api.warehouse.test/reservations#1:after"),
    ("book_a_trip", "rollback", "in reversed(run.progress.entered):", "in tuple(run.progress.entered):",
     "all_or_nothing", "process.kill@http.post:api.bank.test/charges#1:after"),
    ("book_a_trip", "step_calls", "            await self._invoker.call(undo, self._view(name))", "            pass",
     "all_or_nothing", "process.kill@http.post:api.bank.test/charges#1:after"),
    ("set_up_a_server", "execution", "if found is None or found.reality is Reality.ABSENT:", "if True:",
     "nothing_twice", f"process.kill@{SERVER}:after"),
    ("set_up_a_server", "reconcile", "            return Found(Reality.ABSENT)\n",
     "            return Found(Reality.PRESENT)\n", "belief_is_reality", f"process.kill@{SERVER}:before"),
    ("correct_a_price_list", "contents", "            path.unlink(missing_ok=True)\n", "            pass\n",
     "no_leftovers", "process.kill@file.write:agent/contents/**.*.part#1:after"),
    ("spend_a_budget", "history", 'states[entry.detail["version"]] if back', "states[0] if back",
     "replay_equals_reality", "http.timeout~lasting@http.post:api.shop.test/orders#2:before"),
    ("carry_out_a_plan", "plan", "(lambda run: undo(run, arguments))", "(lambda run: None and undo(run, arguments))",
     "all_or_nothing", "process.kill@file.rename:folder/old/a.txt#1:after"),
    ("two_agents_one_folder", "fencing", "if int(path.stem) <= token:", "if int(path.stem) > token:",
     "nothing_unfinished", "process.kill@file.write:agent/staging/*.staged#1:after"),
    ("audited_edits", "audit", '            self._outbox.add(f"audit', '            False and self._outbox.add(f"audit',
     "the_webhook_is_told_of_each_change", f"process.kill@{INVOICE}"),
    ("publish_report", "carrier", "forward = execution.only_forward or self", "forward = self", "all_or_nothing",
     f"process.kill@{MAIL}"),
    ("publish_report", "execution", "if self.only_forward and not self.progress.status.final:", "if False:",
     "all_or_nothing", f"http.timeout@{MAIL}"),
    ("audited_edits", "versions", "                self._contents.put(inside(self._folder, name).read_bytes())\n", "",
     "versions_are_whole", f"process.kill@{INVOICE}"),
    ("audited_edits", "audit", "in reversed(changes) if not change.undoes", "in changes if not change.undoes",
     "all_or_nothing", f"process.kill@{INVOICE}"),
    ("hand_over_a_contract", "progress", 'decision=str(entry.detail.get("decision", self.decision)),',
     "decision=self.decision,", "a_restart_obeys_the_person", REGISTERED),
    ("long_research", "carrier", "execution.only_forward or self._saga.resumes", "execution.only_forward",
     "a_restart_takes_nothing_back", STAGED),
    ("patient_client", "retry", "return status_of(error) in (401, 403)", "return False", "credential_hygiene",
     "credentials.revoked~lasting@http.post:api.shop.test/orders#2:before"),
    ("long_research", "answers", "reasons += self._schema.problems(value)", "pass", "all_or_nothing",
     "llm.wrong_type@llm.chat:api.openai.com#1:after"),
    ("long_research", "schema", 'yield from _problems(wanted[name], value[name], f"{at}.{name}")', "yield from ()",
     "all_or_nothing", "llm.wrong_type@llm.chat:api.openai.com#1:after"),
    # a disk that lies
    ("correct_a_price_list", "contents", "if sha256(content) != digest", "if False", "all_or_nothing",
     "storage.bit_flip.1@file.read:agent/contents/**#1:before"),
    ("replace_a_site", "staging", "if found != expected or others", "if False", "a_whole_set_is_shown",
     "storage.bit_flip.1@file.read:agent/staging-*/prices.html#1:before"),
    ("invoice_and_its_file", "transactions", "if found == digest", "if found", "all_or_nothing",
     "storage.truncated_file.1@file.read:agent/staging/*.staged#1:before"),
    ("long_research", "checkpoints", " and sha256(whole) == checksum:", ":", "all_or_nothing",
     f"{STAGED} + storage.bit_flip.2@recover/{AGENT}:checkpoints#1:before"),
    ("long_research", "carrier", "            if restored.damaged:\n                await execution.rewind()\n", "",
     "all_or_nothing",
     f"{STAGED} + storage.bit_flip.1@recover/{AGENT}:checkpoints#1:before"),
    ("order_and_outbox", "message_table", "*rest), damaged=damaged)", "*rest), damaged=False)",
     "all_or_nothing", f"storage.bit_flip.1@{AGENT}:outbox#3:before"),
    ("order_and_outbox", "outbox", "                    _refuse_damaged(message)\n", "", "all_or_nothing",
     f"storage.bit_flip.1@{AGENT}:outbox#3:before"),
    ("approve_a_payment", "shadow", "if sha256(body) != digest:", "if False:", "what_is_paid_was_logged",
     f"storage.bit_flip.2@{AGENT}:approvals#1:before"),
    ("book_a_trip", "takeover", "self._journal.refuse_broken(lease.holder for lease", "(lease.holder for lease",
     "leases_end_with_their_runs",
     "process.kill@http.post:api.airline.test/bookings#1:after + "
     f"storage.bit_flip.1@recover/{AGENT}:journal#1:before"),
    ("long_research", "journal", "        if not right:\n", "        if False:\n", "journal_is_whole",
     f"storage.bit_flip.1@{AGENT}:journal#3:before"),
]  # fmt: skip
RIGHT: set[tuple[str, str]] = set()
"""Schedules that break nothing in the runtime as it is."""
# several processes at once; no behaviour of its own; by hand or by rule, which no scenario does
WITHOUT = (
    {"alive", "locks"}
    | {"async_saga", "calls", "canonical", "current", "definition", "files", "messages", "saga", "steps", "store"}
    | {"by_hand", "cli", "retention"}
)


def story(name: str) -> SimpleNamespace:
    """Return a scenario as something that can be explored."""
    return scenario(name, TESTS[name])


@pytest.mark.parametrize(
    ("name", "module", "old", "new", "broken"), FOUND, ids=[f"{row[0]}-{row[1]}-{n}" for n, row in enumerate(FOUND)]
)
def test_a_scenario_finds_a_mutant(name: str, module: str, old: str, new: str, broken: str, tmp_path: Path) -> None:
    """The invariant that is named is broken, and the schedule repeats truly."""
    kill = (options().known["process.kill"],)
    with mutated(module, old, new):
        result = explored(story(name), tmp_path / "world", faults=kill, first=True)
    assert broken in breaks(result), result.statement


@pytest.mark.parametrize(
    ("name", "module", "old", "new", "broken", "token"), AT, ids=[f"{row[0]}-{row[1]}-{n}" for n, row in enumerate(AT)]
)
def test_one_schedule_of_a_scenario_finds_a_mutant(
    name: str, module: str, old: str, new: str, broken: str, token: str, tmp_path: Path
) -> None:
    """It breaks the invariant that is named; the runtime as it is breaks none under a disk that lies."""
    with mutated(module, old, new):
        result = replayed(story(name), tmp_path / "mutant", token)
    assert result.drifted == ()
    assert broken in breaks(result), result.violations
    if "storage." in token and (name, token) not in RIGHT:  # no other test of the scenario has this fault
        assert breaks(replayed(story(name), tmp_path / "right", token)) == set()
        RIGHT.add((name, token))


def test_each_part_that_acts_has_a_mutant_that_a_scenario_finds() -> None:
    """A new module of the runtime is in the table, or named as one without."""
    folder = Path(__file__).parents[2] / "harness" / "runtime"
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert {row[1] for row in [*FOUND, *AT]} == modules - WITHOUT


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("outbox", "State.READY if at_once else State.HELD", "State.HELD"),
        (
            "message_table",
            "topic IN ({', '.join('?' * len(topics))})",
            "(1 OR topic IN ({', '.join('?' * len(topics))}))",
        ),
    ],
    ids=["at_once", "topic"],
)
def test_a_scenario_does_not_run_with_a_mutant(module: str, old: str, new: str, tmp_path: Path) -> None:
    """A courier that comes late, and a message in the hands of the wrong worker, stop it without any fault."""
    with mutated(module, old, new), pytest.raises(ChaosError, match="the run fails without any fault"):
        explored(story("call_a_courier"), tmp_path / "world", faults=())


def test_an_overtaking_cancellation_shows_where_a_message_is_refused(tmp_path: Path) -> None:
    """A message that is refused is due again after a pause, its run is abandoned: a crash alone does not show it."""
    agent = story("call_a_courier")
    crash = "process.kill@sqlite.commit:agent/agent.db#3:after"  # what says that the message is being sent
    refusal = "http.rate_limited.1@http.post:api.courier.test/pickups#1:before"
    with mutated("outbox", "State.READY, behind=message.key", "State.READY"):
        results = [replayed(agent, tmp_path / name, token) for name, token in (("1", crash), ("2", refusal))]
    results.append(replayed(agent, tmp_path / "mended", refusal))
    assert not any(result.drifted for result in results)
    crashed, refused, mended = map(breaks, results)
    assert not crashed | mended
    assert "all_or_nothing" in refused
