"""What green means, in lines: what was proved, what was not looked at, and the grid of points × faults."""

from collections.abc import Iterable, Sequence
from textwrap import wrap

from rollproof.values.exploration import counted
from rollproof.values.report import ReportedExploration, ReportedRow

WIDTH = 80
_COLUMNS = {
    "tried": "tried",
    "merged": "merged",
    "not_applicable": "n/a",
    "not_tried": "untried",
    "violated": "violated",
}


def lines(exploration: ReportedExploration, *, width: int = WIDTH, verbose: bool = False) -> list[str]:
    """Return the lines that come first wherever an exploration is told; `verbose` has the grid by points as well."""
    told = sentences(exploration, width=width)
    return told + (tables(exploration) if verbose else [])


def tables(exploration: ReportedExploration) -> list[str]:
    """Return the grid of points × faults, by families of faults and by points."""
    families = [row for row in exploration["grid"]["families"] if row["tried"] + row["merged"] + row["not_tried"]]
    told = _table(f"Points × faults ({_all(exploration['grid']['families'])})", families)
    return told + _table("By points", exploration["grid"]["points"])


def sentences(exploration: ReportedExploration, *, width: int = WIDTH) -> list[str]:
    """Return what was proved and what was not looked at, in sentences."""
    return _told("Proved", exploration["proved"], width) + _told("Not looked at", exploration["not_proved"], width)


def _told(head: str, sentences: Iterable[str], width: int) -> list[str]:
    texts = [
        line
        for sentence in sentences
        for line in wrap(
            sentence,
            width,
            initial_indent="    - ",
            subsequent_indent="      ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
    return [f"  {head}:", *texts] if texts else []


def _all(rows: Iterable[ReportedRow]) -> str:
    return counted(sum(r["tried"] + r["merged"] + r["not_applicable"] + r["not_tried"] for r in rows), "cell")


def _table(head: str, rows: Sequence[ReportedRow]) -> list[str]:
    if not rows:
        return []
    wide = max(len(head), *(len(row["name"]) for row in rows))
    found = [f"  {head:<{wide}}  {'  '.join(_COLUMNS.values())}"]
    for row in rows:
        numbers = [f"{row[key]:>{len(name)}}" for key, name in _COLUMNS.items()]  # type: ignore[literal-required]
        found.append(f"  {row['name']:<{wide}}  {'  '.join(numbers)}")
    return found
