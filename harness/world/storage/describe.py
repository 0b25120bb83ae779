"""Turn raw bytes into what a person would see: paths, rows, resources."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from operator import itemgetter

from ...values.contents import Content
from ...values.rows import REMEMBERED_ROWS_BYTES, ROW_BYTES, Part, Rows, parts_of
from ...values.trees import Tree, above
from ...values.world import Entry, Named, Row, TableShape, World
from .disk import DiskState, RawEntry, Source
from .raw import SIBLINGS, Key, folder_of
from .remembering import Remembered
from .sqlite_rows import SUFFIXES, Tables, is_database, log_of, read_tables


@dataclass
class _Part:
    """Watched things, or private ones; those of one folder, or all of them folder by folder."""

    entries: dict[str, Entry] = field(default_factory=dict)
    tables: Named[list[Row]] = field(default_factory=Named)
    schemas: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, TableShape] = field(default_factory=dict)
    folders: dict[Hashable, dict[str, Entry]] = field(default_factory=dict)

    @cached_property
    def all_entries(self) -> Tree[str, Entry]:
        """All entries, once all folders were added."""
        return Tree(self.folders, above)

    def add(self, other: "_Part") -> None:
        """Add the entries of a folder."""
        self.tables.update(other.tables)
        for name in ("schemas", "logs", "shapes"):
            getattr(self, name).update(getattr(other, name))
        if other.entries:
            folder = above(next(iter(other.entries)))
            known = self.folders.get(folder)
            self.folders[folder] = other.entries if known is None else {**known, **other.entries}


_described: Remembered[tuple[int, Source], tuple[object, _Part]] = Remembered(64 << 20)
"""What a folder came to, by the part of a state: kept with it, so that no other one has its id."""
_alike: Remembered[tuple[Source, tuple[tuple[Key, RawEntry], ...]], _Part] = Remembered(64 << 20)
"""What folders came to, by all that is in them: most executions pass through folders that others passed through."""
_wholes: Remembered[tuple[tuple[bool, int], ...], tuple[object, tuple[_Part, _Part]]] = Remembered(64 << 20)
"""All folders together, by what each came to, kept with it: states that are alike share what they mean."""
_trimmed: Remembered[tuple[int, frozenset[str]], tuple[Part, Part]] = Remembered(REMEMBERED_ROWS_BYTES)
"""Parts of tables without ignored columns, each with the part that it was made of."""


def world_of(sources: Sequence[Source], state: DiskState, resources: Mapping[str, list[Row]]) -> World:
    """Name all that is in `state`: ``source/relative``, or just ``source`` for what the source itself is.

    A folder that is a source is an entry of its own, so that a missing one shows. Rows are shared between worlds: do
    not change them.
    """
    key = tuple(sources)
    cached = state.described.get("world")
    if cached is None or cached[0] != key:
        cached = (key, _describe(key, state))
        state.described["world"] = cached
    watched, private = cached[1]
    return World(
        watched.all_entries,
        watched.tables,
        resources,
        private.all_entries,
        private.tables,
        {**watched.shapes, **private.shapes},
        {**watched.schemas, **private.schemas},
        {**watched.logs, **private.logs},
    )


def _describe(sources: tuple[Source, ...], state: DiskState) -> tuple[_Part, _Part]:
    found = list(_folders(sources, state))

    def make() -> tuple[object, tuple[_Part, _Part]]:
        parts = (_Part(), _Part())
        for private, part in found:
            parts[private].add(part)
        return found, parts

    key = tuple((private, id(part)) for private, part in found)
    return _wholes.get(key, make, lambda made: 4000 + 150 * len(found))[1]


def _folders(sources: tuple[Source, ...], state: DiskState) -> Iterator[tuple[bool, _Part]]:
    """Yield what each folder came to, and whether it is private."""
    tree = Tree.of(state.files, folder_of)
    for folder in sorted(tree.parts):  # type: ignore[type-var]
        index: int = folder[0]  # type: ignore[index]
        source, files = sources[index], tree.parts[folder]
        root = tree.get((index, ""))
        is_folder = root is not None and root.kind == "dir"
        if folder == (index, "/") and not is_folder:
            files = {**tree.parts.get((index, ""), {}), **files}
            yield source.private, _equal_folder(source, files, [(index, "")])
        elif is_folder:  # else it is what lies beside a database
            yield source.private, _known_folder(source, files)


def _known_folder(source: Source, files: dict[Key, RawEntry]) -> _Part:
    """Describe a folder that was perhaps described before, as a part of another state."""

    def make() -> tuple[object, _Part]:
        return files, _equal_folder(source, files, sorted(files))

    return _described.get((id(files), source), make, lambda known: 200 * len(files))[1]


def _equal_folder(source: Source, files: Mapping[Key, RawEntry], told: Sequence[Key]) -> _Part:
    """Describe the paths `told` of a folder; one that is equal to a known one is the same object."""

    def make() -> _Part:
        return _describe_folder(source, files, {key[1]: files[key] for key in told})

    key = source, tuple(sorted(files.items(), key=itemgetter(0)))
    return _alike.get(key, make, lambda part: 400 * len(files))


def _describe_folder(source: Source, files: Mapping[Key, RawEntry], told: Mapping[str, RawEntry]) -> _Part:
    """Describe the paths `told` of one folder, in which `files` are."""
    part, beside = _Part(), {relative: entry for (_, relative), entry in files.items()}
    for relative, entry in told.items():
        if (relative and _is_ignored(relative, source.ignore)) or entry.kind == "other":
            continue
        name = f"{source.name}/{relative}" if relative else source.name
        if entry.kind == "file":
            if _is_sibling(relative, beside):
                continue
            if files_of_it := _database(relative, entry.held, beside, source):
                tables = read_tables(*files_of_it)
                if tables is not None:
                    part.logs[name] = log_of(*files_of_it)
                    _add_tables(part, name, tables, source.ignore)
                    continue
        part.entries[name] = Entry(entry.kind, entry.mode, entry.held)
    return part


def _is_ignored(relative: str, globs: tuple[str, ...]) -> bool:
    """Return whether a glob matches the path, its last part, or a folder it lies in."""
    if not globs:
        return False
    steps = relative.split("/")
    names = {*steps, *("/".join(steps[:count]) for count in range(1, len(steps) + 1))}
    return any(fnmatchcase(name, glob.rstrip("/").removeprefix("./")) for glob in globs for name in names)


def _is_sibling(relative: str, files: Mapping[str, RawEntry]) -> bool:
    """Return whether a path is the ``-wal`` or ``-journal`` of a database, which is never a path of its own."""
    for suffix in SIBLINGS:
        if relative.endswith(suffix):
            base = relative.removesuffix(suffix)
            entry = files.get(base)
            content = entry.held if entry is not None and entry.kind == "file" else None
            return base.endswith(SUFFIXES) or (content is not None and is_database(base, content, has_sibling=True))
    return False


def _database(
    relative: str, content: Content, files: Mapping[str, RawEntry], source: Source
) -> tuple[Content, Content | None, Content | None] | None:
    """Return the content of a database, of its log and its journal; None for a file that is no database."""
    wal, journal = (files.get(relative + suffix) for suffix in SIBLINGS)
    if not is_database(relative or source.path.name, content, wal is not None or journal is not None):
        return None
    return content, wal.held if wal else None, journal.held if journal else None


def _add_tables(part: _Part, name: str, tables: Tables, ignore: tuple[str, ...]) -> None:
    part.schemas[name] = tables.schema
    for table, rows in tables.rows.items():
        if any(fnmatchcase(table, glob) for glob in ignore):
            continue
        part.tables[f"{name}:{table}"] = _without(rows, table, ignore)
        shape = tables.shapes[table]
        refers = {column: f"{name}:{target}" for column, target in shape.refers.items()}
        part.shapes[f"{name}:{table}"] = TableShape(shape.key, refers)


def _without(rows: list[Row], table: str, ignore: tuple[str, ...]) -> list[Row]:
    """Leave out the columns that a ``table.column`` glob matches."""
    dropped = {
        column for column in (rows[0] if rows else ()) if any(fnmatchcase(f"{table}.{column}", glob) for glob in ignore)
    }
    if not dropped:
        return rows
    return Rows(_part_without(part, frozenset(dropped)) for part in parts_of(rows))


def _part_without(part: Part, dropped: frozenset[str]) -> Part:
    """Leave columns out of a part of a table, which was perhaps met before."""

    def make() -> tuple[Part, Part]:
        return part, [{key: row[key] for key in row if key not in dropped} for row in part]

    return _trimmed.get((id(part), dropped), make, lambda made: 2 * ROW_BYTES * len(part))[1]
