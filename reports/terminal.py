"""What a tired engineer reads: a statement for each exploration, and for each violation what to look at and paste."""

from collections.abc import Iterable, Mapping, Sequence
from inspect import getdoc
from textwrap import indent

import pytest
from rollproof.values.causes import Cause
from rollproof.values.exploration import Exploration, Finding, counted
from rollproof.values.faults import Fault
from rollproof.values.history import Invariant
from rollproof.values.replaying import ReplayCommand
from rollproof.values.report import ReportedExploration
from rollproof.values.sources import ServiceMaker

_SHOWN_DIFFERENCES = 8
_SHOWN_FINDINGS = 5
_STATEMENT_WIDTH = 140
NOT_EXPLORED = "  ! "
"""Begins the lines at the end of a session that nobody is to miss, though nothing failed."""
_WAYS = {
    "untrue": "said to be done, and is not",
    "by order": "no fault is needed: two orders of one run end differently",
}


def fail_where_needed(result: Exploration, replay: ReplayCommand) -> None:
    """Fail the test where something is broken, or could not be judged."""
    __tracebackhide__ = True
    if result.violations or result.drifted or result.errors or result.flaky:
        pytest.fail(failure_text(result, replay), pytrace=False)


def failure_text(result: Exploration, replay: ReplayCommand) -> str:
    """Return why a test fails: every distinct violation, smallest schedule first, then what could not be judged."""
    which = f"chaos: [{result.label}] " if result.label else "chaos: "
    blocks = [_finding(finding, replay) for finding in result.violations[:_SHOWN_FINDINGS]]
    blocks = [which + block.removeprefix("chaos: ") for block in blocks]
    hidden = len(result.violations) - _SHOWN_FINDINGS
    if hidden > 0:
        blocks.append(f"… and {counted(hidden, 'more violation')} (--chaos-json=FILE has all)")
    blocks += [f"drifted, so nothing was proved there: {token}" for token in result.drifted]
    blocks += [f"did not repeat (the run is not deterministic): {line}" for line in result.flaky]
    blocks += [f"could not be judged: {_under(error, 2)}" for error in result.errors]
    return "\n\n".join([*blocks, f"{which}{result.statement}"])


def first_finding(so_far: Exploration, replay: ReplayCommand) -> list[str]:
    """Return the lines that tell of the first finding while the exploration goes on."""
    finding = so_far.violations[0]
    which = f"[{so_far.label}] " if so_far.label else ""
    after = f"after {so_far.executions} executions, {so_far.seconds:.1f} s"
    broken = f"{', '.join(finding.invariants)} broken"
    what = [summary_of(finding.cause)] if finding.cause is not None else []
    return [
        f"chaos: {which}found {after}: {'; '.join([broken, *what])}",
        f"  {replay.of(finding.schedule)}",
    ]


def _finding(finding: Finding, replay: ReplayCommand) -> str:
    cells = f" ({finding.cells} schedules end so)" if finding.cells > 1 else ""
    lines = [f"chaos: {', '.join(finding.invariants)} broken{cells}"]
    lines += _cause(finding.cause) if finding.cause is not None else []
    told = ("fault", "invariants")
    lines += _labelled("done", [line for heading, story in finding.phases if heading == "fault" for line in story])
    lines += _labelled("then", [f"{heading} {story[-1]}" for heading, story in finding.phases if heading not in told])
    lines += _labelled("wrong", finding.message.splitlines())
    lines += _labelled("outside", finding.diff[:_SHOWN_DIFFERENCES])
    if len(finding.diff) > _SHOWN_DIFFERENCES:
        lines += _labelled("", [f"… {len(finding.diff) - _SHOWN_DIFFERENCES} more differences"])
    lines += _labelled("replay", [replay.of(finding.schedule)])
    return "\n".join(lines)


def summary_of(cause: Cause) -> str:
    """Return a cause in one line: ``twice: http.post:api.mail.test/mails, myagent.py:29``."""
    if cause.exception:
        return f"{_recovery(cause)} raises {cause.exception}"
    where = f", {cause.file}:{cause.line}" if cause.line and cause.effect else ""
    return f"{_WAYS.get(cause.way, cause.way)}: {cause.effect or cause.promise}{where}"


def _cause(cause: Cause) -> list[str]:
    if not (
        cause.effect or cause.exception or cause.way == "not ended"
    ):  # a promise that names no effect: only its check knows more
        return _labelled("cause", [f"{cause.promise} does not hold"])
    called = "".join(f", called from {caller}" for caller in cause.callers)
    where = f"{cause.file}:{cause.line} in {cause.function}{called}" if cause.line else ""
    if not cause.exception:
        told = [f"{where}\n{_shortened(cause.statement)}"] if where else []
        return [*_labelled("cause", [_labelled_way(cause)]), *_labelled("at", told)]
    kind, _, place = cause.exception.partition(" at ")
    lines = _labelled("cause", [f"{_recovery(cause)} raises {kind}"])
    lines += _labelled("at", [f"{place}\n{_shortened(cause.raising)}"] if place else [])
    lines += _labelled("killed", [f"always at {cause.killed}"] if cause.killed else [])
    return lines + _labelled("leaves", [f"{cause.way}: {cause.effect}, {where}"] if cause.effect else [])


def _recovery(cause: Cause) -> str:
    return "recovery in the same process" if cause.goes_on else "recovery"


def _labelled_way(cause: Cause) -> str:
    way = _WAYS.get(cause.way, cause.way)
    return f"{way}: {cause.effect}" if cause.effect else way


def _shortened(text: str) -> str:
    return text if len(text) <= _STATEMENT_WIDTH else text[: _STATEMENT_WIDTH - 1] + "…"


def _labelled(label: str, texts: Iterable[str]) -> list[str]:
    """Put the label before each text."""
    return [f"  {label:<8} {_under(text, 11)}" for text in texts]


def _under(text: str, column: int) -> str:
    """Let further lines of a text stand in this column, under its first."""
    return f"\n{'':{column}}".join(text.splitlines())


def summary(explorations: Sequence[ReportedExploration]) -> list[str]:
    """Return the lines at the end of a session."""
    lines = []
    for result in explorations:
        label = result["label"] or result["name"]
        lines.append(f"{result['test']}{f' [{label}]' if label else ''} ({result['seconds']:.1f} s)")
        lines += [f"{NOT_EXPLORED}{text}" for text in result["not_explored"]]
        lines.append(indent(result["statement"], "  "))
        lines += [f"  note: {note}" for note in result["notes"]]
        if result["interrupted"]:  # no failure of the test tells it
            for found in result["violations"][:_SHOWN_FINDINGS]:
                lines.append(f"  {', '.join(found['invariants'])} broken: {found['replay']}")
            shown = result["errors"][:_SHOWN_FINDINGS]
            hidden = len(result["errors"]) - len(shown)
            lines += [f"  could not be judged: {_under(error, 4)}" for error in shown]
            lines += [f"  … and {hidden} more (--chaos-json=FILE has all)"] if hidden else []
        lines += [f"  masked: {mask}" for mask in result["masked"]]
        lines += [f"  written and not watched: {path}" for path in result["unwatched"]]
        idle = [name for name, verdict in result["verdicts"].items() if verdict == "vacuous"]
        if idle:
            lines.append(f"  nothing to judge: {', '.join(idle)}")
    return lines


def listing(faults: Iterable[Fault], invariants: Iterable[Invariant], twins: Mapping[str, ServiceMaker]) -> str:
    """Return what is installed, one line each."""
    lines = ["faults:"]
    lines += [f"  {f.name:<28} {f.doc}{'' if f.by_default else ' (only where it is selected)'}" for f in faults]
    lines += ["invariants:", *(f"  {invariant.name:<28} {invariant.doc}" for invariant in invariants)]
    lines += [
        "twins:",
        f"  {'chaos.api':<28} A stateful REST service.",
        f"  {'chaos.llm':<28} A model, as the SDKs of OpenAI and Anthropic meet it, streamed or not.",
        f"  {'chaos.mailbox':<28} A mailbox behind a real SMTP server.",
        f"  {'chaos.mcp':<28} A server of tools (MCP), over HTTP or as a subprocess of the agent.",
    ]
    for name, maker in twins.items():
        lines.append(f"  {f'chaos.twin({name!r})':<28} {(getdoc(maker) or '').partition(chr(10))[0]}".rstrip())
    return "\n".join(lines)
