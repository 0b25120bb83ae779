"""The kind of a finding's bug, as far as its facts tell it without a trial; "" if they do not."""

import re

from ..values import kinds
from ..values.media import medium_of
from ..values.schedule import SWAP, Injection
from . import wording
from .facts import Facts

_UNREADABLE = ("DecodeError", "ValueError", "EOFError", "UnpicklingError")
"""Ends of names of exceptions that say that a content is only a part of one."""
_STILL_USED = re.compile("directory not empty|foreign key constraint failed", re.IGNORECASE)
"""Errors of a removal in the wrong order: something still lies in what is removed, or refers to it."""

_OF_WEBHOOKS = {
    **dict.fromkeys(("late", "reordered"), kinds.ORDER),
    **dict.fromkeys(("twice", "lost_answer"), kinds.REPEATED),
    "lost": kinds.NOT_TAKEN_UP,
}
"""By the fault of a sender that delivers again, keeps no order, or gives up: nothing in the agent fails there."""


def kind(facts: Facts) -> str:
    """Return the name of a kind of `values.kinds`, or ""."""
    cause = facts.cause
    if cause.way == "by order":
        return kinds.ORDER
    if cause.unchecked:
        return kinds.UNCHECKED
    if cause.promise not in wording.OUR_PROMISES:
        return ""
    if cause.promise == "credential_hygiene":
        return kinds.REFUSED_KEY if cause.way == "twice" else kinds.SECRET
    if cause.way == "not ended":
        return kinds.NO_END
    if facts.signs.held and facts.signs.idle and _is_crash(facts.last):
        return kinds.LEASE_NOT_ENDED if facts.signs.leased else kinds.LOCK_OF_THE_DEAD
    if cause.exception:
        return _of_exception(facts)
    if cause.promise == "no_leftovers":
        return _of_leftover(facts)
    if any(injection.fault == SWAP for injection in facts.schedule.injections):
        return kinds.ORDER  # without the other order, its other faults do no harm
    if cause.promise == "recovery_idempotent":
        return kinds.RECOVERY_REPEATS
    if cause.promise == "clean_retry":
        return kinds.KEY_USED_UP if _one_key(facts) else kinds.NOT_UNDONE if facts.signs.kept_notes else ""
    if facts.broken == ("honest_outcome",) and (_is_crash(facts.last) or facts.changed):
        return kinds.CLAIMED_TOO_EARLY  # what is outside may be so
    return _of_repeated(facts) if cause.way == "twice" else _of_half_done(facts)


def _of_exception(facts: Facts) -> str:
    name = facts.cause.exception.partition(" at ")[0]
    if wording.is_lock(facts):
        return kinds.LOCK_OF_THE_DEAD if _is_crash(facts.last) else kinds.LEFT_AFTER_ERROR
    written, _, verb = facts.cause.killed.partition(":")[0].partition(".")
    if medium_of(written).changes == "target" and verb in ("open", "write") and name.endswith(_UNREADABLE):
        return kinds.NOT_ATOMIC
    if medium_of(written).commits:
        return kinds.NO_TRANSACTION
    if _failed_in_recovery(facts):
        return kinds.SWALLOWED
    if any(end.kind == "raised" and _STILL_USED.search(end.error) for end in facts.own[1:]):
        return kinds.NOT_UNDONE
    return kinds.RECOVERY_FAILS if facts.cause.promise != "clean_retry" else ""


def _of_leftover(facts: Facts) -> str:
    if facts.thing == "lease":
        return kinds.LEASE_NOT_ENDED
    if not _is_crash(facts.last):
        return kinds.LEFT_AFTER_ERROR
    return kinds.LOCK_OF_THE_DEAD if wording.is_lock(facts) else kinds.LEFT_AFTER_CRASH


def _of_repeated(facts: Facts) -> str:
    """Return the kind of a bug that leaves a thing twice."""
    if facts.thing != "resource":
        # A new process can look for a row, and cannot for the work that a line of a file stands for.
        return kinds.RECORDED_TOO_LATE if facts.crashes and facts.thing != "row" else kinds.REPEATED
    keys = [key for _, key in facts.sent]
    if not any(keys):
        return kinds.REPEATED
    if _one_key(facts):
        return kinds.AT_LEAST_ONCE
    return kinds.KEY_CHANGES if len({role for role, _ in facts.sent}) > 1 else kinds.REPEATED


def _one_key(facts: Facts) -> bool:
    keys = [key for _, key in facts.sent]
    return len(keys) > 1 and len(set(keys)) == 1 and bool(keys[0])


def _of_half_done(facts: Facts) -> str:
    """Return the kind of a bug that leaves a thing missing, left over, torn or different."""
    last, signs = facts.last, facts.signs
    family, _, what = last.fault.partition(".")
    if family == "webhook" and what in _OF_WEBHOOKS:
        return _OF_WEBHOOKS[what]
    if _is_crash(last) and last.point.verb == "remove" and last.when == "after" and facts.keeps_of_its_own(last):
        return kinds.JOURNAL_DROPPED
    if signs.without_log:
        return kinds.COPIED_WITHOUT_LOG
    if _is_crash(last) and last.recovering and not facts.keeps_of_its_own(last):
        return kinds.RECOVERY_REPEATS  # it is right where nothing interrupts it
    if facts.cause.way == "torn":
        return kinds.NOT_ATOMIC
    if last.point.verb == "read":
        return kinds.UNCHECKED_READ
    if signs.acted_on_answer:
        return kinds.UNCHECKED
    if facts.change is not None and facts.change.detail.startswith("mode "):
        return ""
    if len(facts.own) == 1:
        return _of_one_process(facts)
    if _failed_in_recovery(facts):
        return kinds.SWALLOWED
    return _after_a_crash(facts) if _is_crash(last) else _after_an_error(facts)


def _of_one_process(facts: Facts) -> str:
    if facts.own[0].kind == "returned":
        return kinds.SWALLOWED
    return kinds.LEFT_AFTER_ERROR if facts.signs.passing else kinds.NOT_UNDONE


def _after_an_error(facts: Facts) -> str:
    if facts.signs.unnoted and facts.signs.idle:
        return kinds.RECORDED_TOO_LATE
    if facts.change is not None and facts.change.sign == "+":
        return kinds.NOT_UNDONE
    return kinds.RECORDED_BEFORE_DONE if facts.claims_it_is_done else kinds.NOT_TAKEN_UP


def _after_a_crash(facts: Facts) -> str:
    """Return the kind of a bug that leaves work half done after a crash."""
    last, effect, signs = facts.last, facts.cause.effect, facts.signs
    if (facts.run_again and signs.not_usual) or (facts.cause.way == "not the same" and signs.rewritten):
        return kinds.ANOTHER_WAY
    if facts.keeps_of_its_own(last) and last.point.verb in ("replace", "commit", "open", "write"):
        if signs.idle and signs.noted_later and not last.recovering:  # what is recorded is another step
            return kinds.NOT_TAKEN_UP
        done = facts.half_done or facts.cause.way == "missing"
        return kinds.RECORDED_BEFORE_DONE if done else ""
    if signs.undoes:
        return kinds.NOT_UNDONE
    if medium_of(last.point.kind).commits and last.point.kind == effect.partition(".")[0]:
        return kinds.NO_TRANSACTION
    return kinds.RECORDED_TOO_LATE if signs.unnoted and signs.idle else kinds.NOT_TAKEN_UP


def _failed_in_recovery(facts: Facts) -> bool:
    """Return whether an error came in a recovery that returned all the same."""
    return facts.last.recovering and not _is_crash(facts.last) and facts.own[-1].kind == "returned"


def _is_crash(injection: Injection) -> bool:
    return injection.fault in ("process.kill", "process.pid_reused")
