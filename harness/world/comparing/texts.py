"""Tell how two texts differ, line by line, as masks show them."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..volatile.templates import Template
from .alignment import Alignment, Edit, repeated
from .excerpts import instead, short, some
from .sides import Sides

_GUESSED_WITHIN = 40
"""How far from its place a line is looked for by the mask of another, where there are many."""


def line_details(sides: Sides, old: list[str], new: list[str], old_tree: list[str], new_tree: list[str]) -> list[str]:
    """Return the differences of the found lines, `new`, from the right ones; trees are lines seen through masks.

    Lines are told by their number in what was found, those that are missing by that in the right text.
    """
    lines = _Lines(sides, *(_without_end(each) for each in (old, new, old_tree, new_tree)))
    details = list(lines.details())
    if old[-1] and not new[-1]:
        details.append("a newline at its end is too much")
    elif new[-1] and not old[-1]:
        details.append("the newline at its end is missing")
    return details


def _without_end(lines: list[str]) -> list[str]:
    """Return the lines without the empty one after the last newline."""
    return lines if lines[-1] else lines[:-1]


@dataclass(slots=True)
class _Lines:
    """The lines of both texts, each with its unmasked part."""

    sides: Sides
    old: Sequence[str]
    new: Sequence[str]
    old_tree: Sequence[str]
    new_tree: Sequence[str]
    _templates: dict[int, Template] = field(init=False)

    def __post_init__(self) -> None:
        self._templates = dict(self.sides.mask.lines)

    def details(self) -> Iterator[str]:
        """Yield each difference in words."""
        alignment = Alignment(*self._keys(), self._same, lambda n, m: (self.old_tree[n], self.new_tree[m]))
        edits = list(alignment.edits())
        while edits:
            count = self._of_line_ends(edits)
            yield self._told_ends(edits[:count]) if count else self._told(edits[0])
            del edits[: max(count, 1)]

    def _seen(self, n: int, m: int) -> str:
        """Return the line `m` that was found as it looks in the place of the right line `n`."""
        if n == m or not self._templates.keys() & {n, m}:
            return self.new_tree[m]
        return self.sides.line_at(n, self.new[m])

    def _same(self, n: int, m: int) -> bool:
        return self.old_tree[n] == self._seen(n, m)

    def _keys(self) -> tuple[list[Hashable], list[Hashable]]:
        """Return the key of each line, wherever it stands; one with no word unmasked has no name."""
        old: list[Hashable] = list(self.old_tree)
        if not self._templates:
            return old, list(self.new_tree)
        for n, template in self._templates.items():
            if n < len(old) and not _has_words(template):
                old[n] = ("line", n)
        known = set(old)
        return old, [self._known_as(m, known) for m in range(len(self.new))]

    def _known_as(self, m: int, known: set[Hashable]) -> str:
        """Return the masked right line that a found one equals; a line that has moved fits the template of another."""
        plain = self.sides.found.text(self.sides.thing, self.new[m])
        for key in (self.new_tree[m], plain):
            if key in known:
                return key
        numbers: Iterable[int] = self._templates
        if len(self._templates) > 2 * _GUESSED_WITHIN:
            numbers = range(m - _GUESSED_WITHIN, m + _GUESSED_WITHIN)
        for template, n in {self._templates[n]: n for n in numbers if n in self._templates}.items():
            key = self.sides.line_at(n, self.new[m]) if _has_words(template) else ""
            if key in known:
                return key
        return self.new_tree[m]

    def _told(self, edit: Edit) -> str:
        old, new, right = edit.old, edit.new, " of the right text" if edit.is_shifted else ""
        if not new:
            return _told_run(old, right, "missing", self.old[old.start : old.stop])
        if not old:
            return _told_run(new, "", "too much", self.new[new.start : new.stop], self._again(new))
        n, m = old.start, new.start
        words = instead(self.old[n], self.new[m], (self.old_tree[n], self._seen(n, m)))
        if len(old) == len(new) == 1:
            return f"{_numbers(new)}{f' ({n + 1}{right})' if right else ''}: {words}"
        count = f"instead of {len(old)}" if len(new) != len(old) else "are others"
        return f"{len(new)} lines from line {m + 1} on {count}, the first of them {words}"

    def _again(self, run: range) -> str:
        """Return the hint on equal lines elsewhere, if some are too much: mostly the file was appended to twice."""
        if not any(self.new[m].strip() for m in run):
            return ""
        first = repeated(run, len(self.new), self._repeats)
        if first is None:
            return ""
        where = _numbers(range(first, first + len(run)))
        return f" (it stands in {where} too)" if len(run) == 1 else f" (they stand in {where} too)"

    def _repeats(self, first: int, again: int) -> bool:
        """Return whether two lines that were found are the same, seen through the mask of the first."""
        if self.new[first] == self.new[again]:
            return True
        template = self._templates.get(first)
        return template is not None and _has_words(template) and self._seen(first, again) == self.new_tree[first]

    def _of_line_ends(self, edits: Sequence[Edit]) -> int:
        """Return the number of edits, from the first one on, that change the same end of the line and nothing else."""
        count = 0
        for edit in edits:
            follows = not count or (edit.new.start == edits[count - 1].new.stop)
            if not (follows and self._is_line_end(edit) and self._ends(edit) == self._ends(edits[0])):
                break
            count += 1
        return count

    def _is_line_end(self, edit: Edit) -> bool:
        if not len(edit.old) == len(edit.new) == 1:
            return False
        n, line = edit.old.start, self.new[edit.new.start]
        other = line[:-1] if line.endswith("\r") else line + "\r"
        return self.sides.line_at(n, other) == self.old_tree[n]

    def _ends(self, edit: Edit) -> bool:
        return self.new[edit.new.start].endswith("\r")

    def _told_ends(self, edits: Sequence[Edit]) -> str:
        run = range(edits[0].new.start, edits[-1].new.stop)
        end, other = ("\\r\\n", "\\n") if self._ends(edits[0]) else ("\\n", "\\r\\n")
        return f"{_numbers(run)} {'ends' if len(run) == 1 else 'end'} in {end} instead of {other}"


def _has_words(template: Template) -> bool:
    """Return whether the unmasked part of a line tells it from others."""
    return any(letter.isalnum() for literal in template.literals for letter in literal)


def _told_run(run: range, where: str, what: str, lines: Sequence[str], more: str = "") -> str:
    if len(run) == 1:
        return f"{_numbers(run)}{where}: {short(lines[0])} is {what}{more}"
    return f"{_numbers(run)}{where} are {what}{more}: {some(lines)}"


def _numbers(run: range) -> str:
    """Return the numbers of lines as a person counts them."""
    return f"line {run.start + 1}" if len(run) == 1 else f"lines {run.start + 1} to {run.stop}"
