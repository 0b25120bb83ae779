"""A text with holes: what two fault-free runs wrote alike, and where they did not."""

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from ...values.shapes import TIME_PATTERN
from ..storage.remembering import Remembered
from .shapes import marker, time_format, tokens

HoleKind = Literal["time", "text"]


@dataclass(frozen=True, slots=True)
class Template:
    """Literals with a hole between each two; without literals it stands for any text.

    `inside` is the regular expression of a hole that holds no time.
    `places` and `count` say which tokens the holes were, for texts whose literals are others.
    """

    literals: tuple[str, ...] = ()
    holes: tuple[HoleKind, ...] = ()
    inside: str = r"\S+"
    places: frozenset[int] = frozenset()
    count: int = 0

    def __str__(self) -> str:
        return "*".join(self.literals) if self.literals else "*"

    def match(self, text: str) -> tuple[str, ...] | None:
        """Return the texts that fill the holes, None where the literals are others."""
        found = _patterns.get(self, lambda: _pattern(self), sys.getsizeof).fullmatch(text)
        return found.groups() if found else None

    def hide(self, text: str) -> tuple[str, tuple[str, ...]]:
        """Return `text` with markers in its holes, and what was in them."""
        if not self.literals:
            return marker(text), (text,) if text else ()
        filled = self.match(text)
        if filled is not None:
            masked = [literal + marker(value) for literal, value in zip(self.literals, filled, strict=False)]
            return "".join(masked) + self.literals[-1], filled
        parts = tokens(text)
        if len(parts) != self.count:
            return text, ()
        hidden = [marker(part) if place in self.places else part for place, part in enumerate(parts)]
        return "".join(hidden), tuple(parts[place] for place in sorted(self.places))


_patterns: Remembered[Template, re.Pattern[str]] = Remembered(8 << 20)


def _pattern(template: Template) -> re.Pattern[str]:
    source = re.escape(template.literals[0])
    for kind, literal in zip(template.holes, template.literals[1:], strict=True):
        source += f"({TIME_PATTERN if kind == 'time' else template.inside})" + re.escape(literal)
    return re.compile(source, re.DOTALL)


def template_of(texts: Sequence[str]) -> Template:
    """Learn from texts that stand at the same place in several runs; holes where their words differ."""
    split = [tokens(text) for text in texts]
    if len({len(parts) for parts in split}) != 1:
        return Template()
    literals: list[str] = [""]
    holes: list[HoleKind] = []
    places: list[int] = []
    for place, parts in enumerate(zip(*split, strict=True)):
        if len(set(parts)) == 1:
            literals[-1] += parts[0]
            continue
        is_time = all(map(time_format, parts))
        start, end = ("", "") if is_time else _constant(parts)
        literals[-1] += start
        if not all(re.match(r"[\w-]", part) for part in parts) or (holes and not literals[-1]):
            return Template()
        literals.append(end)
        holes.append("time" if is_time else "text")
        places.append(place)
    return Template(tuple(literals), tuple(holes), r"\S+", frozenset(places), len(split[0]))


def name_template_of(names: Sequence[str]) -> Template:
    """Learn a template from path names: the part that differs is one hole and never has a ``/``."""
    found = template_of(names)
    literals, kind = found.literals, found.holes[0] if found.holes else "text"
    if len(found.holes) != 1:
        extension = os.path.splitext(names[0])[1]
        start, end = _constant([name.removesuffix(extension) for name in names])
        literals, kind = (start, end + extension), "text"
    middles = [name[len(literals[0]) : len(name) - len(literals[1])] for name in names]
    return Template(literals, (kind,), _inside(middles))


def _constant(words: Sequence[str]) -> tuple[str, str]:
    """Return the common beginning and end of words, up to separators; less than two letters are common by chance."""
    start = _common(words)
    if not start and all(word.startswith("tmp") and len(word) > 3 for word in words):
        start = "tmp"
    end = _common([word[len(start) :][::-1] for word in words])[::-1]
    return start, end


def _inside(samples: Sequence[str]) -> str:
    """Return the narrowest expression for the random part of a name that the samples speak for."""
    together = "".join(samples)
    letters = r"[0-9a-f-]" if len(together) >= 16 and re.fullmatch(r"[0-9a-f-]+", together) else r"[\w-]"
    if not re.fullmatch(r"[\w-]+", together):
        letters = "[^/]"
    lengths = {len(sample) for sample in samples}
    return f"{letters}{{{lengths.pop()}}}" if len(lengths) == 1 and len(samples[0]) >= 6 else f"{letters}+"


def _common(words: Sequence[str]) -> str:
    alike = list(takewhile(lambda letters: len(set(letters)) == 1, zip(*words, strict=False)))
    prefix = words[0][: len(alike)]
    prefix = prefix[: max(prefix.rfind(mark) for mark in "-_. ") + 1]
    return prefix if sum(map(str.isalnum, prefix)) >= 2 else ""
