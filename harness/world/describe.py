"""Turn raw bytes into what a person would see: paths, rows, resources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ..values.contents import Content
from ..values.world import Entry, Named, Row, TableShape, World
from .disk import DiskState, RawEntry, Source
from .sqlite_rows import SUFFIXES, Tables, is_database, log_of, read_tables

_SIBLINGS = ("-wal", "-journal")


@dataclass(slots=True)
class _Part:
    """Watched things, or private ones."""

    entries: dict[str, Entry] = field(default_factory=dict)
    tables: Named[list[Row]] = field(default_factory=Named)
    schemas: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, TableShape] = field(default_factory=dict)


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
        watched.entries,
        watched.tables,
        resources,
        private.entries,
        private.tables,
        {**watched.shapes, **private.shapes},
        {**watched.schemas, **private.schemas},
        {**watched.logs, **private.logs},
    )


def _describe(sources: tuple[Source, ...], state: DiskState) -> tuple[_Part, _Part]:
    parts = (_Part(), _Part())
    by_source: dict[int, dict[str, RawEntry]] = {}
    for (index, relative), entry in sorted(state.files.items()):
        by_source.setdefault(index, {})[relative] = entry
    for index, files in by_source.items():
        _describe_source(sources[index], files, parts[sources[index].private])
    return parts


def _describe_source(source: Source, files: Mapping[str, RawEntry], part: _Part) -> None:
    root = files.get("")
    for relative, entry in files.items():
        if relative and (root is None or root.kind != "dir"):
            continue  # what lies beside a database
        if entry.kind == "other":
            continue
        if relative and _is_ignored(relative, source.ignore):
            continue
        name = f"{source.name}/{relative}" if relative else source.name
        if entry.kind == "file":
            if _is_sibling(relative, files):
                continue
            if files_of_it := _database(relative, entry.held, files, source):
                tables = read_tables(*files_of_it)
                if tables is not None:
                    part.logs[name] = log_of(*files_of_it)
                    _add_tables(part, name, tables, source.ignore)
                    continue
        part.entries[name] = Entry(entry.kind, entry.mode, entry.held)


def _is_ignored(relative: str, globs: tuple[str, ...]) -> bool:
    """Say whether a glob matches the path, its last part, or a folder it lies in."""
    if not globs:
        return False
    steps = relative.split("/")
    names = {*steps, *("/".join(steps[:count]) for count in range(1, len(steps) + 1))}
    return any(fnmatchcase(name, glob.rstrip("/").removeprefix("./")) for glob in globs for name in names)


def _is_sibling(relative: str, files: Mapping[str, RawEntry]) -> bool:
    """Say whether a path is the ``-wal`` or ``-journal`` of a database, which is never a path of its own."""
    for suffix in _SIBLINGS:
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
    wal, journal = (files.get(relative + suffix) for suffix in _SIBLINGS)
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
    return [{key: row[key] for key in row if key not in dropped} for row in rows] if dropped else rows
