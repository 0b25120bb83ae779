"""Places as statements of the agent's code, with as many callers as tell one from another."""

import ast
import linecache
import tokenize
from collections import defaultdict
from contextlib import suppress
from functools import cache
from itertools import pairwise
from typing import Any

from ..values.places import Frame, Place
from .process_runs import ProcessRun

_MOST_CALLERS = 6
_Function = tuple[str, str]
SiteKey = tuple[tuple[str, str, str], ...]
"""What a place is where lines do not count: file, function and statement of each call, the innermost first."""


class Sites:
    """The calls of the agent's own functions, as they were seen in single processes.

    Args:
        call: where the test started the exploration: the place of what has none of its own.

    Attributes:
        version: changes where a place may need more callers than before.
    """

    def __init__(self, call: Place = ()) -> None:
        self.version, self._call = 0, call
        self._callers: dict[_Function, int] = defaultdict(int)
        self._lines: dict[tuple[_Function, _Function], int] = defaultdict(int)
        self._seen: set[frozenset[Place]] = set()

    def see(self, process: ProcessRun) -> None:
        """Take note of the places of one process."""
        places = frozenset(process.places.values())
        if places in self._seen:
            return
        self._seen.add(places)
        callers: dict[_Function, set[tuple[str, int]]] = defaultdict(set)
        lines: dict[tuple[_Function, _Function], set[int]] = defaultdict(set)
        for place in places:
            for frame, caller in pairwise(place):
                callers[frame.file, frame.function].add((caller.file, caller.line))
                lines[(frame.file, frame.function), (caller.file, caller.function)].add(caller.line)
        for pair, numbers in lines.items():
            self._lines[pair] = max(self._lines[pair], len(numbers))
        for function, known in callers.items():
            if len(known) > self._callers[function]:
                self._callers[function] = len(known)
                # With one caller there is nothing to tell apart: no key changes.
                self.version += len(known) > 1

    def of(self, place: Place) -> Place:
        """Return a place with as many callers as tell the call sites of its function apart, and of theirs."""
        end = 1
        while end < min(len(place), _MOST_CALLERS) and self._callers[place[end - 1].file, place[end - 1].function] > 1:
            end += 1
        return place[:end]

    def key(self, place: Place) -> SiteKey:
        """Return a key that stays the same after an edit elsewhere in the file; empty for the test's own call."""
        if place == self._call:
            return ()
        return tuple((frame.file, frame.function, statement(frame) or str(frame.line)) for frame in self.of(place))

    def identity(self, place: Place) -> SiteKey:
        """Return a text by which a place is told apart in every run, also if its functions are called in more places.

        One caller is always named, so that a second call of a helper, elsewhere, changes nothing; its statement only
        where its function has several such calls.
        """
        if place == self._call or not place:
            return ()
        calls = place[: max(2, len(self.of(place)))]
        named = [(place[0].file, place[0].function, statement(place[0]))]
        for called, caller in pairwise(calls):
            pair = (called.file, called.function), (caller.file, caller.function)
            named.append((caller.file, caller.function, statement(caller) if self._lines[pair] > 1 else ""))
        return tuple(named)


def statement(frame: Frame) -> str:
    """Return the text of the statement that a call is in, in one line: of a block its head, "" without a source."""
    known = _statements(frame.file).get(frame.line)
    return known[1] if known is not None else linecache.getline(frame.file, frame.line).strip()


def first_line(file: str, line: int) -> int:
    """Return the line on which the innermost statement of a line begins, from 1."""
    known = _statements(file).get(line)
    return known[0] if known is not None else line


@cache
def _statements(file: str) -> dict[int, tuple[int, str]]:
    """Return the innermost statement on each line of a file: its first line, and its text."""
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return {}
    lines = _without_comments(lines)
    found: dict[int, tuple[int, str]] = {}
    for node in ast.walk(tree):  # outer ones first
        if isinstance(node, (ast.stmt, ast.ExceptHandler)):
            first, last = node.lineno, _end_of_head(node)
            text = " ".join(" ".join(lines[first - 1 : last]).split())
            found.update(dict.fromkeys(range(first, last + 1), (first, text)))
    return found


def _without_comments(lines: list[str]) -> list[str]:
    plain = list(lines)
    with suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(iter(lines).__next__):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                plain[row - 1] = plain[row - 1][:column]
    return plain


def _end_of_head(node: ast.stmt | ast.ExceptHandler) -> int:
    """Return the last line of a statement, or of what comes before its block."""
    inner: list[Any] = getattr(node, "body", []) or [case.pattern for case in getattr(node, "cases", [])]
    if not inner:
        return node.end_lineno or node.lineno
    starts: list[int] = [inner[0].lineno, *(decorator.lineno for decorator in getattr(inner[0], "decorator_list", ()))]
    return max(node.lineno, min(starts) - 1)
