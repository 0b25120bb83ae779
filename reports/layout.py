"""Lines that fit the terminal: words stay whole, and a token or a path that is wider has a line of its own.

A width is a number of columns: a letter of East Asia takes two, a mark that stands over another letter none.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Any
from unicodedata import combining, east_asian_width

WIDTH = 80
"""Columns of a log, and of whatever is no terminal."""
_NARROWEST, _WIDEST = 40, 100
_LABEL, UNDER = 8, 11
"""Columns of a label, and before what it belongs to."""
_AND = re.compile(r"(?<=\S) \+ (?=[^\s@]+@\S)")
"""Between the faults of one token: a token that is printed can be pasted."""
_UNIT = re.compile(r"(?<=\d) (?=s\b)")
_BLANK, _SECOND = "\0", "\1"
"""While a text is wrapped: a blank at which no line ends, and the second column of a letter."""

Line = tuple[tuple[str, str], ...]
"""Pieces of text, each with its markup: names of pytest's own with blanks between them, such as ``bold red``."""


def width_of(columns: int) -> int:
    """Return how wide the lines are on a terminal of so many columns."""
    return max(_NARROWEST, min(columns, _WIDEST))


def columns_of(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    return sum(0 if combining(one) else 2 if _is_wide(one) else 1 for one in text)


def _is_wide(letter: str) -> bool:
    return letter > "\u10ff" and east_asian_width(letter) in "WF"  # none of the letters before it is


def aligned(text: str, wide: int, *, right: bool = False) -> str:
    """Return a text with blanks behind it, or before it, as far as it takes less than so many columns."""
    blanks = " " * max(0, wide - columns_of(text))
    return blanks + text if right else text + blanks


def plain(lines: Iterable[Line]) -> str:
    """Return lines without their markup."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


def write(writer: Any, lines: Iterable[Line]) -> None:
    """Write lines with pytest's terminal writer, which knows whether colours are wanted."""
    for line in lines:
        for text, markup in line:
            writer.write(text, **dict.fromkeys(markup.split(), True))
        writer.line()


def styled(texts: Iterable[str], markup: str = "") -> list[Line]:
    """Return texts as lines of one markup."""
    return [((text, markup),) for text in texts]


def wrapped(text: str, width: int, first: str = "", further: str | None = None) -> list[str]:
    """Return the lines of a text, each wrapped between words; `first` stands before it, `further` before the others.

    A word that is wider has a line of its own, and stays whole.
    """
    lines: list[str] = []
    further = " " * len(first) if further is None else further
    for line in text.splitlines():
        kept = _UNIT.sub(_BLANK, _AND.sub(f"{_BLANK}+{_BLANK}", line.rstrip()))
        lines += wrap(
            "".join(one + _SECOND if _is_wide(one) else one for one in kept),
            width,
            initial_indent=further if lines else first,
            subsequent_indent=further,
            break_long_words=False,
            break_on_hyphens=False,
            expand_tabs=True,
        )
    return [line.replace(_BLANK, " ").replace(_SECOND, "") for line in lines]


def labelled(label: str, texts: Iterable[str], width: int, markup: str = "") -> list[Line]:
    """Return texts with the label before each; all that follows of them stands in the column of their beginning."""
    head = f"  {label:<{_LABEL}} "
    lines = (line for text in texts for line in wrapped(text, width, head, " " * UNDER))
    return [((line[:UNDER], "bold" if line[:UNDER].strip() else ""), (line[UNDER:], markup)) for line in lines]


def whole(label: str, text: str, markup: str = "") -> Line:
    """Return a label and a text to paste, in one line however long it is."""
    return (f"  {label:<{_LABEL}} ", "bold"), (text, markup)


def under(lines: Iterable[Line]) -> list[Line]:
    """Indent lines to the column of what is labelled."""
    return [((" " * UNDER, ""), *line) for line in lines]


def under_label(label: str, lines: Sequence[Line]) -> list[Line]:
    """Put the label before the first of the lines, and the others in its column."""
    return [((f"  {label:<{_LABEL}} ", "bold"), *lines[0]), *under(lines[1:])] if lines else []


def columns(rows: Sequence[Sequence[str]], width: int, numbers: int = 0) -> list[str] | None:
    """Return a table, its first row the head; the last `numbers` columns are of numbers. None where it is too wide."""
    widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * len(widths) - 2 > width:
        return None
    return ["  ".join(_aligned(row, widths, numbers)).rstrip() for row in rows]


def _aligned(row: Sequence[str], widths: Sequence[int], numbers: int) -> Iterator[str]:
    for place, (text, wide) in enumerate(zip(row, widths, strict=True)):
        yield aligned(text, wide, right=place >= len(row) - numbers)
