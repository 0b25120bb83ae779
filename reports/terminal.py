"""Lines for a tired engineer: for each violation those to look at and paste, for each exploration its proof."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import getdoc

import pytest
from rollproof.values import green
from rollproof.values.exploration import Exploration, counted
from rollproof.values.families import errors_in, family_of, left_out_in
from rollproof.values.faults import Fault
from rollproof.values.history import Invariant
from rollproof.values.replaying import ReplayCommand
from rollproof.values.report import ReportedCell, ReportedExploration, reported
from rollproof.values.sources import ServiceMaker
from rollproof.values.titles import title_of

from . import proof, runs, struck
from .finding import finding_lines, short_lines, story_lines
from .layout import WIDTH, Line, columns, plain, styled, wrapped

_SHOWN_FINDINGS = 5
_TRIED = re.compile(r"(\d+) of (\d+) tried")
_DRIFTED = "its fault never fired: the agent did not come to that point, or not in that order"
_COUNTED_TWICE = "(a crash in a recovery is counted with each fault that leads there)"
_VERDICTS = ("holds", "violated", "unknown")


class Failed(pytest.fail.Exception):  # type: ignore[name-defined, misc]  # it is an attribute of a function of pytest
    """A test failed because of what an exploration found: the one that has this `label` within the test."""

    __module__ = "builtins"  # whoever prints its name prints that of pytest's own

    def __init__(self, text: str, label: str) -> None:
        super().__init__(text, pytrace=False)
        self.label = label


def fail_where_needed(result: Exploration, replay: ReplayCommand) -> None:
    """Fail the test where something is broken, or could not be judged."""
    __tracebackhide__ = True
    if result.violations or result.drifted or result.errors or result.flaky:
        found = reported(result, replay)
        raise Failed(plain(failure_lines(found, WIDTH)), found["label"])


def failure_lines(found: ReportedExploration, width: int, *, full: bool = False) -> list[Line]:
    """Return why a test fails: every distinct violation, smallest schedule first, then what could not be judged.

    Args:
        width: of the lines.
        full: whether the whole story of each is told.
    """
    label, violations = found["label"], found["violations"]
    blocks = [finding_lines(one, width, label, full=full) for one in violations[:_SHOWN_FINDINGS]]
    hidden = len(violations) - _SHOWN_FINDINGS
    texts = [f"… and {counted(hidden, 'more violation')} (--chaos-json=FILE has all)"] if hidden > 0 else []
    blocks += [styled(wrapped(text, width, further="  ")) for text in (*texts, *_unjudged(found))]
    left_out = [line for text in _left_out(found) for line in styled(wrapped(text, width, further="  "))]
    blocks += [left_out] if left_out else []
    return [line for block in blocks for line in ((("", ""),), *block)][1:]


def _unjudged(found: ReportedExploration) -> list[str]:
    return [
        *_with_one_hint(
            [f"drifted, so nothing was proved there: {token}\n{_DRIFTED}" for token in found["not_reached"]]
        ),
        *(f"did not repeat (the run is not deterministic): {line}" for line in found["flaky"]),
        *(f"could not be judged: {error}" for error in _with_one_hint(errors_in(found["errors"]))),
    ]


def _left_out(found: ReportedExploration) -> list[str]:
    """Return which families a budget left out: that is no pass, and no error."""
    return list(_with_one_hint(left_out_in(found["errors"])))


def _with_one_hint(errors: Sequence[str]) -> Iterator[str]:
    """Yield errors; of neighbours that end with the same lines, which say what to do, the last one alone has these."""
    for number, error in enumerate(errors, 1):
        first, _, hint = error.partition("\n")
        following = "".join(errors[number : number + 1]).partition("\n")[2]
        yield first if hint and following == hint else error


def headline(found: ReportedExploration) -> str:
    """Return why a test fails in one line, for lists of tests."""
    titles = [title_of(one) for one in found["violations"]]
    titles = titles or [text.splitlines()[0] for text in (*_unjudged(found), *_left_out(found))]
    label = f"[{found['label']}] " if found["label"] else ""
    more = f" (and {len(titles) - 1} more)" if len(titles) > 1 else ""
    return f"{label}{''.join(titles[:1])}{more}"


def found_lines(so_far: ReportedExploration, told: dict[str, str], width: int) -> list[str]:
    """Return two lines for each finding that was not `told` yet, and note its title: the exploration goes on."""
    lines = []
    which = f"[{so_far['label']}] " if so_far["label"] else ""
    after = f"after {so_far['executions']} executions, {so_far['seconds']:.1f} s"
    for found in so_far["violations"]:
        if found["id"] not in told and not found["known"]:
            told[found["id"]] = title_of(found)
            lines += wrapped(f"chaos: {which}found {after}: {title_of(found)}", width, further="  ")
            lines.append(f"  {found['replay']}")
    return lines


def retitled_lines(found: ReportedExploration, told: Mapping[str, str], width: int) -> list[str]:
    """Return a line for each finding that was `told` under another title than it has in the end, a better example's."""
    titles = {one["id"]: title_of(one) for one in found["violations"]}
    which = f"[{found['label']}] " if found["label"] else ""
    lines = []
    for id, title in told.items() if titles else ():
        if titles.get(id) != title:
            now = f"is in the end: {titles[id]}" if id in titles else "is in the end part of another finding"
            lines += wrapped(f"chaos: {which}'{title}' {now}", width, further="  ")
    return lines


# the end of a session


def summary(explorations: Sequence[ReportedExploration], width: int = WIDTH, verbosity: int = 0) -> list[Line]:
    """Return the lines at the end of a session; `verbosity` as pytest counts it: below 0 a line for each test."""
    if verbosity < 0:
        return _a_line_for_each_test(explorations)
    return [line for found in explorations for line in _exploration(found, width, verbosity)]


def _a_line_for_each_test(explorations: Sequence[ReportedExploration]) -> list[Line]:
    lines: list[Line] = []
    for test in dict.fromkeys(found["test"] for found in explorations):
        ours = [found for found in explorations if found["test"] == test]
        violations = sum(len(found["violations"]) for found in ours)
        counts = {
            "could not be judged": sum(len(errors_in(found["errors"])) for found in ours),
            "drifted": sum(found["drifted"] for found in ours),
            "did not repeat": sum(len(found["flaky"]) for found in ours),
            "known": sum(len(found["known"]) for found in ours),
        }
        told = [counted(violations, "finding"), *(f"{count} {what}" for what, count in counts.items() if count)]
        told += [counted(sum(found["schedules"] for found in ours), "schedule")]
        # Where no crashes were selected, or all to a depth, there is nothing to close.
        told += ["closed"] if all(found["closed"] for found in ours) else []
        told += ["not closed"] if any(green.is_open(found) for found in ours) else []
        left_out = [found for found in ours if found["not_explored"] or _left_out(found)]
        told += ["not all of it explored"] if left_out else []
        told += [f"interrupted by {found['interrupted']}" for found in ours if found["interrupted"]]
        told += [f"{sum(found['seconds'] for found in ours):.1f} s"]
        doubtful = counts["could not be judged"] or counts["drifted"] or left_out
        markup = "red" if violations else "yellow" if doubtful else ""
        lines += styled([f"{test}: {', '.join(told)}"], markup)
    return lines


def _exploration(found: ReportedExploration, width: int, verbosity: int) -> list[Line]:
    label = found["label"] or found["name"]
    lines = styled([f"{found['test']}{f' [{label}]' if label else ''} ({found['seconds']:.1f} s)"], "bold")
    lines += _told("! ", found["not_explored"], width, "bold yellow")
    lines += _told("", [proof.statement(found)], width)
    lines += styled(proof.sentences(found, width=width))
    lines += _told("struck runs: ", filter(None, [struck.in_words(found)]), width)
    lines += _told("masked: ", found["masked"], width)
    lines += _told("written and not watched: ", found["unwatched"], width)
    lines += _told("note: ", found["notes"], width)
    lines += _told("", runs.changes(found), width)
    lines += _interrupted(found, width) if found["interrupted"] else []
    lines += story_lines(found["story"], width, full=True) if verbosity > 0 else []
    if not found["model"] and found["proved"]:  # a replay: one schedule is no table
        return lines
    if verbosity <= 0:
        return lines + _families(found, width)
    return lines + styled(proof.tables(found)) + _cells(found["cells"], width)


def _told(what: str, texts: Iterable[str], width: int, markup: str = "") -> list[Line]:
    return [line for text in texts for line in styled(wrapped(f"  {what}{text}", width, further="    "), markup)]


def _interrupted(found: ReportedExploration, width: int) -> list[Line]:
    """Return the findings of an interrupted exploration: no failure of the test tells them."""
    lines = styled([line for one in found["violations"][:_SHOWN_FINDINGS] for line in short_lines(one, width)], "red")
    errors = errors_in(found["errors"])
    shown = errors[:_SHOWN_FINDINGS]
    hidden = len(errors) - len(shown)
    lines += _told("could not be judged: ", shown, width)
    return lines + _told("… and ", [f"{hidden} more (--chaos-json=FILE has all)"] if hidden else [], width)


def _families(found: ReportedExploration, width: int) -> list[Line]:
    """Return the table of families of faults and verdicts, with how many schedules of each were not tried."""
    counts: dict[str, Counter[str]] = {}
    for cell in found["cells"]:
        counts.setdefault(family_of(cell["fault"]), Counter())[cell["verdict"]] += cell["count"]
    for family, tried in found["not_tried"].items():
        if part := _TRIED.match(tried):  # a family that was not selected is told in a sentence
            counts.setdefault(family, Counter())["not tried"] += int(part[2]) - int(part[1])
    names = [name for name in (*_VERDICTS, "not tried") if any(count[name] for count in counts.values())]
    order = sorted(counts, key=lambda family: (-counts[family]["violated"], family))
    rows = [[family, *(str(counts[family][name] or "") for name in names)] for family in order]
    markups = [
        "red" if counts[family]["violated"] else "yellow" if counts[family]["unknown"] else "" for family in order
    ]
    table = _table(["family", *names], rows, markups, width)
    more = sum(sum(count[name] for name in _VERDICTS) for count in counts.values()) > found["schedules"]
    return table + (_told("", [_COUNTED_TWICE], width) if table and more else [])


def _cells(cells: Sequence[ReportedCell], width: int) -> list[Line]:
    """Return the table of each fault at each point; a point has a line of its own."""
    points: dict[str, list[ReportedCell]] = {}
    for cell in cells:
        points.setdefault(cell["point"], []).append(cell)
    lines: list[Line] = []
    rows = [[cell["fault"], cell["verdict"], str(cell["count"])] for cells in points.values() for cell in cells]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for point, ours in points.items():
        lines += styled([f"  {point}"], "bold")
        for cell in ours:
            row = "  ".join(
                (f"{cell['fault']:<{wide[0]}}", f"{cell['verdict']:<{wide[1]}}", f"{cell['count']:>{wide[2]}}")
            )
            broken = f"  {', '.join(cell['invariants'])}" if cell["invariants"] else ""
            markup = {"violated": "red", "unknown": "yellow"}.get(cell["verdict"], "")
            lines += styled(wrapped(f"{row}{broken}", width, "    ", "      "), markup)
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], markups: Sequence[str], width: int) -> list[Line]:
    """Return a table of numbers, or where that is too wide a line of words for each row."""
    if not rows:
        return []
    table = columns([head, *rows], width - 2, numbers=len(head) - 1)
    if table is not None:
        return [
            *styled([f"  {table[0]}"], "bold"),
            *(line for text, m in zip(table[1:], markups, strict=True) for line in styled([f"  {text}"], m)),
        ]
    lines: list[Line] = []
    for (name, *numbers), markup in zip(rows, markups, strict=True):
        told = (f"{number} {what}" for number, what in zip(numbers, head[1:], strict=True) if number)
        lines += styled(wrapped(f"  {name}: {', '.join(told)}", width, further="    "), markup)
    return lines


def listing(faults: Iterable[Fault], invariants: Iterable[Invariant], twins: Mapping[str, ServiceMaker]) -> str:
    """Return what is installed, one line each."""
    lines = ["faults:"]
    lines += [f"  {f.name:<28} {f.doc}{'' if f.by_default else ' (only where it is selected)'}" for f in faults]
    lines += ["invariants:", *(f"  {invariant.name:<28} {invariant.doc}" for invariant in invariants)]
    lines += [
        "twins:",
        f"  {'chaos.api':<28} A stateful REST service.",
        f"  {'chaos.llm':<28} A model, as the SDKs of OpenAI, Anthropic and Gemini meet it, streamed or not.",
        f"  {'chaos.mailbox':<28} A mailbox behind a real SMTP server.",
        f"  {'chaos.mcp':<28} A server of tools (MCP), over HTTP or as a subprocess of the agent.",
    ]
    for name, maker in twins.items():
        lines.append(f"  {f'chaos.twin({name!r})':<28} {(getdoc(maker) or '').partition(chr(10))[0]}".rstrip())
    return "\n".join(lines)
