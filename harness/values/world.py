"""The outside at one time, as a person would look at it: files, rows, resources."""

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from .contents import Content, all_of, legible, size_of
from .rows import Row as Row

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One path: a file with its bytes, a directory, or a symbolic link with its target as bytes.

    `held` is the content as it is held: bytes, or where on disk those of a larger file are kept.
    """

    kind: Literal["file", "dir", "link"]
    mode: int
    held: Content = b""

    @property
    def content(self) -> bytes:
        """All bytes; those of a file above 64 KiB are read anew each time."""
        return all_of(self.held)

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return size_of(self.held)

    @property
    def legible(self) -> bytes:
        """The form that is read, masked and compared: all bytes, of a file above 4 MiB a name for its content."""
        return legible(self.held)


class Named(dict[str, _T]):
    """Things by their name below a source (``shared/a.md``); ``a.md`` finds one too where only one source has it."""

    def __missing__(self, name: str) -> _T:
        below = [full for full in self if full.partition("/")[2] == name]
        if len(below) != 1:
            raise KeyError(name)
        return self[below[0]]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or sum(full.partition("/")[2] == name for full in self) == 1

    def get(self, name: str, default: Any = None) -> Any:
        """Return the entry of this name, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default


class Files(Named[bytes]):
    """Contents by path, read when they are asked for where they are held on disk."""

    def __init__(self, held: Mapping[str, Content]) -> None:
        super().__init__(held)  # type: ignore[arg-type]  # nobody gets one out of here unread

    def __getitem__(self, name: str) -> bytes:
        return all_of(super().__getitem__(name))

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()

    def items(self) -> ItemsView[str, bytes]:  # type: ignore[override]
        """Return pairs of path and content."""
        return ItemsView(self)

    def values(self) -> ValuesView[bytes]:  # type: ignore[override]
        """Return the contents."""
        return ValuesView(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self.keys() == other.keys() and all(other[k] == self[k] for k in self)

    __hash__ = None  # type: ignore[assignment]


class Collections(Named[list[Row]]):
    """Resources by ``host/things``; a collection of a declared service that has none is an empty list."""

    def __init__(self, found: Mapping[str, list[Row]], hosts: Iterable[str] = ()) -> None:
        super().__init__(found)
        self._hosts = tuple(hosts)

    def __missing__(self, name: str) -> list[Row]:
        if name.startswith(self._hosts):
            return []
        return super().__missing__(name)


@dataclass(frozen=True, slots=True)
class TableShape:
    """The references of a table: its generated integer key, and columns that point at another table's key."""

    key: str = ""
    refers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class World:
    """External state by readable names.

    Attributes:
        entries: watched paths other than SQLite files, ``source/relative`` → Entry.
        tables: watched tables, ``source/relative.db:table`` → rows in the order of their rowid.
        resources: live resources of REST services, ``host/things`` → resources in the order of creation.
        private_entries: the same for the agent's own folders.
        private_tables: the same for databases in the agent's own folders.
        shapes: references in tables, by the names in `tables` and `private_tables`.
        schemas: text of each database's schema and its user_version, ``source/relative.db`` → text.
        logs: what of a database is only in its log or journal, for databases that have one; never compared.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    tables: Mapping[str, list[Row]] = field(default_factory=dict)
    resources: Mapping[str, list[Row]] = field(default_factory=dict)
    private_entries: Mapping[str, Entry] = field(default_factory=dict)
    private_tables: Mapping[str, list[Row]] = field(default_factory=dict)
    shapes: Mapping[str, TableShape] = field(default_factory=dict)
    schemas: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def files(self) -> Named[bytes]:
        """Watched regular files and their bytes."""
        return _files(self.entries)

    @property
    def private_files(self) -> Named[bytes]:
        """Regular files of the agent's own folders and their bytes."""
        return _files(self.private_entries)


def _files(entries: Mapping[str, Entry]) -> Named[bytes]:
    held = {path: entry.held for path, entry in entries.items() if entry.kind == "file"}
    small = {path: content for path, content in held.items() if isinstance(content, bytes)}
    return Named(small) if len(small) == len(held) else Files(held)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `sign` is "+" (too much), "-" (missing) or "~" (not the same), `name` what, `detail` how."""

    sign: Literal["+", "-", "~"]
    name: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {self.name}" + (f": {self.detail}" if self.detail else "")


Diff = tuple[Change, ...]
