"""A finding in words of the outside: its title, and sentences that say what is there, what was done, which line did it.

Everything here is a function of `Facts`; a fault's and a medium's own words come with them.
"""

import posixpath
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..values.faults import ordinal
from ..values.media import medium_of
from ..values.points import canonical
from ..values.story import beginning
from . import things
from .facts import ENDLESS, End, Facts
from .signs import LOCK
from .things import path

MOST = 72
"""Characters of a title."""
OUR_PROMISES = (
    *("all_or_nothing", "no_leftovers", "recovery_succeeds", "recovery_idempotent", "clean_retry"),
    *("honest_outcome", "terminates", "credential_hygiene"),
)
_ASKED = {"recover again": "recovering once more", "retry": "a new try"}
_OTHERS = 3
_ABSOLUTE = re.compile(r"(?<![\w:/.])/[^\s'\"]*/([^/\s'\"]+/[^/\s'\"]+)")


def title(facts: Facts) -> str:
    """Return what is wrong, in a few words: ``Mail to 'all' goes out twice``."""
    text = " ".join(_title(facts).split())
    return _began(text if len(text) <= MOST else text[: MOST - 1].rstrip() + "…")


def sentence(facts: Facts) -> str:
    """Return what is outside now and what the agent says; then what was done to it, and which line did what."""
    outside = ", and ".join(filter(None, (_outside(facts), _says(facts))))
    done = "; ".join(filter(None, (_what_was_done(facts), _line_did(facts))))
    return " ".join(f"{_began(part)}{'' if part.endswith('…') else '.'}" for part in (outside, done) if part)


def _title(facts: Facts) -> str:
    cause, change = facts.cause, facts.change
    if cause.way == "by order":
        return f"The order of two effects decides: {_name(facts)}".removesuffix(": ")
    if cause.unchecked:
        return f"The model's answer is not checked: {', '.join(cause.unchecked)}"
    if cause.exception:
        return f"{_process(facts)} {_fails(cause.exception)}"
    if cause.way == "not ended":
        return _never_ends(facts)
    if cause.promise == "credential_hygiene":
        key = "A refused key is sent again and again"
        return key if cause.way == "twice" or change is None else f"A secret stands in the clear in {_name(facts)}"
    if cause.promise not in OUR_PROMISES or change is None:
        return _message(facts)
    if cause.promise == "no_leftovers":
        return f"{_leftover(facts)} stays behind: {_name(facts)}"
    if cause.promise == "recovery_idempotent":
        return f"Recovering once more changes {_subject(facts)}"
    if cause.promise == "clean_retry":
        return f"{_state(facts)} after a rollback and a new try"
    return f"{_claim(facts)}, and {_state(facts)}" if cause.promise == "honest_outcome" else _state(facts)


def _state(facts: Facts) -> str:
    """Return a thing and its state: ``order 'panel' is missing``."""
    if _is_in_part(facts):
        return f"only {things.some_of(_changed(facts), facts.part)} there"
    return f"{_subject(facts)} {_how(facts)}"


def _is_in_part(facts: Facts) -> bool:
    """Return whether a recovery left a part of what a run makes: to go on or to undo would have been right."""
    recovered = len(facts.own) > 1 and facts.own[-1].kind == "returned" and not facts.run_again
    return recovered and facts.asked_about is None and facts.part[0] > 0 and facts.cause.way == "missing"


def _changed(facts: Facts) -> str:
    return facts.change.name if facts.change is not None else ""


def _subject(facts: Facts) -> str:
    change = facts.change
    if change is not None and facts.thing in ("resource", "row") and (facts.row or change.sign != "~"):
        return things.one_of(change.name, facts.row)
    return _name(facts)


def _name(facts: Facts, most: int = 44) -> str:
    """Return the name of what differs; its random parts are as in the effect, where that is of this very name."""
    name, made = facts.change.name if facts.change is not None else "", facts.cause.effect.partition(":")[2]
    return path(made if "*" in made and fnmatchcase(name, made) else name, most)


def _how(facts: Facts) -> str:
    change = facts.change
    assert change is not None
    if facts.cause.way == "twice":
        return things.comes(change.name, facts.copies)
    if change.sign == "-":
        return "is missing"
    if change.sign == "+":
        return _is_too_much(facts)
    if change.detail.startswith(("empty ", "first ")):
        return "stays empty" if change.detail.startswith("empty ") else "stays half written"
    if change.detail.startswith("mode "):
        return "has the wrong permissions"
    if facts.row:
        return f"is wrong: {_values(facts)}"
    if facts.side == "before":
        return "is new, and the rest is old" if facts.half_done else "is not put back"
    return "is still the old one" if facts.half_done and facts.thing == "file" else "has the wrong content"


def _values(facts: Facts) -> str:
    """Return which values of a row differ: ``pieces: 13 instead of 10``."""
    detail = canonical(facts.change.detail) if facts.change is not None else ""
    return detail.partition(": ")[2] if facts.row else detail


def _is_too_much(facts: Facts) -> str:
    assert facts.change is not None
    if facts.thing == "resource" and LOCK.search(things.singular(facts.change.name)):
        return "stays behind"
    if facts.side != "before":
        return "should not be there"
    if "honest_outcome" in facts.broken or (facts.half_done and _last(facts).kind == "returned"):
        return "is there, and the rest is missing"
    return "is not taken back" if facts.thing in ("resource", "row") else "is left over"


def _never_ends(facts: Facts) -> str:
    effect, _, target = facts.cause.effect.partition(":")
    kind, _, verb = effect.partition(".")
    repeated = f": it repeats {medium_of(kind).says_call(verb, target)}" if target else ""
    role = next((end.role for end in facts.ends if end.kind in ENDLESS), "run")
    return f"{'The run' if role == 'run' else 'The recovery'} never ends{repeated}"


def _claim(facts: Facts) -> str:
    """Return what the run says of itself: ``run() says 'filed'``."""
    told = things.said(_last(facts).said, 20)
    return f"run() says {told}" if told else "run() says that it is done"


def _leftover(facts: Facts) -> str:
    assert facts.change is not None
    if facts.thing == "lease":
        return "A lease"
    if is_lock(facts):
        return "A lock"
    return "A temporary folder" if facts.thing == "dir" else "A temporary file"


def is_lock(facts: Facts) -> bool:
    """Return whether what differs is a lock, by its name."""
    return facts.change is not None and bool(LOCK.search(posixpath.basename(facts.change.name)))


def _message(facts: Facts) -> str:
    """Return the message of a user's own invariant, without the random names in it."""
    promise = facts.cause.promise
    message = canonical(facts.messages.get(promise, "")).partition("\n")[0].replace(" *:", " ")
    known = message and message != f"{promise} does not hold"
    return message if known else f"It does not hold that {promise.replace('_', ' ')}"


def _process(facts: Facts) -> str:
    """Return which process an exception ended."""
    processes = {"clean_retry": "A new try after a rollback", "recovery_idempotent": "Recovering once more"}
    return processes.get(facts.cause.promise, "Recovery")


def _fails(exception: str) -> str:
    name, _, place = exception.partition(" at ")
    function = place.rpartition(" in ")[2].rpartition(".")[2]
    where = f" in {function}()" if function.isidentifier() else ""
    return "dies" if name == "the process died" else f"fails with {name}{where}"


def _outside(facts: Facts) -> str:
    """Return the state of the outside in words: ``a second mail is at api.mail.test``."""
    change = facts.change
    if facts.cause.promise not in OUR_PROMISES or (facts.cause.way == "twice" and change is None):
        return _message(facts)
    if change is None:
        return ""
    if facts.cause.way == "by order":
        values = f" ({canonical(change.detail)})" if change.sign == "~" else ""
        return f"{_name(facts, 60)} ends otherwise when two effects change places{values}"
    there = _row_is(facts) if facts.thing in ("resource", "row") else _file_is(facts)
    if not facts.half_done or facts.asked_about is not None:
        return there
    others = [name for name in facts.changed if name != change.name]
    if others:
        return f"{there}, while {_listed(others)} as after a complete run"
    others = [name for name in facts.undone if name != change.name]
    return f"{there}, while {_listed(others)} as before" if others else there


def _listed(names: Iterable[str]) -> str:
    """Return names with the verb that follows them: ``a.md and b.md are``."""
    *first, last = list(map(path, names))[:_OTHERS]
    return f"{', '.join(first)} and {last} are" if first else f"{last} is"


def _file_is(facts: Facts) -> str:
    change, name = facts.change, _name(facts, 60)
    assert change is not None
    if facts.thing == "lease":
        return f"a row of a process that is gone is in {name}"
    if facts.cause.promise == "credential_hygiene":
        return f"{name} has {change.detail}"
    if change.sign != "~":
        return f"{name} is still there" if change.sign == "+" else f"{name} is not there"
    if change.detail.startswith("first "):
        return f"{name} has only the {change.detail}"
    if change.detail.startswith("empty "):
        return f"{name} is empty"
    return f"{name} is not as {'before' if facts.side == 'before' else 'it should be'} ({canonical(change.detail)})"


def _row_is(facts: Facts) -> str:
    change = facts.change
    assert change is not None
    where = f"at {change.name.partition('/')[0]}" if facts.thing == "resource" else f"in {path(change.name)}"
    if change.sign == "~":
        one = things.one_of(change.name, facts.row) if facts.row else path(change.name)
        return f"{one} {where if facts.row else ''} is not as it should be ({_values(facts)})".replace("  ", " ")
    if facts.cause.way == "twice":
        return f"a {ordinal(facts.copies)} {things.singular(change.name)} is {where}"
    if _is_in_part(facts):
        return f"{things.some_of(change.name, facts.part)} {where}"
    one = things.one_of(change.name, facts.row)
    if change.sign == "-":
        return f"{one} is not {where}" if " " in one else f"no {one} is {where}"
    still = "still " if facts.side == "before" and facts.own[0].kind != "returned" else ""
    return f"{one if ' ' in one else f'a {one}'} is {still}{where}"


def _last(facts: Facts) -> End:
    """Return the end of the process that says the last word on a cause."""
    endless = next((end for end in facts.ends if end.kind in ENDLESS), None) if _is_endless(facts) else None
    return endless or facts.asked_about or facts.own[-1]


def _is_endless(facts: Facts) -> bool:
    return facts.cause.way == "not ended"


def _says(facts: Facts) -> str:
    """Return what the agent says: ``run() says 'published'``, ``the recovery raised KeyError``."""
    end = _last(facts)
    who = _who(end, facts)
    if end.kind == "returned":
        value = things.said(end.said, 48)
        done = "says that it is done" if end.said and facts.claims_it_is_done else "returns without an error"
        return f"{who} says {value}" if value else f"{who} {done}"
    if end.kind == "raised":
        return f"{who} raised {_error(end.error)}"
    if end.kind == "killed":
        return f"{who} was killed"
    return f"{who} does not come to an end"


def _error(text: str) -> str:
    """Return an error in one short line, absolute paths by their last parts."""
    return beginning(_ABSOLUTE.sub(r"…/\1", canonical(text)), 80).rstrip(". ")


def _who(end: End, facts: Facts) -> str:
    if end.role in _ASKED:
        return _ASKED[end.role]
    if end.goes_on:
        return "run(), called again in the same process," if facts.run_again else "the recovery in the same process"
    if end.role == "run":
        return "run()"
    return "run(), started again," if facts.run_again else "the recovery"


def _what_was_done(facts: Facts) -> str:
    """Return the faults in words, one after the other, and the recovery that met one."""
    told = "no fault was needed: " if facts.cause.way == "by order" else ""
    for number, (injection, clause) in enumerate(zip(facts.schedule.injections, facts.clauses, strict=True)):
        then = ", then, in the recovery, " if injection.recovering else ", then "
        told += (then if number else "") + clause
    return told


def _line_did(facts: Facts) -> str:
    """Return what the line behind it did: ``myagent.py:29 sent it again without a key``; "" where none is known."""
    cause = facts.cause
    if not cause.file or not (cause.effect or cause.exception):
        return ""
    line = f"{posixpath.basename(cause.file)}:{cause.line}"
    if cause.way == "by order":
        return f"{line} wrote it"
    if cause.unchecked:
        return f"{line} took the answer as it was"
    if cause.exception:
        return _raised_at(facts)
    if cause.way == "not ended":
        return f"{line} tries again without end"
    if cause.way == "twice":
        return f"{line} {_again(facts)}"
    if cause.promise == "credential_hygiene":
        return f"{line} wrote it down"
    return f"{line} {_made(facts)}"


def _raised_at(facts: Facts) -> str:
    name, _, place = facts.cause.exception.partition(" at ")
    place = posixpath.basename(place.partition(" in ")[0])
    begun, _, where = facts.cause.killed.partition(", ")
    line = posixpath.basename(where.partition(" in ")[0])
    left = f", on what {line} had left of {begun.partition(':')[2]}" if begun and line else ""
    return f"{place or 'the agent'} {'died' if name == 'the process died' else f'raised {name}'}{left}"


def _again(facts: Facts) -> str:
    medium = medium_of(facts.cause.effect.partition(".")[0])
    verb = "sent" if medium.changes == "services" else "wrote"
    roles, keys = [role for role, _ in facts.sent], [key for _, key in facts.sent]
    role = roles[-1] if roles else _last(facts).role if facts.change is not None else "run"
    where = {"run": "", "retry": " in the new try"}.get(role, " in the recovery")
    if len(keys) < 2:
        return f"{verb} it again{where}"
    if not any(keys):
        return f"{verb} it again{where} without a key"
    return f"{verb} it again{where} with {'the same' if len(set(keys)) == 1 else 'another'} key"


def _made(facts: Facts) -> str:
    change, end, keys = facts.change, _last(facts), [key for _, key in facts.sent]
    if change is None:
        return "is the last that was done"
    if _is_in_part(facts):
        return "makes them, and the recovery neither made the rest nor took those back"
    if change.sign == "-":
        if end.role == "retry" and len(keys) > 1 and len(set(keys)) == 1 and keys[0]:
            return "sent it again in the new try with the same key"
        if end.role == "run" and end.kind == "returned":
            is_lost = facts.last.fault == "webhook.lost"
            return f"{'was not asked for it' if is_lost else 'failed'}, and run() went on"
        who = {"run": "nobody", "retry": "the new try"}.get(end.role, "the recovery")
        return f"makes it, and {who} did not" if who != "nobody" else "makes it, and nobody did"
    if change.sign == "+":
        return f"made it, and {'nobody took it back' if end.role == 'run' else 'the recovery left it'}"
    return "writes it in place" if facts.cause.way == "torn" else "wrote it"


def _began(text: str) -> str:
    """Return a text with a capital letter, but for a path, a name with a dot, and a call."""
    first = text.partition(" ")[0].rstrip(".,:;")
    return text if re.search(r"[/.:*_(]", first) else text[:1].upper() + text[1:]
