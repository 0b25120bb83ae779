"""The kind of bug that each wrong agent has: those that a reader who knows the bug would call right.

Written by reading the agents, before what is found was looked at, and not widened since. There is more than one only
where each describes the seeded bug, and sends who reads it to the place that is to be mended: a comment says why.
The promises of the agents on the runtime are its own invariants: those of somebody else have no kind.
"""

from rollproof.values.kinds import (
    ANOTHER_WAY,
    CLAIMED_TOO_EARLY,
    COPIED_WITHOUT_LOG,
    JOURNAL_DROPPED,
    KEY_CHANGES,
    KEY_USED_UP,
    LEASE_NOT_ENDED,
    LEFT_AFTER_CRASH,
    LEFT_AFTER_ERROR,
    LOCK_OF_THE_DEAD,
    NO_END,
    NO_TRANSACTION,
    NOT_ATOMIC,
    NOT_TAKEN_UP,
    NOT_UNDONE,
    ORDER,
    RECORDED_BEFORE_DONE,
    RECORDED_TOO_LATE,
    RECOVERY_FAILS,
    RECOVERY_REPEATS,
    REFUSED_KEY,
    REPEATED,
    SECRET,
    SWALLOWED,
    UNCHECKED,
    UNCHECKED_READ,
)

KINDS: dict[str, tuple[str, ...]] = {
    "any_answer_is_all": (NOT_TAKEN_UP,),
    "answers_taken_in_turn": (ANOTHER_WAY,),
    # moving uses the backup up before all is undone; the second recovery ruins what the first began
    "backup_moved_back": (JOURNAL_DROPPED, RECOVERY_REPEATS),
    "batch_stored_at_the_end": (RECORDED_TOO_LATE,),
    "blue_green": (RECOVERY_REPEATS,),
    # the refusal is caught, and taken for an answer
    "busy_model_is_an_answer": (SWALLOWED, UNCHECKED),
    "cancelled_and_still_locked": (LEFT_AFTER_ERROR,),
    "checkpoint_before_effect": (RECORDED_BEFORE_DONE,),
    "checkpoint_of_other_settings": (ANOTHER_WAY,),
    "checkpoint_torn": (NOT_ATOMIC,),
    # the error is ignored, and the note goes though its folder did not
    "cleaning_ignores_errors": (SWALLOWED, JOURNAL_DROPPED),
    "compensation_in_order_of_work": (NOT_UNDONE,),
    # it stops, logs the error away, and drops the log that knew of the rest
    "compensation_stops_at_first_error": (NOT_UNDONE, SWALLOWED, JOURNAL_DROPPED),
    "copy_without_its_wal": (COPIED_WITHOUT_LOG,),
    # saved in place; the error of a torn state is caught; and so a new key is made
    "corrupt_state_is_empty": (NOT_ATOMIC, SWALLOWED, KEY_CHANGES),
    # the attempt is counted after it, so that attempts have no end
    "death_is_no_attempt": (RECORDED_TOO_LATE, NO_END),
    "done_marker_after_rollback": (NOT_UNDONE,),
    "draft_read_without_its_hash": (UNCHECKED_READ,),
    "effect_twice_after_timeout": (REPEATED,),
    # the error is caught, and the same success returned
    "error_swallowed": (SWALLOWED, CLAIMED_TOO_EARLY),
    # a key mends it, and so does a look whose error leaves
    "failed_look_sees_nothing": (REPEATED, SWALLOWED),
    "final_write_in_place": (NOT_ATOMIC,),
    # two commits for one move; in between, the queue says that all is done
    "finished_when_nothing_is_pending": (NO_TRANSACTION, RECORDED_BEFORE_DONE),
    "folder_sync": (LEFT_AFTER_CRASH,),
    "given_up_is_published": (CLAIMED_TOO_EARLY,),
    # one commit for all mends it, and so does a start that imports the rest
    "half_an_import_is_an_import": (NO_TRANSACTION, NOT_TAKEN_UP),
    # the error is caught, and what is asked then is not all
    "half_of_a_long_context": (SWALLOWED,),
    # moved one by one; recovery throws away what it could finish with
    "half_of_a_set": (NO_TRANSACTION, NOT_TAKEN_UP),
    "handler_forgets_first": (JOURNAL_DROPPED,),
    # done before the answer is known to be valid; nobody cleans up after the error
    "items_applied_while_parsing": (UNCHECKED, LEFT_AFTER_ERROR),
    "key_counted_in_process": (KEY_CHANGES,),
    "key_of_the_moment": (KEY_CHANGES,),
    "key_used_up_by_rollback": (KEY_USED_UP,),
    # it has no end, and only a good run gives it back
    "lease_left_after_error": (LEASE_NOT_ENDED, LEFT_AFTER_ERROR),
    # nobody looks at its end, nor at whether its holder lives
    "lease_without_an_end": (LEASE_NOT_ENDED, LOCK_OF_THE_DEAD),
    # let go on success only: an error leaves it, and so does a crash
    "lock_left_on_error": (LEFT_AFTER_ERROR, LOCK_OF_THE_DEAD),
    "lock_of_a_dead_recovery": (LOCK_OF_THE_DEAD,),
    "lock_of_this_pid_only": (LOCK_OF_THE_DEAD,),
    "log_dropped_before_undo": (JOURNAL_DROPPED,),
    "mail_merge": (CLAIMED_TOO_EARLY,),
    # marked before it is cancelled; the mark was the only note of what is to undo
    "marked_as_cancelled_first": (RECORDED_BEFORE_DONE, JOURNAL_DROPPED),
    "mode_set_after_the_rename": (NOT_ATOMIC,),
    "model_planner": (NO_END,),
    "new_key_for_each_attempt": (KEY_CHANGES,),
    # a Message-ID is a mail's key, and each attempt makes a new one
    "new_message_id_for_each_attempt": (REPEATED, KEY_CHANGES),
    "newer_code_older_state": (RECOVERY_FAILS,),
    # a checkpoint stays, because a second recovery goes on otherwise than the first
    "newest_checkpoint_wins": (LEFT_AFTER_CRASH, RECOVERY_REPEATS),
    "order_compensation": (KEY_USED_UP,),
    "parallel_results_kept_at_the_end": (RECORDED_TOO_LATE,),
    # right in one order only; the other one's order is not taken up
    "parallel_second_means_both": (ORDER, NOT_TAKEN_UP),
    # what it returns is never checked; what it drops is the error
    "partly_refused_mail": (CLAIMED_TOO_EARLY, SWALLOWED),
    "pointer_before_content": (RECORDED_BEFORE_DONE,),
    "queue_claim": (NOT_TAKEN_UP,),
    # the error is caught, and the entry goes though nothing was cancelled
    "recovery_gives_up": (SWALLOWED, JOURNAL_DROPPED),
    "refund_of_any_order": (UNCHECKED,),
    # it throws the notes away instead of going on, and fails at what is booked
    "resume_starts_from_zero": (NOT_TAKEN_UP, RECOVERY_FAILS),
    "retries_a_revoked_key": (REFUSED_KEY,),
    "retry_storm": (NO_END,),
    "row_of_a_removed_file": (NOT_UNDONE,),
    "row_without_file": (RECORDED_BEFORE_DONE,),
    "rows_replaced_without_transaction": (NO_TRANSACTION,),
    # table by table; a start that finds one takes all to be there
    "schema_half_made": (NO_TRANSACTION, RECOVERY_FAILS),
    "schema_migration": (NO_TRANSACTION,),
    # a turn that is started again does not look whether its question stands there
    "session_asks_twice": (REPEATED, RECOVERY_REPEATS),
    "staging_folder_left": (LEFT_AFTER_CRASH,),
    # in the rare order, the checkpoint is there before the log
    "step_logged_beside_its_checkpoint": (ORDER, RECORDED_BEFORE_DONE),
    "stock_returned_at_every_start": (RECOVERY_REPEATS,),
    "ticket_booking": (SECRET,),
    "token_in_checkpoint": (SECRET,),
    "tool_result_without_its_call": (RECOVERY_FAILS,),
    "truncated_plan_repaired": (UNCHECKED,),
    # it fails at what is gone, which is there when undo comes twice
    "undo_dies_when_gone": (RECOVERY_FAILS, RECOVERY_REPEATS),
    "webhook_handled_twice": (REPEATED,),
    # the rule that tells these two came with them, and so counts for little
    "webhook_last_one_wins": (ORDER,),
    "webhook_never_asked_for": (NOT_TAKEN_UP,),
    "work_before_intent": (RECORDED_TOO_LATE,),
}
