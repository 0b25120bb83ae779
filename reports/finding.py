"""A finding as a person reads it: what is wrong, what happened, which line did it, what is outside, what to paste."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import dedent
from typing import Any, cast

from rollproof.values.exploration import counted
from rollproof.values.report import ReportedCause, ReportedPlace, ReportedStep, ReportedViolation

from .layout import UNDER, Line, columns, labelled, styled, under, under_label, whole, wrapped

_SHOWN_DIFFERENCES = 8
_SHOWN_STEPS = 12
_SHOWN_PLACES = 3
_EARLY = "before the fault"
_CHARACTERS = 140
"""Shown of a statement of the agent."""
_OF_A_VALUE = 40
_MORE = re.compile(r"… and (\d+) more")
"""Ends a long list of which a report has only the beginning."""
_WAYS = {
    "untrue": "said to be done, and is not",
    "by order": "no fault is needed: two orders of one run end differently",
}
_SEVERITIES = {"blocker": "bold red", "critical": "bold red", "normal": "yellow"}
_States = Mapping[str, Mapping[str, Any]]
_STATES = {"before": "before", "fault": "at the fault", "end": "at the end", "right": "right is"}


def title_of(found: ReportedViolation) -> str:
    """Return what is wrong, in one line."""
    return found["title"].strip() or (_summary(found["cause"]) if found["cause"] is not None else _broken(found))


def finding_lines(found: ReportedViolation, width: int, label: str = "", *, full: bool = False) -> list[Line]:
    """Return the block of a finding; what the result does not know of it is left out.

    Args:
        width: of the lines; a token and the command to paste may be longer.
        label: tells its exploration apart within the test.
        full: whether the whole story is told, with times.
    """
    lines = _head(found, width, label)
    lines += styled(wrapped(found["sentence"], width))
    lines += labelled("known", [found["reason"]] if found["known"] else [], width, "cyan")
    lines += story_lines(found["story"], width, full=full) or _phases(found, width, full=full)
    lines += _blame(found["blame"], width) or _cause(found["cause"], width)
    lines += labelled("wrong", [_broken(found), *_messages(found)], width)
    lines += _outside(found, width)
    lines += labelled("kind", [found["kind"]], width)
    cure = found["cure"]
    lines += labelled("tried", [": ".join(filter(None, (cure["tried"], cure["outcome"])))], width, "green")
    if number := found["also"]["number"]:
        lines += labelled("also", [_also(number), *(found["also"]["schedules"] if full else ())], width)
    return [*lines, whole("replay", found["replay"], "cyan")]


def _broken(found: ReportedViolation) -> str:
    return f"{', '.join(found['invariants'])} broken"


def _messages(found: ReportedViolation) -> list[str]:
    """Return what each promise says; a line that begins with none, such as the second of an error, stays under it."""
    texts: list[str] = []
    for line in found["message"].splitlines():
        if texts and not line.startswith(tuple(f"{name}: " for name in found["invariants"])):
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def _also(number: int) -> str:
    return f"{counted(number, 'more schedule')} end{'s' if number == 1 else ''} so"


def _head(found: ReportedViolation, width: int, label: str) -> list[Line]:
    """Return the title, with what it is to a reader of many at the right: new or known, and how bad."""
    title = wrapped(f"{f'[{label}] ' if label else ''}{title_of(found)}", width)
    tags = [("KNOWN", "cyan")] if found["known"] else [("NEW", "bold yellow")] if found["new"] else []
    tags += [(found["severity"], _SEVERITIES.get(found["severity"], ""))] if found["severity"] else []
    told = "  ".join(text for text, _ in tags)
    lines = styled(title, "bold")
    if not tags:
        return lines
    parts = [part for tag in tags for part in (("  ", ""), tag)][1:]
    room = width - len(title[-1]) - len(told)
    if room < 2:
        return [*lines, ((" " * max(0, width - len(told)), ""), *parts)]
    return [*lines[:-1], (*lines[-1], (" " * room, ""), *parts)]


# the story


def story_lines(story: Sequence[ReportedStep], width: int, *, full: bool) -> list[Line]:
    """Return the steps in their order, where not `full` from the fault on, with what matters of those before it."""
    told = [(n, step) for n, step in enumerate(story, 1) if full or _matters(step)]
    shown, hidden = (told, 0) if full else (told[:_SHOWN_STEPS], len(told) - _SHOWN_STEPS)
    early = 0 if full else sum(step["phase"] == _EARLY and not _matters(step) for step in story)
    lines = styled([f"… {counted(early, 'step')} before the fault"]) if early else []
    life, phase = max((len(step["life"]) for _, step in shown), default=0), ""
    for number, step in shown:
        if full and step["phase"] != phase:
            phase = step["phase"]
            lines += styled([f"{phase}:"], "bold")
        lines += _step(number, step, life, width - UNDER, full=full)
    lines += styled([f"… {counted(hidden, 'more step')} (a replay with -v tells all)"]) if hidden > 0 else []
    return under_label("story", lines)


def _matters(step: ReportedStep) -> bool:
    """Return whether a step is told at first sight: what came of the fault, and what was forgotten, repeated, torn."""
    if step["phase"] == _EARLY:
        return step["fate"] not in ("", "kept")
    return bool(step["phase"] != "promises")


def _step(number: int, step: ReportedStep, life: int, width: int, *, full: bool) -> list[Line]:
    fault, fate = step["phase"] == "fault", "" if step["fate"] in ("", "kept") else f"({step['fate']})"
    within = f"in {' > '.join(step['within'])}" if step["within"] else ""
    place = f"{step['file']}:{step['line']}" if step["line"] else step["file"]
    told = [step["point"], step["outcome"], fate, within, place, f"{step['at_s']:.3f} s" if full else ""]
    head = f"{'>' if fault else ' '} {number:>2} {step['life']:<{life}}  "
    failed = fault or step["outcome"].startswith(("killed", "raise"))
    return styled(wrapped("  ".join(filter(None, told)), width, head), "red" if failed else "yellow" if fate else "")


def _phases(found: ReportedViolation, width: int, *, full: bool) -> list[Line]:
    """Return what was done and what came then, where there are no steps."""
    lives = [(heading, told) for heading, told in found["phases"] if heading not in ("fault", "invariants")]
    lines = labelled("done", [line for heading, told in found["phases"] if heading == "fault" for line in told], width)
    if full:
        return lines + [line for life, told in lives for line in _life(life, told, width)]
    return lines + labelled("then", [f"{life} {told[-1]}" for life, told in lives if told], width)


def _life(life: str, told: Sequence[str], width: int) -> list[Line]:
    return labelled("then", [f"{life}:\n" + "\n".join(f"  {line}" for line in told)], width)


# the lines of the agent


def _blame(places: Sequence[ReportedPlace], width: int) -> list[Line]:
    lines: list[Line] = []
    for place in places[:_SHOWN_PLACES]:
        called = "".join(f", called from {caller}" for caller in place["callers"])
        within = f" in {place['function']}" if place["function"] else ""
        lines += labelled("to blame", [f"{place['file']}:{place['line']}{within}{called}"], width)
        lines += under(_source(place, width - UNDER)) if place is places[0] else []
        effects = ", ".join(f"step {one['step'] + 1} ({one['fate'] or 'made'})" for one in place["effects"])
        lines += under(styled(wrapped(f"it makes {effects}" if effects else "", width - UNDER)))
    return lines


def _source(place: ReportedPlace, width: int) -> Iterator[Line]:
    texts = dedent("\n".join(line["text"].rstrip() or "#" for line in place["source"])).splitlines()
    wide = max((len(str(line["number"])) for line in place["source"]), default=0)
    for line, text in zip(place["source"], texts, strict=True):
        code = text if line["text"].strip() else ""
        head = f"{'>' if line['marked'] else ' '} {line['number']:>{wide}}  "
        head += " " * (len(code) - len(code.lstrip()))  # a word that is too wide would lose it
        further = " " * (len(head) + 4)
        yield from styled(
            wrapped(code.lstrip(), width, head, further) or [head.rstrip()], "bold red" if line["marked"] else ""
        )


def _cause(cause: ReportedCause | None, width: int) -> list[Line]:
    """Return the place of the cause, where there are no lines of the agent."""
    if cause is None:
        return []
    called = "".join(f", called from {caller}" for caller in cause["callers"])
    where = f"{cause['file']}:{cause['line']} in {cause['function']}{called}" if cause["line"] else ""
    if not cause["exception"]:
        return labelled("at", [f"{where}\n{_shortened(cause['statement'])}"] if where else [], width)
    _, _, place = cause["exception"].partition(" at ")
    lines = labelled("at", [f"{place}\n{_shortened(cause['raising'])}"] if place else [], width)
    lines += labelled("killed", [f"always at {cause['killed']}"] if cause["killed"] else [], width)
    left = f"{cause['way']}: {cause['effect']}, {where}"
    return lines + labelled("leaves", [left] if cause["effect"] else [], width)


def _summary(cause: ReportedCause) -> str:
    """Return a cause in one line: ``twice: http.post:api.mail.test/mails, myagent.py:29``."""
    if cause["exception"]:
        kind, _, _ = cause["exception"].partition(" at ")
        return f"recovery{' in the same process' if cause['goes_on'] else ''} raises {kind}"
    if not cause["effect"] and cause["way"] != "not ended":  # only the check of the promise knows more
        return f"{cause['promise']} does not hold"
    where = f", {cause['file']}:{cause['line']}" if cause["line"] and cause["effect"] else ""
    return ": ".join(filter(None, (_WAYS.get(cause["way"], cause["way"]), cause["effect"]))) + where


def _shortened(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 1] + "…"


# the outside


def _outside(found: ReportedViolation, width: int) -> list[Line]:
    states = cast(_States, found["states"])
    names = list(dict.fromkeys(name for when in _STATES for name in states[when]))
    if not names:
        lines = labelled("outside", found["diff"][:_SHOWN_DIFFERENCES], width)
        hidden = len(found["diff"]) - _SHOWN_DIFFERENCES
        return lines + (labelled("", [f"… {counted(hidden, 'more difference')}"], width) if hidden > 0 else [])
    rows = [[name, *_values(states, name)] for name in names]
    markups = ["" if _is_right(states, name) else "red" for name in names]
    table = columns([["", *_STATES.values()], *rows], width - UNDER)
    if table is not None:
        head, *others = table
        marked: list[Line] = [((text, markup),) for text, markup in zip(others, markups, strict=True)]
        return under_label("outside", [*styled([head], "bold"), *marked])
    return [line for row, markup in zip(rows, markups, strict=True) for line in _stacked(row, width, markup)]


def _stacked(row: Sequence[str], width: int, markup: str) -> list[Line]:
    """Return the states of one name below each other, where a table would be too wide."""
    name, *values = row
    lines = labelled("outside", [name], width, markup)
    for when, value in zip(_STATES.values(), values, strict=True):
        lines += under(styled(wrapped(value, width - UNDER, f"  {when:<12}  ")))
    return lines


def _is_right(states: _States, name: str) -> bool:
    right = states["right"].get(name)
    return any(states["end"].get(name) == one for one in (right, *(right if isinstance(right, list) else ())))


def _values(states: _States, name: str) -> list[str]:
    """Return what is there under a name, and what is right: in short where that shows what is wrong, else at length."""
    for told in (_short, _long):
        *known, end = (told(states[when].get(name)) for when in ("before", "fault", "end"))
        right = states["right"].get(name)
        may_be = list(dict.fromkeys(map(told, right if isinstance(right, list) else [right])))
        if _is_right(states, name) or end not in may_be:
            break
    return [*known, end, " or ".join(may_be)]


def _short(value: object) -> str:
    """Return how many there are in a list, the first line of a text."""
    if isinstance(value, list):
        more = _MORE.fullmatch(str(value[-1])) if value else None
        return str(len(value) - 1 + int(more[1]) if more else len(value))
    first, *further = value.splitlines() or [""] if isinstance(value, str) else [_long(value)]
    return _begin(f"{first} …" if further else first or '""')


def _long(value: object) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _begin(" ".join(text.split()), 4 * _OF_A_VALUE) or '""'


def _begin(text: str, most: int = _OF_A_VALUE) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rsplit(' ', 1)[0]} …"


def short_lines(found: ReportedViolation, width: int) -> list[str]:
    """Return a finding in two lines: what is wrong, and what to paste."""
    return [*wrapped(f"  {title_of(found)}", width, further="    "), f"    {found['replay']}"]
