"""``chaos-known.toml``: findings that are known, with a reason each, and the day until which they are accepted.

Read with the standard library. It is written as text, so that comments and order of what is there stay; what comes of
it is read again, and a file that cannot be changed in this way is refused.
"""

import json
import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from .errors import ChaosError, nearest, shown

FILE = "chaos-known.toml"
_KEYS = ("id", "reason", "until", "title", "test")
_FORM = '[[known]]\nid = "3f2a91c04d7e"\nreason = "the provider has no keys, see ticket 12"\nuntil = 2027-01-31'
_HEAD = re.compile(r"\s*\[\[\s*known\s*\]\]\s*(#.*)?$")
_ABOVE = re.compile(r"\s*#.*$")


@dataclass(frozen=True, slots=True)
class Known:
    """A finding that is known.

    Attributes:
        until: the last day on which it is accepted; None for no end.
        title: its title, and `test` the test in which it was found; "" if they were not written.
    """

    id: str
    reason: str
    until: date | None = None
    title: str = ""
    test: str = ""

    def holds(self, today: date) -> bool:
        """Return whether it is accepted."""
        return self.until is None or today <= self.until


def text_of(file: Path) -> str:
    """Return the text of the file of known findings; "" if there is none."""
    try:
        return file.read_bytes().decode() if file.exists() else ""
    except (OSError, UnicodeDecodeError) as problem:
        raise ChaosError("bad-known", f"{file} cannot be read: {problem}", "it is a text in UTF-8") from None


def read(text: str, file: str = FILE) -> dict[str, Known]:
    """Return the known findings by id; raises ChaosError ``bad-known`` for an entry that is invalid.

    `file` is its name there.
    """
    found: dict[str, Known] = {}
    for number, entry in enumerate(_entries(text, file), 1):
        where = f"entry {number} of {file}"
        known = _known(entry, where)
        if known.id in found:
            raise _bad(f"{where} has the id {known.id!r}, as one above it has", "take one of them out")
        found[known.id] = known
    return found


def _entries(text: str, file: str) -> list[dict[str, Any]]:
    try:
        document = tomllib.loads(text)
    except ValueError as problem:  # also digits that Python does not turn into a number
        raise _bad(f"{file} is no TOML: {problem}") from None
    except RecursionError:
        raise _bad(f"{file} is nested too deeply") from None
    entries = document.pop("known", [])
    if document:
        raise _bad(f"{file} has {shown(next(iter(document)))} at its top: only [[known]] stands there")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _bad(f"known in {file} is no list of entries")
    return entries


def _known(entry: dict[str, Any], where: str) -> Known:
    for key in entry:
        if key not in _KEYS:
            raise _bad(f"{where} has {shown(key)}", f"nearest: {', '.join(nearest(key, _KEYS))}")
    for key in ("id", "reason"):
        if not str(entry.get(key, "")).strip():
            raise _bad(f"{where} has no {key}")
    for key in ("id", "reason", "title", "test"):
        if not isinstance(entry.get(key, ""), str):
            raise _bad(f"{where} has {shown(entry[key])} as {key}: it is a text")
    until = entry.get("until")
    if until is not None and (not isinstance(until, date) or isinstance(until, datetime)):
        raise _bad(f"{where} has {shown(until)} as until: it is a day", "without quotes: until = 2027-01-31")
    return Known(**entry)


def _bad(text: str, hint: str = "") -> ChaosError:
    return ChaosError("bad-known", text, hint or f"an entry looks so:\n{_FORM}")


def with_one_more(text: str, known: Known, file: str = FILE) -> str:
    """Return the text of the file with one more entry at its end; raises ChaosError for a file that is wrong."""
    before = read(text, file)
    lines = [f"{key} = {_quoted(getattr(known, key))}" for key in ("id", "title", "test", "reason")]
    lines = [line for line in lines if not line.endswith(' = ""')]
    lines += [f"until = {known.until.isoformat()}"] if known.until is not None else []
    head = f"{text.rstrip()}\n\n" if text.strip() else ""
    after = head + "\n".join(["[[known]]", *lines]) + "\n"
    return _checked(after, before, [*before, known.id], file)


def without(text: str, ids: Collection[str], file: str = FILE) -> str:
    """Return the text of the file without these entries, and without the comments right above them."""
    before = read(text, file)
    blocks = list(_blocks(text))
    if len(blocks) != len(before) + 1:
        raise _by_hand(file)
    kept = [block for id, block in zip(before, blocks[1:], strict=True) if id not in ids]
    left = "".join([blocks[0], *kept]).strip("\n")
    return _checked(f"{left}\n" if left else "", before, [id for id in before if id not in ids], file)


def _checked(text: str, before: dict[str, Known], ids: list[str], file: str) -> str:
    """Return a text that was made, if it reads as it is meant: these ids, and nothing else of them than before."""
    try:
        after = read(text, file)
    except ChaosError:
        raise _by_hand(file) from None
    if list(after) != ids or any(before.get(id, known) != known for id, known in after.items()):
        raise _by_hand(file)
    return text


def _by_hand(file: str) -> ChaosError:
    return _bad(f"{file} is written in a way that is not changed from here", f"change it by hand; {_FORM}")


def _blocks(text: str) -> Iterator[str]:
    """Yield the text before the first entry, and each entry with the comments right above it."""
    lines = text.splitlines(keepends=True)
    starts = []
    for number, line in enumerate(lines):
        if _HEAD.match(line):
            first = number
            while first and _ABOVE.match(lines[first - 1]):
                first -= 1
            starts.append(first or number)  # comments at the top are about the file
    for first, last in zip([0, *starts], [*starts, len(lines)], strict=True):
        yield "".join(lines[first:last])


def _quoted(text: str) -> str:
    """Return a basic string of TOML: JSON's form, but for one character that TOML does not take as it is."""
    plain = text.encode(errors="replace").decode()
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")
