"""Reading again what the agent wrote: a point only where a fault is tried that damages what is read.

What was there before the first process is not the agent's own, and reading it no point. Nor is it damaged between two
reads of one process: what that has read whole stays so. A file is read where Python's ``open`` opens it for reading
alone; it is damaged then where it lies, and the parent puts it back when the process has ended. A row is read where a
query returns it. Its database is not touched: every query of this process of that table returns the damaged value,
while conditions within statements see it whole.
"""

import builtins
import functools
import io
import os
import stat
from collections.abc import Callable
from typing import Any

from ...values.actions import Damage
from ...values.media.file import FILE
from ...values.media.sqlite import SQLITE
from ...values.protocol import FileDamaged
from .. import patching
from ..gate import Gate
from ..resolved import ResolvedInjection
from .scope import Scope, is_sqlite_side_file

_real_open, _real_stat, _real_fstat, _real_access = open, os.stat, os.fstat, os.access


class Rereading:
    """Makes reads points while a fault is tried that damages stored data."""

    def __init__(self, gate: Gate, scope: Scope) -> None:
        self._gate, self._scope = gate, scope
        self._given: frozenset[str] | None = None
        self._opens_pass = False
        self._own: set[int] = set()
        self._values: dict[tuple[str, str | bytes], str | bytes] = {}
        self._files: set[tuple[int, int, int]] = set()

    def know(self, given: frozenset[str] | None) -> None:
        """Set the names of the files that the agent did not write; None turns points of reads off."""
        self._given = given
        self._values.clear()
        self._files.clear()
        if self.on and not self._opens_pass:
            self._opens_pass = True
            for module in (builtins, io):
                patching.replace(module, "open", self._opening)

    @property
    def on(self) -> bool:
        """Return whether the agent's reads of its own writes are points now."""
        return self._given is not None and self._gate.active

    def opening(self, connection: object, path: str) -> None:
        """Note whether a database that a connection opens is the agent's own."""
        (self._own.add if self.on and self._is_own(path) else self._own.discard)(id(connection))

    def query(self, cursor: Any, target: str) -> None:
        """Pass before a query of a database; its first row with a text or blob may come damaged."""
        if id(cursor.connection) in self._own:
            resolved, damage = self._passed(SQLITE.kind, target)
            plain = getattr(cursor.row_factory, "plain", cursor.row_factory)  # of a cursor that had a query before
            cursor.row_factory = self._rows(target, damage, plain)
            cursor.row_factory.plain = plain
            self._gate.fired(resolved)

    def _rows(self, target: str, damage: Damage | None, factory: Callable[..., Any] | None) -> Callable[..., Any]:
        """Return a row factory that replaces damaged values, and damages one more with `damage`."""
        left = [damage] if damage is not None else []

        def made(cursor: Any, row: tuple[Any, ...]) -> Any:
            fresh = [value for value in row if _length(value) and (target, value) not in self._values]
            if left and fresh:
                # Bits are hit by size: the longest text is the likeliest.
                longest = max(fresh, key=_length)
                self._values[target, longest] = _flipped(longest, left.pop())
            read = tuple(self._values.setdefault((target, value), value) if _length(value) else value for value in row)
            return read if factory is None else factory(cursor, read)

        return made

    def _damage(self, file: Any, damage: Damage) -> None:
        """Damage a file where it lies; the parent hears of it first."""
        with self._gate.untraced():
            path = os.path.realpath(self._scope.full_path(file) or "")
            with _real_open(path, "rb") as whole:
                content = whole.read()
            hit = damage.of(len(content))
            flipped = content[:hit] + bytes([content[hit] ^ 1]) + content[hit + 1 :]
            damaged = FileDamaged(path, content, flipped if damage.how == "flipped" else content[:hit])
            # The parent first: it must be able to put the file back whatever becomes of this process.
            self._gate.channel.tell(damaged)
            damaged.repeat()

    def _is_own(self, path: Any) -> bool:
        full = self._scope.full_path(path)
        found = None if full is None else self._scope.names(full)
        return found is not None and found[0] not in (self._given or ()) and not is_sqlite_side_file(found[0])

    def _can_damage(self, file: Any) -> bool:
        """Return whether this process can read a file, and write it, if need be under another mode meanwhile."""
        path = self._scope.full_path(file) or ""
        may_write = _real_access(path, os.W_OK) or _real_stat(path).st_uid == os.geteuid()
        return may_write and _real_access(path, os.R_OK)

    def _is_fresh(self, file: Any) -> bool:
        """Return whether a file has a content that this process has not read yet; it is read now."""
        try:
            found = _real_fstat(file) if isinstance(file, int) else _real_stat(file)
        except (OSError, TypeError, ValueError):
            return False
        known = found.st_ino, found.st_size, found.st_mtime_ns
        fresh = stat.S_ISREG(found.st_mode) and found.st_size > 0 and known not in self._files
        self._files.add(known)
        return fresh

    def _passed(self, kind: str, target: str) -> tuple[ResolvedInjection | None, Damage | None]:
        """Pass a point of a read; returns the damage that is planned there, and the injection that does it."""
        with self._gate.holding_token(kind, "read", target):
            resolved = self._gate.arrive(kind, "read", target).phase("before")
        damage = resolved.action if resolved is not None and isinstance(resolved.action, Damage) else None
        return (resolved if damage is not None else None), damage

    def _opening(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def opened(file: Any, mode: str = "r", *others: Any, **named: Any) -> Any:
            reads = self.on and isinstance(mode, str) and not set(mode) - set("rbt") and self._is_fresh(file)
            name = (
                self._scope.name(file, follow=True) if reads and self._is_own(file) and self._can_damage(file) else None
            )
            resolved, damage = (None, None) if name is None else self._passed(FILE.kind, name)
            if damage is not None:
                self._damage(file, damage)
                self._gate.fired(resolved)
            return original(file, mode, *others, **named)

        return opened


def _length(value: object) -> int:
    return len(value) if isinstance(value, (str, bytes)) else 0


def _flipped(value: str | bytes, damage: Damage) -> str | bytes:
    content = bytearray(value.encode(errors="surrogateescape") if isinstance(value, str) else value)
    content[damage.of(len(content))] ^= 1
    return content.decode(errors="surrogateescape") if isinstance(value, str) else bytes(content)
