"""Mutants of the runtime: for each part at least two, each a bug that somebody has written before, all killed."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import test_answers
import test_contents
import test_file_parts
import test_messages
import test_parts
import test_pauses
import test_planning
import test_refusals
import test_retrying
import test_saga_parts
import test_workers
from mutation import mutated
from rollproof.runtime import Alive, Store
from workers import Service

MODULES = (
    test_answers,
    test_contents,
    test_file_parts,
    test_messages,
    test_parts,
    test_pauses,
    test_planning,
    test_refusals,
    test_retrying,
    test_saga_parts,
    test_workers,
)

# part: (module, what stands there, what the mutant has instead, the test that kills it)
MUTANTS: dict[str, list[tuple[str, str, str, str]]] = {
    "staging": [
        ("releases", "release.before and not (self.folder / release.before).is_dir()", "False",
         "test_a_set_that_was_pruned_cannot_be_gone_back_to"),
        ("staging", "            check_set(self.workspace, digest)\n", "", "test_a_changed_workspace_is_not_published"),
        ("staging", "    if found != expected or others:", "    if False:",
         "test_a_comment_that_somebody_added_is_not_taken_away"),
        ("staging", "if path.is_file() and not path.is_symlink():", "if path.is_file():",
         "test_a_set_with_folders_is_checked_whole"),
        ("staging", "    others ^= _folders(expected)\n", "    others = set()\n",
         "test_a_set_with_folders_is_checked_whole"),
        ("staging", "        if other != place:", "        if False:", "test_names_that_may_be_one_place_are_refused"),
        ("staging", "for folder in [*reversed(folders), \".\"]:", "for folder in [\".\"]:",
         "test_every_folder_is_synced"),
        ("releases", "os.rename(place, self.workspace)", "None", "test_readers_see_the_new_set_or_the_old"),
        ("releases", "ours = not release.kept and place", "ours = place",
         "test_publishing_what_is_shown_already_and_going_back_keeps_it"),
        ("releases", "if self.shown not in (release.before, place.name):", "if False:",
         "test_somebody_elses_newer_set_stays_shown"),
    ],
    "transactions": [
        ("transactions", "        for orphan in sorted(self._staging.glob(\"*.staged\")):", "        for orphan in ():",
         "test_a_transaction_that_fails_leaves_neither_rows_nor_files"),
        ("transactions", "            replace_durably(source, place)", "            pass",
         "test_files_follow_what_is_committed_after_a_crash"),
        ("transactions", "elif found is not None or hash_of(place) != digest:", "elif False:",
         "test_a_committed_file_that_is_nowhere_is_said"),
    ],
    "compensation": [
        ("rollback", "for name in reversed(run.progress.entered):", "for name in run.progress.entered:",
         "test_undo_runs_backward_and_the_error_leaves"),
        ("rollback", "            if not run.given_up(name):\n                raise problem",
         "            raise problem", "test_an_undo_that_keeps_failing_is_a_dead_letter_and_the_rest_runs"),
        ("rollback", "if is_refused_key(problem):", "if False:",
         "test_no_undo_is_given_up_for_a_revoked_key"),
        ("progress", "return begun, begun, ()", "return entered, begun, ()",
         "test_a_requeued_dead_letter_is_undone_in_order"),
        ("by_hand", "            if execution.only_forward:\n                raise Wrong",
         "            if False:\n                raise Wrong", "test_an_irreversible_run_cannot_be_rolled_back"),
    ],
    "checkpoints": [
        ("execution", "memory=self.run.memory if learned else None", "memory=None",
         "test_the_result_is_stored_with_the_end_of_the_run"),
        ("checkpoints", "and sha256(whole) == checksum:", "and True:",
         "test_a_damaged_checkpoint_is_noticed_and_the_one_before_used"),
        ("checkpoints", "        except ContentLost:\n            return None", "        finally:\n            pass",
         "test_a_lost_content_is_a_damaged_checkpoint"),
        ("checkpoints", "self._contents.put(body.encode())", "sha256(body)",
         "test_big_variables_do_not_stand_in_the_database"),
        ("carrier", "            if restored.damaged:\n                await execution.rewind()\n", "",
         "test_a_damaged_checkpoint_costs_one_step"),
        ("execution", "        if found is None and step.undo and not step.repeatable:", "        if False:",
         "test_a_step_that_may_be_half_done_is_undone_before_it_is_repeated"),
        ("carrier", "execution.only_forward or self._saga.resumes", "execution.only_forward",
         "test_a_restart_goes_on_and_repeats_no_step"),
    ],
    "keys": [
        ("execution", "            await self.run.record(Event.RETAKEN, step.name)\n", "",
         "test_a_step_that_may_be_half_done_is_undone_before_it_is_repeated"),
        ("rollback", "                if classify(error) is Verdict.STOP:\n                    break\n", "",
         "test_an_undo_is_not_tried_again_with_a_revoked_key"),
    ],
    "shadow mode": [
        ("carrier", "            problems.append(error)\n", "            raise\n",
         "test_a_plan_that_cannot_be_recovered_keeps_up_no_other"),
        ("shadow", "if not self.store.write(update, Approval.USED, self.digest, Approval.APPROVED):",
         "if False:", "test_an_approval_starts_one_run"),
        ("shadow", "if sha256(body) != digest:", "if False:",
         "test_a_plan_that_was_changed_after_its_approval_does_not_run"),
    ],
    "dry-run recovery": [
        ("rehearsal", "if within is not None:", "if False:", "test_links_in_the_data_lead_into_the_copy"),
        ("rehearsal", "if not Path(os.path.realpath(link)).is_relative_to(copy.resolve()):", "if False:",
         "test_data_with_a_link_that_leads_out_is_refused"),
        ("rehearsal", "    return sorted(path for path in before", "    return [] and sorted(path for path in before",
         "test_a_missing_rollback_is_told_from_a_wrong_one"),
        ("rehearsal", "        shutil.rmtree(scratch)\n\n", "        pass\n\n",
         "test_missing_and_wrong_rollbacks_are_named"),
        ("rehearsal", 'range(2 if here and self.when == "after" else 1)', "range(1)",
         "test_missing_and_wrong_rollbacks_are_named"),
        ("rehearsal",
         "                    if not here:\n                        raise\n", "                    raise\n",
         "test_a_bad_undo_hides_no_missing_one_behind_it"),
    ],
    "immutable log": [
        ("journal", "if event != FORGOTTEN and entry.linked(before) != stored:", "if False:",
         "test_the_first_broken_event_is_named"),
        ("journal", ', "detail": self.detail, "at": self.at}', ', "detail": self.detail}',
         "test_the_first_broken_event_is_named"),
        ("journal", "        self._refuse(_first_break(known.hash, known.seq + 1, rows))\n", "",
         "test_a_ledger_on_a_broken_journal_tells_no_state"),
        ("history", "if events[: len(self._verified)] != self._verified:", "if False:",
         "test_what_a_ledger_verified_before_must_be_as_it_was"),
        ("history", "        if not journal.has(self._link):\n", "        if False:\n",
         "test_a_ledger_forgets_what_a_transaction_took_back"),
        ("history", 'states[entry.detail["version"]] if back', "states[0] if back",
         "test_going_back_points_and_loses_nothing"),
        ("journal", "if start != expected:", "if False:",
         "test_the_first_broken_event_is_named"),
    ],
    "versions": [
        ("versions", "        self._adopt(name)\n        return self._point(name, self._contents.put(content), run)",
         "        return self._point(name, self._contents.put(content), run)",
         "test_what_somebody_else_changed_is_not_overwritten"),
        ("contents", "if hash_of(self._folder / digest) == digest:", "if (self._folder / digest).exists():",
         "test_a_damaged_content_is_said_and_mended_by_putting_it"),
        ("contents", "        except FileNotFoundError:\n            return",
         "        except LookupError:\n            return", "test_cleaning_beside_a_process_that_puts_harms_nothing"),
        ("contents", "    if sha256(content) != digest:", "    if False:",
         "test_a_damaged_content_is_noticed_before_anything_changes"),
        ("versions", "            if self._is_ours(name):\n", "            if False:\n",
         "test_a_file_that_did_not_follow_is_brought_on"),
    ],
    "plan, then execute": [
        ("answers", "    canonical(value).encode()  #", "    #", "test_an_unsafe_or_malformed_plan_is_refused"),
        ("plan", "return inside(workspace, path).resolve().is_relative_to(workspace.resolve())", "return True",
         "test_an_unsafe_or_malformed_plan_is_refused"),
        ("plan", "        if tool.irreversible and number < len(plan.actions):", "        if False:",
         "test_an_unsafe_or_malformed_plan_is_refused"),
        ("answers", "[] if finish_reason in self._ends else", "[] if True else",
         "test_every_prefix_of_a_plan_is_refused"),
        ("answers", "    if len(found) < len(pairs):", "    if False:", "test_an_unsafe_or_malformed_plan_is_refused"),
        ("answers", "            reasons += self._schema.problems(value)\n", "",
         "test_what_is_not_as_it_was_asked_for_is_discarded"),
        ("schema", "return isinstance(value, int | float) and not isinstance(value, bool)",
         "return isinstance(value, int | float)", "test_what_is_not_as_it_was_asked_for_is_discarded"),
    ],
    "outbox": [
        ("outbox", "        elif not message.cancels:", "        elif True:",
         "test_a_cancellation_never_overtakes_its_message"),
        ("outbox", "State.READY, behind=message.key", "State.READY", "test_a_cancellation_never_overtakes_its_message"),
        ("claims", "if deleted and (message.damaged or not self._table.is_open(message.key + CANCEL)):", "if deleted:",
         "test_a_message_that_never_gets_through_is_cancelled_once_it_is_given_up"),
        ("outbox", 'if letter.run == run and letter.kind == "message" and', "if False and",
         "test_a_dead_letter_of_an_abandoned_run_is_taken_back_too"),
        ("outbox", "owner = '', due_at = 0 WHERE key = ?", "owner = '', due_at = 0 WHERE 0 AND key = ?",
         "test_what_cannot_be_taken_back_is_not_sent_after_its_run_is_abandoned"),
        ("message_table", "topic IN ({', '.join('?' * len(topics))})",
         "(1 OR topic IN ({', '.join('?' * len(topics))}))",
         "test_messages_of_other_topics_are_left_to_their_worker"),
        ("outbox", "        if key not in DeadLetters(self._store):", "        if True:",
         "test_a_step_that_is_repeated_does_not_revive_its_dead_letter"),
        ("claims", "self._store.write(update, State.SENDING, token", "self._store.write(update, State.SENT, token",
         "test_a_worker_that_dies_sends_again_with_the_same_key"),
        ("outbox", "                    _refuse_damaged(message)\n", "", "test_a_damaged_message_is_never_sent"),
        ("outbox", "        if message.damaged:\n", "        if False:\n",
         "test_what_is_damaged_of_an_abandoned_run_is_reported"),
        ("outbox", "            self._withdraw(run)\n\n", "            pass\n\n",
         "test_rolling_back_deletes_what_is_pending"),
        ("outbox", "            run.check()\n", "", "test_an_act_that_lost_its_run_writes_no_message"),
        ("outbox", "State.READY if at_once else State.HELD", "State.READY",
         "test_messages_wait_for_the_end_of_their_run"),
        ("outbox", "(?, ?) AND behind = ''", "(?, ?)", "test_a_run_that_is_abandoned_again_loses_no_cancellation"),
        ("outbox", 'and not letter.input["behind"]:', "and True:",
         "test_a_run_that_is_abandoned_again_loses_no_cancellation"),
        ("outbox", "elif key not in DeadLetters(self._store):", "else:",
         "test_a_run_that_is_abandoned_again_loses_no_cancellation"),
        ("message_table", "topic, body, State.SENDING, letter.attempts", "topic, body, State.READY, letter.attempts",
         "test_a_message_that_was_requeued_may_have_been_sent"),
        ("claims", "{among(chosen)} AND (due_at <= ? OR owner > '')",
         "+state IN ('ready', 'sending') AND +topic IN ({', '.join('?' * len(chosen))}) AND due_at <= ?",
         "test_a_worker_reads_what_is_due_and_nothing_that_was_sent"),
    ],
    "outbox, several workers": [
        ("claims", "if message.due_at <= time.time() or self._is_abandoned(message.owner):", "if True:",
         "test_what_another_took_meanwhile_is_left_alone"),
        ("claims", "WHERE rowid = ? AND {among(chosen)} AND {FREE}", "WHERE rowid = ? AND (1 OR {among(chosen)})",
         "test_what_one_worker_has_another_leaves_alone"),
        ("outbox", "            alive.hold(token)", "            pass",
         "test_what_one_worker_has_another_leaves_alone"),
        ("claims", "self._alive.is_held(owner) is False", "not self._alive.is_held(owner)",
         "test_without_a_proof_of_death_the_deadline_counts"),
        ("claims", "self._alive.is_held(owner) is False", "False",
         "test_a_worker_that_is_killed_is_replaced_at_once"),
        ("claims", "WHERE rowid = ? AND {among(chosen)} AND {FREE}", "WHERE rowid = ? AND {among(chosen)}",
         "test_a_cancellation_waits_for_a_worker_that_sends"),
        ("claims", "failing_since = 0 WHERE key = ? AND owner = ?", "failing_since = 0 WHERE key = ? AND '' < ?",
         "test_a_late_worker_does_not_speak_for_the_new_one"),
        ("claims", "                WHERE key = ? AND owner = ?", "                WHERE key = ? AND '' < ?",
         "test_a_late_worker_does_not_speak_for_the_new_one"),
        ("claims", "if given_up and any(map(self._alive.is_held, message.late.split())):", "if False:",
         "test_nothing_is_given_up_while_a_late_worker_may_send_it"),
        ("claims", 'f"{message.late} {message.owner}".split()', '""',
         "test_nothing_is_given_up_while_a_late_worker_may_send_it"),
        ("claims", "deadline = time.time() + self._limits.claim_s", "deadline = 2 * time.time()",
         "test_a_cancellation_follows_what_was_sent_for_a_paused_worker"),
        ("outbox", "SET state = ?, owner = '', due_at = 0 WHERE key", "SET state = ?, due_at = 0 WHERE key",
         "test_what_a_paused_worker_may_have_sent_is_reported_and_not_sent_again"),
    ],
    "outbox, pauses": [
        ("claims", "verdict, now = classify(error), time.time()", "verdict, now = Verdict.ROLL_BACK, time.time()",
         "test_an_outage_makes_no_dead_letters"),
        ("claims", "attempts >= limits.max_attempts and now", "now", "test_a_worker_that_was_away_gives_up_nothing"),
        ("claims", "given_up = attempts >= limits.max_attempts and", "given_up = False and",
         "test_what_never_passes_is_given_up"),
        ("claims", "since, due_at = since or now, now", "since, due_at = now, now",
         "test_what_never_passes_is_given_up"),
        ("claims", ", max(limits.give_up_after_s, limits.most_s))", ", float('inf'))", "test_retry_after_says_when"),
        ("claims", "refused = message.refused + (verdict is Verdict.ROLL_BACK)", "refused = attempts",
         "test_what_will_not_pass_counts_at_once"),
        ("claims", "if given_up and verdict is not Verdict.STOP:", "if given_up or verdict is Verdict.STOP:",
         "test_a_revoked_key_is_tried_once_and_is_no_messages_fault"),
        ("claims", "{among(chosen)} AND {FREE} GROUP", "{among(chosen)} GROUP",
         "test_a_worker_knows_when_to_look_again"),
        ("retry", "first_s * 2.0 ** min(attempt - 1, 64)", "first_s", "test_pauses_double"),
    ],
    "belief and reality": [
        ("step_calls", "if found is None or found.reality is Reality.PRESENT:", "if True:",
         "test_nothing_is_undone_that_never_happened"),
        ("execution", "if found is None or found.reality is Reality.ABSENT:", "if True:",
         "test_what_is_there_is_not_done_again"),
        ("reconcile", "if reality not in right[beliefs[step]]:", "if False:",
         "test_differences_name_phantoms_and_what_is_unrecorded"),
    ],
    "locks": [
        ("fencing", "            if token < newest:", "            if False:", "test_a_late_writer_is_refused"),
        ("carried_run", "elif self.lease.expires_at - time.time() < lasts_s / 2:", "elif False:",
         "test_a_lease_is_renewed_while_steps_are_taken"),
        ("locks", "if found is None or (found.holder, found.token) != (lease.holder, lease.token):", "if False:",
         "test_a_live_lease_keeps_others_out_until_it_expires"),
        ("locks", "rows[0][0] + 1 if rows else 0", "0",
         "test_tokens_only_rise"),
    ],
    "audit trail": [
        ("audit", "hmac.compare_digest(expected.encode(), each.encode())", "hmac.compare_digest(expected, each)",
         "test_webhooks_hear_of_every_change_signed"),
        ("audit", "due = [change for change in reversed(changes)", "due = [change for change in changes",
         "test_the_trail_undoes_a_run_backward"),
        ("audit", "if not change.undoes and change.seq not in undone]", "if not change.undoes]",
         "test_the_trail_undoes_a_run_backward"),
        ("audit", "if abs(time.time() - int(moment)) > TOLERANCE_S:", "if False:",
         "test_webhooks_hear_of_every_change_signed"),
    ],
    "retry": [
        ("retry", "    if isinstance(reason, Exception):\n        return classify(reason)\n", "",
         "test_an_error_says_what_to_do"),
        ("retry", "return Verdict.STOP if is_refused_key(error) else", "return",
         "test_an_error_says_what_to_do"),
        ("retry", "    if asked is not None:\n        return asked\n", "", "test_retry_after_is_obeyed"),
        ("retry", "            self._keep(used={\"attempts\": 1})\n", "", "test_a_budget_holds_over_all_calls"),
        ("retry", "max(elapsed, time.time() - self.began)", "elapsed",
         "test_a_budget_of_time_counts_the_time_that_nobody_worked"),
        ("retry", "            self.seq = seq\n", "", "test_what_was_used_is_the_same_in_the_next_process"),
        ("retry", "            self.check_key(credential)\n", "",
         "test_a_refused_key_is_not_sent_again_whatever_the_service_says_next"),
    ],
    "dead letters": [
        ("carried_run", 'key = f"{progress.run}:{step}:undo"', 'key = f"{progress.run}:{step}"',
         "test_the_dead_letters_of_a_step_and_of_its_message_are_two"),
        ("dead_letters", 'return bool(self._store.write("DELETE FROM dead_letters WHERE key = ?", key))', "return True",
         "test_a_message_that_keeps_failing_is_a_dead_letter_and_can_be_requeued"),
        ("claims", "refused = message.refused + (", "refused = 0 + (",
         "test_a_message_that_keeps_failing_is_a_dead_letter_and_can_be_requeued"),
        ("carrier", "elif not await execution.fail(error):", "else:",
         "test_a_run_that_must_go_on_and_cannot_goes_to_a_person"),
        ("carried_run", "return self.progress.failed.count(step) >= (passes or self._saga.undo_passes)", "return False",
         "test_an_undo_that_keeps_failing_is_a_dead_letter_and_the_rest_runs"),
    ],
    "refusals": [
        ("steps", "    if not ways:\n", "    if False:\n", "test_what_is_no_list_of_steps_is_refused"),
        ("takeover", "        refuse_renamed(self._saga.steps, progress, self._store.path)\n        lock = ",
         "        lock = ",
         "test_recovery_and_the_next_run_say_that_a_step_was_renamed"),
        ("steps", " and list(progress.begun) != names[: len(progress.begun)]", " and False",
         "test_a_run_whose_steps_were_renamed_is_refused"),
        ("versions", "content)\n        refuse_no_folder(inside(self._folder, name))\n", "content)\n",
         "test_a_version_in_a_folder_that_is_not_there_is_refused"),
    ],
    "handover": [
        ("execution", "return found is not None and found.reality is Reality.PRESENT", "return False",
         "test_what_is_seen_to_be_irreversibly_done_cannot_be_rolled_back"),
        ("carried_run", "return leases.pass_on(self.lease, PERSON_S, None)",
         "return leases.renew(self.lease, PERSON_S)",
         "test_a_run_that_hands_itself_over_has_another_token"),
        ("progress", "return self in (Status.RUNNING, Status.UNDOING)", "return not self.final",
         "test_the_agent_touches_nothing_while_a_person_has_the_run"),
        ("progress", 'decision=str(entry.detail.get("decision", self.decision)),', "decision=self.decision,",
         "test_a_run_that_was_handed_back_goes_on_after_a_crash"),
        ("carrier", "and forward and now.decision != Decision.ROLL_BACK", "and forward",
         "test_a_run_that_was_to_be_rolled_back_is_after_a_crash"),
    ],
}  # fmt: skip
PASSED: set[str] = set()
"""The tests that passed on the runtime as it is; each kills several mutants."""
FLAT = [(part, *mutant) for part, mutants in MUTANTS.items() for mutant in mutants]


def cases(function: Any) -> list[dict[str, Any]]:
    """Give the parameters of each case of a test, as pytest would."""
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names = [mark.args[0]] if isinstance(mark.args[0], str) else list(mark.args[0])
            return [dict(zip(names, value if len(names) > 1 else [value], strict=True)) for value in mark.args[1]]
    return [{}]


def run(killer: str, root: Path, clock: Any) -> None:
    """Run every case of one test, each in a folder of its own."""
    function = next(getattr(module, killer) for module in MODULES if hasattr(module, killer))
    wanted = inspect.signature(function).parameters
    for number, case in enumerate(cases(function)):
        folder = root / str(number)
        folder.mkdir()
        clock.now, clock.slept = 1_800_000_000.0, 0
        with Store(folder / "agent.db") as store, Alive(store.path) as alive, pytest.MonkeyPatch.context() as patch:
            staging = test_parts.Staging(folder / "staging-1", folder / "report")
            known = {"tmp_path": folder, "store": store, "clock": clock, "monkeypatch": patch, "staging": staging}
            known["alive"] = alive
            if "keeping" in wanted:
                known["keeping"] = test_contents.in_a_folder(folder / "contents")
            if "service" in wanted:
                known["service"] = Service(folder)
            function(**{name: known[name] for name in wanted if name in known}, **case)


def test_every_part_has_two_mutants_at_least() -> None:
    """Sixteen parts of the table, the first with its two forms."""
    assert len(MUTANTS) >= 16
    assert all(len(mutants) >= 2 for mutants in MUTANTS.values())


@pytest.mark.parametrize(
    ("part", "module", "old", "new", "killer"), FLAT, ids=[f"{m[0]}-{m[4][5:40]}-{n}" for n, m in enumerate(FLAT)]
)
def test_a_mutant_is_killed(
    part: str, module: str, old: str, new: str, killer: str, tmp_path: Path, clock: Any
) -> None:
    """The test that is named passes on the runtime as it is, also as it is called here, and fails on the mutant."""
    (tmp_path / "right").mkdir()
    (tmp_path / "mutant").mkdir()
    if killer not in PASSED:
        run(killer, tmp_path / "right", clock)
        PASSED.add(killer)
    with mutated(module, old, new), pytest.raises(BaseException):  # noqa: PT011, B017 - however it fails
        run(killer, tmp_path / "mutant", clock)
