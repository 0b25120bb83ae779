"""A finding as a person reads it: what is wrong, what happened, which line did it, what is outside, what to paste."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import dedent
from typing import Any, cast

from rollproof.values.exploration import counted
from rollproof.values.report import ReportedCause, ReportedPlace, ReportedStep, ReportedViolation
from rollproof.values.story import WRONG_FATES
from rollproof.values.titles import broken, title_of

from .folding import Series, ranges, series
from .layout import UNDER, Line, columns, columns_of, labelled, styled, under, under_label, whole, wrapped

_SHOWN_DIFFERENCES = 8
_SHOWN_STEPS = 12
_SHOWN_PLACES = 3
_EARLY = "before the fault"
_PROMISES = "promises"
"""The phase whose steps are told as what is wrong."""
_QUESTIONS = frozenset({"recover again", "retry"})
"""Processes that ask whether a recovery may come twice, and whether a task that was rolled back may be tried again."""
_CHARACTERS = 140
"""Shown of a statement of the agent."""
_OF_A_VALUE = 40
_DIGITS = re.compile(r"\d+")
_SIZE = re.compile(r"\d+ (bytes?|rows?)")
_COMPARED = re.compile(r" \(compared with [^()]+\)$")
"""Says what a difference is to; where states are shown there is none."""
_MORE = re.compile(r"… and (\d+) more")
"""Ends a long list of which a report has only the beginning."""
_SEVERITIES = {"blocker": "bold red", "critical": "bold red", "normal": "yellow"}
_Numbered = tuple[int, ReportedStep]
_States = Mapping[str, Mapping[str, Any]]
_STATES = {"before": "before", "fault": "at the fault", "end": "at the end", "right": "right is"}


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
    lines += labelled("wrong", _wrong(found), width)
    lines += _outside(found, width)
    lines += labelled("kind", [found["kind"]], width)
    cure = found["cure"]
    lines += labelled("tried", [": ".join(filter(None, (cure["tried"], cure["outcome"])))], width, "green")
    if number := found["also"]["number"]:
        lines += labelled("also", [_also(number), *(found["also"]["schedules"] if full else ())], width)
    return [*lines, whole("replay", found["replay"], "cyan")]


def _wrong(found: ReportedViolation) -> list[str]:
    """Return for each broken promise its name, and below it what it says; what nobody says is the last one's."""
    if not found["invariants"]:  # an earlier commit's result may not have them
        return [found["message"]] if found["message"] else []
    told: dict[str, list[str]] = {name: [] for name in found["invariants"]}
    if not told:
        return []
    last, *_ = told
    for line in found["message"].splitlines():
        begun = next((name for name in told if line.startswith(f"{name}: ")), None)
        last = begun or last
        text = line.removeprefix(f"{begun}: ") if begun else line
        told[last].append(_COMPARED.sub("", text) if any(found["states"].values()) else text)
    return ["\n".join([broken([name]), *lines]) for name, lines in told.items()]


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
    room = width - columns_of(title[-1]) - len(told)
    if room < 2:
        return [*lines, ((" " * max(0, width - len(told)), ""), *parts)]
    return [*lines[:-1], (*lines[-1], (" " * room, ""), *parts)]


# the story


def story_lines(story: Sequence[ReportedStep], width: int, *, full: bool) -> list[Line]:
    """Return the steps in their order, where not `full` from the fault on, with what matters of those before it."""
    steps = [(number, step) for number, step in enumerate(story, 1) if step["phase"] != _PROMISES]
    told = steps if full else _at_first_sight(story, steps)
    parts = list(series([_alike(step) for _, step in told]))
    shown = parts if full else [part for part in parts if _numbers_before(parts, part) < _SHOWN_STEPS]
    early = 0 if full else sum(step["phase"] == _EARLY and not _matters(step) for _, step in steps)
    hidden = len(steps) - early - sum(part.length * part.times for part in shown)
    lines = styled([f"… {counted(early, 'step')} before the fault"]) if early else []
    life, phase = max((len(told[part.start][1]["life"]) for part in shown), default=0), ""
    for part in shown:
        for number, step in told[part.start : part.start + part.length]:
            if full and step["phase"] != phase:
                phase = step["phase"]
                lines += styled([f"{phase}:"], "bold")
            lines += _step(number, step, life, width - UNDER, full=full)
        lines += styled(_further(part, life))
    lines += styled([f"… {counted(hidden, 'more step')} (a replay with -v tells all)"]) if hidden else []
    return under_label("story", lines)


def _numbers_before(parts: Sequence[Series], part: Series) -> int:
    """Return how many steps have a line of their own before a part."""
    return sum(one.length for one in parts if one.start < part.start)


def _at_first_sight(story: Sequence[ReportedStep], steps: Sequence[_Numbered]) -> list[_Numbered]:
    """Return the steps that matter, without those of a retry or the like that does not show what is broken."""
    shows = {step["life"] for step in story if step["phase"] == _PROMISES}
    beside = _QUESTIONS - shows if shows else frozenset()
    return [(number, step) for number, step in steps if _matters(step) and step["life"] not in beside]


def _alike(step: ReportedStep) -> tuple[object, ...]:
    """Return the parts of a step that are equal in all turns of a loop: no time, size, number of point or target."""
    size = _SIZE.fullmatch(step["outcome"])
    went = size[1] if size else step["outcome"]
    place = step["file"], step["line"], tuple(step["within"])
    return step["phase"], step["life"], _DIGITS.sub("0", step["point"]), went, step["fate"], place


def _further(part: Series, life: int) -> list[str]:
    like = "like this" if part.length == 1 else f"like these {part.length}"
    return [f"     {'':<{life}}  … {part.times - 1} more {like}"] if part.times > 1 else []


def _matters(step: ReportedStep) -> bool:
    """Return whether a step is told at first sight: what came of the fault, and what was forgotten, repeated, torn."""
    if step["phase"] == _EARLY:
        return step["fate"] not in ("", "kept")
    return True


def _step(number: int, step: ReportedStep, life: int, width: int, *, full: bool) -> list[Line]:
    fault, fate = step["phase"] == "fault", "" if step["fate"] in ("", "kept") else f"({step['fate']})"
    within = f"in {' > '.join(step['within'])}" if step["within"] else ""
    place = f"{step['file']}:{step['line']}" if step["line"] else step["file"]
    told = [step["point"], step["outcome"], fate, within, place, f"{step['at_s']:.3f} s" if full else ""]
    head = f"{'>' if fault else ' '} {number:>2} {step['life']:<{life}}  "
    failed = fault or step["outcome"].startswith(("killed", "raise"))
    lines = wrapped("  ".join(filter(None, told)), width, head)
    if full and step["detail"]:
        lines += wrapped(step["detail"], width, " " * len(head) + "  ")
    return styled(lines, "red" if failed else "yellow" if fate else "")


def _phases(found: ReportedViolation, width: int, *, full: bool) -> list[Line]:
    """Return the phases of the story in sentences, for a result without steps."""
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
        wrong = place is places[0] or any(one["fate"] in WRONG_FATES for one in place["effects"])
        label = "to blame" if wrong else "besides"  # as they made something durable
        lines += labelled(label, [f"{place['file']}:{place['line']}{within}{called}"], width)
        lines += under(_source(place, width - UNDER)) if place is places[0] else []
        lines += under(styled(wrapped(_effects(place), width - UNDER)))
    return lines


def _effects(place: ReportedPlace) -> str:
    """Return which steps a line makes, and what became of them: ``it makes step 1 (undone), steps 2 to 62 (kept)``."""
    fates: dict[str, list[int]] = {}
    for one in place["effects"]:
        fates.setdefault(one["fate"] or "made", []).append(one["step"] + 1)
    told = (f"step{'s' if len(steps) > 1 else ''} {ranges(steps)} ({fate})" for fate, steps in fates.items())
    return f"it makes {', '.join(told)}" if fates else ""


def _source(place: ReportedPlace, width: int) -> Iterator[Line]:
    code_lines = list(place["source"])
    while code_lines and not (code_lines[-1]["text"].strip() or code_lines[-1]["marked"]):
        code_lines.pop()
    texts = dedent("\n".join(line["text"].rstrip() or "#" for line in code_lines)).splitlines()
    wide = max((len(str(line["number"])) for line in code_lines), default=0)
    for line, text in zip(code_lines, texts, strict=True):
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
    wrong = [
        row for row, markup in zip(rows, markups, strict=True) if markup
    ] or rows  # or right each, and not together
    lines = [line for row in wrong for line in _stacked(row, width, "red" if len(wrong) < len(rows) else "")]
    right = [name for name, *_ in rows if name not in {name for name, *_ in wrong}]
    return lines + labelled("", [f"and as it may be: {', '.join(right)}"] if right else [], width)


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
    """Return the value under a name, and the right one: in short if that shows what is wrong, else at length."""
    for told in (_short, _long):
        *known, end = (told(states[when].get(name)) for when in ("before", "fault", "end"))
        right = states["right"].get(name)
        may_be = list(dict.fromkeys(map(told, right if isinstance(right, list) else [right])))
        if _is_right(states, name) or end not in may_be:
            break
    return [*known, end, " or ".join(may_be)]


def _short(value: object) -> str:
    """Return the length of a list, or the first line of a text."""
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
    if len(text) <= most and columns_of(text) <= most:
        return text
    text = text[: most - 1]
    while columns_of(text) >= most:
        text = text[:-1]
    return f"{text.rsplit(' ', 1)[0]} …"


def short_lines(found: ReportedViolation, width: int) -> list[str]:
    """Return a finding in two lines: what is wrong, and what to paste."""
    return [*wrapped(f"  {title_of(found)}", width, further="    "), f"    {found['replay']}"]
