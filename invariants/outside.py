"""Promises about what an agent leaves outside."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from rollproof.values.contents import Content
from rollproof.values.credentials import is_in_clear
from rollproof.values.history import History, Violation, invariant
from rollproof.values.points import canonical
from rollproof.values.rows import not_shared
from rollproof.values.trees import new_in
from rollproof.values.world import Change, Entry, Row, World

_LEASE_TABLE = re.compile(r"(?:^|_)(?:lock|lease)s?(?:_|$)", re.IGNORECASE)


@invariant("all_or_nothing")
def all_or_nothing(after: World, history: History) -> Iterator[Violation]:
    """All that is watched is as before, or as after a fault-free run; never between, never twice."""
    if history.from_before and history.from_done and not history.accepted:
        nearer = min(history.from_done, history.from_before, key=len)
        what = "a complete run" if nearer is history.from_done else "before the run"
        yield Violation(f"the outside is neither as before nor as after a complete run (compared with {what})", nearer)


@invariant("no_leftovers")
def no_leftovers(after: World, history: History) -> Iterator[Violation]:
    """No lock, staging folder or temporary file outlives the work, unless a fault-free run leaves it too."""
    paths = [*_watched_leftovers(after, history), *_private_leftovers(after, history)]
    leases = list(_leftover_leases(after, history))
    if (paths or leases) and not history.accepted:
        kinds = "locks, staging folders or temporary files" if paths else "leases"
        yield Violation(f"{kinds} are left behind", (*paths, *leases))


def _watched_leftovers(after: World, history: History) -> Iterator[Change]:
    """Yield each path that neither end has, and that looks temporary or is transient in a fault-free run."""
    if not history.from_before or not history.from_done:
        return
    known = _shapes(history.before.entries) | _shapes(history.done.entries)
    for path, entry in after.entries.items():
        temporary = canonical(path) in history.transient or _is_leftover_name(path, history)
        if canonical(path) not in known and temporary:
            yield Change("+", path, _described(entry))


def _private_leftovers(after: World, history: History) -> Iterator[Change]:
    """Yield private paths whose names are those of leftovers: nothing else can be compared there."""
    known = _shapes(history.before.private_entries) | _shapes(history.done.private_entries)
    for path, entry in after.private_entries.items():
        if canonical(path) not in known and _is_leftover_name(path, history):
            yield Change("+", path, _described(entry))


def _leftover_leases(after: World, history: History) -> Iterator[Change]:
    """Yield a change for each private table called lock or lease with more rows than both ends have."""
    for table, rows in after.private_tables.items():
        usual = max(len(w.private_tables.get(table, ())) for w in (history.before, history.done))
        if len(rows) > usual and _LEASE_TABLE.search(table.rpartition(":")[2]):
            yield Change("+", table, f"row {rows[-1]} of a process that is gone")


def _shapes(entries: Mapping[str, Entry]) -> set[str]:
    return {canonical(path) for path in entries}


def _is_leftover_name(path: str, history: History) -> bool:
    name = path.rpartition("/")[2].lower()
    return any(fnmatchcase(name, glob) for glob in history.leftover_names)


def _described(entry: Entry) -> str:
    if entry.kind == "file":
        return f"file, {entry.size} bytes"
    return "folder" if entry.kind == "dir" else "symbolic link"


def _has_credentials(after: World, history: History) -> bool:
    return bool(history.secrets) or any(execution.resent for execution in history.executions)


@invariant("credential_hygiene", applies=_has_credentials)
def credential_hygiene(after: World, history: History) -> Iterator[Violation]:
    """A refused credential is not sent more than twice again, and none stands in the clear in what is kept.

    One of fewer than 8 characters, or made of common words, counts only where it is said to be one: ``"token": "k"``.
    """
    for execution in history.executions:
        for label, times in execution.resent.items():
            if times > 2:
                text = f"{label} was refused and sent {times} times again in the same {execution.role}"
                yield Violation(text, by=execution, way="twice")
    new = list(_texts(after, history.before)) if history.secrets else []
    for label, secret in history.secrets.items():
        exposed = [
            Change("+", place, f"{label} in the clear")
            for place, text in new
            if is_in_clear(secret, text) and not _is_at(place, secret, history.before)
        ]
        if exposed:
            yield Violation(f"{label} is written down in the clear", tuple(exposed))


def _is_at(place: str, secret: bytes, world: World) -> bool:
    texts = [entries[place].held for entries in (world.entries, world.private_entries) if place in entries]
    for tables in (world.tables, world.private_tables, world.resources):
        texts += [_text_of(rows) for name, rows in tables.items() if name == place]
    return any(is_in_clear(secret, text) for text in texts)


def _texts(world: World, before: World) -> Iterator[tuple[str, Content]]:
    """Yield what can be read at each place: no file that was so `before`, nor the parts of a large table that were."""
    pairs = (world.entries, before.entries), (world.private_entries, before.private_entries)
    for entries, known in pairs:
        for path, entry in new_in(entries, known):
            yield path, entry.held
    kinds = [(each.tables, each.private_tables, each.resources) for each in (world, before)]
    for tables, earlier in zip(*kinds, strict=True):
        for name, rows in tables.items():
            yield name, _text_of(not_shared(rows, earlier.get(name, []))[0])


def _text_of(rows: list[Row]) -> bytes:
    """Return the values of rows, a line each, behind the names of their columns."""
    return b"\n".join(_encoded(column) + b"=" + _encoded(value) for row in rows for column, value in row.items())


def _encoded(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")
