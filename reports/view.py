"""A result as text once more: what the end of its session printed, and each finding."""

from collections.abc import Iterable, Iterator

from rollproof.values.exploration import counted
from rollproof.values.report import ReportedExploration, ReportedViolation

from . import proof, terminal

_SHOWN_DIFFERENCES = 8


def lines(explorations: Iterable[ReportedExploration], verbosity: int = 0) -> Iterator[str]:
    """Yield the lines of explorations: at -1 one for each, from 1 on with the grid by points and the cells."""
    for exploration in explorations:
        if verbosity < 0:
            yield brief(exploration)
            continue
        heading, *told = terminal.summary([exploration])
        yield from (heading, *proof.lines(exploration, verbose=verbosity > 0), *told)
        for violation in exploration["violations"]:
            yield from ("", *_violation(violation, whole=verbosity > 0))
        yield from _not_judged(exploration)
        if verbosity > 0:
            yield from _cells(exploration)
        yield ""


def is_broken(exploration: ReportedExploration) -> bool:
    """Return whether its test fails: something is broken that is not known, or could not be judged."""
    unknown = [violation for violation in exploration["violations"] if not violation["known"]]
    others = ("drifted", "errors", "flaky", "interrupted")
    return bool(unknown) or any(exploration[name] for name in others)  # type: ignore[literal-required]


def brief(exploration: ReportedExploration) -> str:
    """Return an exploration in one line."""
    known = sum(violation["known"] for violation in exploration["violations"])
    told = [counted(len(exploration["violations"]) - known, "violation")]
    told += [f"{known} known"] if known else []
    told += [f"{len(exploration[name])} {name}" for name in ("errors", "flaky") if exploration[name]]
    told += ["interrupted"] if exploration["interrupted"] else []
    judged = f"{counted(exploration['schedules'], 'schedule')} at {counted(exploration['points'], 'point')}"
    return f"{name_of(exploration)}: {', '.join(told)}; {judged}"


def name_of(exploration: ReportedExploration) -> str:
    """Return the test, and what tells the exploration apart within it."""
    label = exploration["label"] or exploration["name"]
    return f"{exploration['test']}{f' [{label}]' if label else ''}"


def _violation(found: ReportedViolation, *, whole: bool) -> Iterator[str]:
    known = f"known: {found['reason']}" if found["known"] else ""
    name = ", ".join(found["invariants"])
    ends = f" ({counted(found['also']['number'] + 1, 'schedule')} end so)" if found["also"]["number"] else ""
    yield f"  {found['title'] or f'{name} broken'}{ends}"
    yield from _labelled("known", known.removeprefix("known: "))
    yield from _labelled("broken", name if found["title"] else "")
    yield from _labelled("", found["sentence"])
    if (cause := found["cause"]) is not None and cause["line"]:
        yield from _labelled("at", f"{cause['file']}:{cause['line']} in {cause['function']}\n{cause['statement']}")
    yield from _labelled("wrong", found["message"])
    shown = found["diff"] if whole else found["diff"][:_SHOWN_DIFFERENCES]
    for number, line in enumerate(shown):
        yield from _labelled("" if number else "outside", line)
    if hidden := len(found["diff"]) - len(shown):
        yield from _labelled("", f"… {hidden} more differences (-v)")
    if found["cure"]["tried"]:
        yield from _labelled("cure", f"{found['cure']['tried']}: {found['cure']['outcome']}")
    yield from _labelled("replay", found["replay"])
    yield from _labelled("id", found["id"])


def _labelled(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines()):
        yield f"    {'' if number else label:<8} {line}"


def _not_judged(exploration: ReportedExploration) -> Iterator[str]:
    for head, texts in ("could not be judged", exploration["errors"]), ("did not repeat", exploration["flaky"]):
        for text in texts:
            first, *others = text.splitlines() or [""]
            yield from (f"  {head}: {first}", *(f"    {line}" for line in others))


def _cells(exploration: ReportedExploration) -> Iterator[str]:
    for cell in exploration["cells"]:
        broken = f" ({', '.join(cell['invariants'])})" if cell["invariants"] else ""
        count = f"{counted(cell['count'], 'schedule')}, {cell['merged']} merged"
        yield f"  {cell['verdict']:<8}  {cell['fault']}@{cell['point']}: {count}{broken}"
