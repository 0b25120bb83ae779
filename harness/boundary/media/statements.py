"""SQL statements, as far as a point must know them: verb and table, or that one only reads."""

import re
import sqlite3
from collections.abc import Iterator

_SPACE = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|;)*"
_NAME = r"""(?:\w+\.)?["'`\[]?(?P<table>[^\s"'`\](;]+)"""
_STATEMENT = re.compile(
    _SPACE
    + r"(?:(?P<verb>insert|replace)(?:\s+or\s+\w+)?\s+into\s+"
    + _NAME
    + r"|(?P<verb2>update)(?:\s+or\s+\w+)?\s+"
    + _NAME.replace("table", "table2")
    + r"|(?P<verb3>delete)\s+from\s+"
    + _NAME.replace("table", "table3")
    + r"|(?P<verb4>create|drop|alter)\s+(?:temp\w*\s+|unique\s+|virtual\s+)*\w+\s+(?:if\s+(?:not\s+)?exists\s+)?"
    + _NAME.replace("table", "table4")
    + r"|(?P<verb5>begin|commit|end|rollback|release|vacuum|reindex|analyze)\b"
    + r"|(?P<verb6>pragma)\s+(?:\w+\.)?(?P<table6>user_version|application_id)\s*[=(])",
    re.IGNORECASE | re.DOTALL,
)
_WITH = re.compile(_SPACE + r"with\b", re.IGNORECASE | re.DOTALL)
_WRITES = re.compile(r"\b(?:insert|replace|update|delete)\b", re.IGNORECASE)
_TO_SAVEPOINT = re.compile(_SPACE + r"rollback\s+(?:transaction\s+)?to\b", re.IGNORECASE | re.DOTALL)
_ATTACH = re.compile(_SPACE + r"attach\b", re.IGNORECASE | re.DOTALL)


_QUERY = re.compile(_SPACE + r"select\b.*?\bfrom\s+" + _NAME, re.IGNORECASE | re.DOTALL)


def table_read(sql: object) -> str:
    """Return the first table that a query reads; "" for other statements and for SQLite's own tables."""
    match = _QUERY.match(sql) if isinstance(sql, str) else None
    table = match["table"] if match is not None else ""
    return "" if table.lower().startswith("sqlite_") else table


def attaches(sql: object) -> bool:
    """Return whether a statement opens another database."""
    return isinstance(sql, str) and _ATTACH.match(sql) is not None


def effect_of(sql: object) -> tuple[str, str] | None:
    """Return verb and table of a statement that writes or ends a transaction, or None for one that only reads."""
    if not isinstance(sql, str):
        return None
    match = _STATEMENT.match(sql)
    if match is None and _WITH.match(sql):
        found = (_STATEMENT.match(sql, word.start()) for word in _WRITES.finditer(sql))
        match = next((m for m in found if m is not None), None)
    if match is None or _TO_SAVEPOINT.match(sql):
        return None
    groups = {key: value for key, value in match.groupdict().items() if value}
    verb = next(value for key, value in groups.items() if key.startswith("verb")).lower()
    table = next((value for key, value in groups.items() if key.startswith("table")), "")
    return ("commit" if verb == "end" else verb), table


def statements(script: str) -> Iterator[str]:
    """Split a script where SQLite itself says that a statement is complete."""
    begun = ""
    for part in re.split(r"(?<=;)", script):
        begun += part
        if sqlite3.complete_statement(begun):
            yield begun
            begun = ""
    if begun.strip():
        yield begun
