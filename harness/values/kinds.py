"""Kinds of bugs, in the words of reports: one vocabulary for kinds that a rule tells and kinds that a cure shows.

A kind is its name, as `Finding.kind` has it; `KINDS` has a sentence for each that says what mends it.
"""

from collections.abc import Mapping
from typing import Final

REPEATED: Final = "repeated effect without a stable key"
KEY_CHANGES: Final = "the key changes over a restart"
KEY_USED_UP: Final = "a key that was used up is sent again"
AT_LEAST_ONCE: Final = "inherent at-least-once"
NOT_ATOMIC: Final = "not atomic: write beside it and replace"
NO_TRANSACTION: Final = "several writes without a transaction"
RECORDED_BEFORE_DONE: Final = "recorded before done"
RECORDED_TOO_LATE: Final = "done before it is recorded"
JOURNAL_DROPPED: Final = "journal dropped before undo"
NOT_UNDONE: Final = "undo is not complete"
NOT_TAKEN_UP: Final = "half a work is not taken up again"
LEFT_AFTER_ERROR: Final = "left over after an error"
LEFT_AFTER_CRASH: Final = "left over after a crash"
LOCK_OF_THE_DEAD: Final = "lock of a dead process is kept"
LEASE_NOT_ENDED: Final = "lease without an end"
LEASE_TOO_SHORT: Final = "lease ends before the work"
SWALLOWED: Final = "error swallowed"
CLAIMED_TOO_EARLY: Final = "success is claimed and not checked"
UNCHECKED: Final = "unchecked answer of a model"
UNCHECKED_READ: Final = "content is read and not checked"
NO_END: Final = "retry without an end"
REFUSED_KEY: Final = "a refused credential is sent again"
SECRET: Final = "secret kept in the clear"
ORDER: Final = "order of two effects decides"
RECOVERY_FAILS: Final = "recovery fails on what a dead process left"
RECOVERY_REPEATS: Final = "recovery is not idempotent"
ANOTHER_WAY: Final = "a restart goes another way"
COPIED_WITHOUT_LOG: Final = "a database is copied without its log"

KINDS: Final[Mapping[str, str]] = {
    REPEATED: "Send an idempotency key that is derived from the work, or look whether it is done first.",
    KEY_CHANGES: "Derive the key from the work, or store it before it is first sent, and send the stored one again.",
    KEY_USED_UP: "Give a new try a new key, stored before it is sent: the old one returns what was undone.",
    AT_LEAST_ONCE: "The receiver knows no keys: let it drop doubles, or ask it before sending again.",
    NOT_ATOMIC: "Write to a temporary file beside it, flush it to disk, and replace the old one by it.",
    NO_TRANSACTION: "Make all of these writes in one transaction, so that all of them are there, or none.",
    RECORDED_BEFORE_DONE: "Record an intent before the effect, and that it is done only after it.",
    RECORDED_TOO_LATE: "Record the intent before the effect, so that a new process knows of it.",
    JOURNAL_DROPPED: "Drop the journal after the last step is undone, not before.",
    NOT_UNDONE: "Undo every step that was done, in reverse order, and go on where one of them fails.",
    NOT_TAKEN_UP: "Let recovery find work that was begun, and finish it or undo it.",
    LEFT_AFTER_ERROR: "Clean up in `finally` or a context manager, which errors and cancellation pass, too.",
    LEFT_AFTER_CRASH: "Let recovery find what a dead process left, and remove it.",
    LOCK_OF_THE_DEAD: "Let the lock die with its process (flock), or take it over once its holder is gone.",
    LEASE_NOT_ENDED: "Give the lease a time at which it runs out, and take it over then.",
    LEASE_TOO_SHORT: "Make the lease longer than the work, or renew it, and fence off a holder that has lost it.",
    SWALLOWED: "Let the error leave, or undo what was done and say that it failed.",
    CLAIMED_TOO_EARLY: "Say that it is done only after every effect succeeded.",
    UNCHECKED: "Check the model's answer against a schema and the task before anything is done with it.",
    UNCHECKED_READ: "Keep a hash beside what is written, and check it when it is read again.",
    NO_END: "Limit attempts, wait longer between them, and give up with an error.",
    REFUSED_KEY: "Stop at 401 or 403 and ask for a new credential: the same one is refused again.",
    SECRET: "Keep the secret out of files and messages; store a reference to it.",
    ORDER: "Let one effect wait for the other, or make their result the same in both orders.",
    RECOVERY_FAILS: "Let recovery expect missing, empty and half written state, and go on from there.",
    RECOVERY_REPEATS: "Let recovery look at what is done before it does it: it may be started at any time, and twice.",
    ANOTHER_WAY: "Store each answer, setting and name with its step, and let a restart take it from there.",
    COPIED_WITHOUT_LOG: "Copy a database by its backup command: what was committed last may be in its log (-wal) only.",
}
"""What mends each kind, in one sentence."""
