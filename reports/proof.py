"""The meaning of green, in lines: the proof, the parts that nobody looked at, and the grid of points × faults."""

import re
from collections.abc import Iterable, Sequence

from rollproof.values.exploration import counted
from rollproof.values.green import beside_lists
from rollproof.values.report import ReportedExploration, ReportedRow

from .layout import WIDTH, aligned, columns_of, wrapped

_BEGIN = re.compile(r"\d+ points, .*?; \d+ violations?(?=;|$)")
_HOW = re.compile(r"in used processes|other orders? of effects|^real connections: |^twins on real ports: ")
_COLUMNS = {
    "tried": "tried",
    "merged": "merged",
    "not_applicable": "n/a",
    "not_tried": "untried",
    "violated": "violated",
}


def tables(exploration: ReportedExploration) -> list[str]:
    """Return the grid of points × faults, by families of faults and by points."""
    families = [row for row in exploration["grid"]["families"] if row["tried"] + row["merged"] + row["not_tried"]]
    told = _table(f"Points × faults ({_all(exploration['grid']['families'])})", families)
    return told + _table("By points", exploration["grid"]["points"])


def statement(exploration: ReportedExploration) -> str:
    """Return the statement up to its count of violations, and how it was explored; gaps are in the sentences."""
    whole = exploration["statement"]
    begun = _BEGIN.match(whole)
    if begun is None:
        return whole
    return "; ".join([begun[0], *(part for part in whole[begun.end() :].split("; ") if _HOW.search(part))])


def sentences(exploration: ReportedExploration, *, width: int = WIDTH) -> list[str]:
    """Return what was proved and what was not looked at, in sentences, but for what the statement and lists say."""
    proved, not_proved = beside_lists(exploration)
    return _told("Proved", proved, width) + _told("Not looked at", not_proved, width)


def _told(head: str, sentences: Iterable[str], width: int) -> list[str]:
    texts = [line for text in sentences for line in wrapped(text, width, "    - ", "      ")]
    return [f"  {head}:", *texts] if texts else []


def _all(rows: Iterable[ReportedRow]) -> str:
    return counted(sum(r["tried"] + r["merged"] + r["not_applicable"] + r["not_tried"] for r in rows), "cell")


def _table(head: str, rows: Sequence[ReportedRow]) -> list[str]:
    if not rows:
        return []
    wide = max(len(head), *(columns_of(row["name"]) for row in rows))
    found = [f"  {head:<{wide}}  {'  '.join(_COLUMNS.values())}"]
    for row in rows:
        numbers = [f"{row[key]:>{len(name)}}" for key, name in _COLUMNS.items()]  # type: ignore[literal-required]
        found.append(f"  {aligned(row['name'], wide)}  {'  '.join(numbers)}")
    return found
