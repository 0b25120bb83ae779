"""The query of a list request: fields that must be equal, an order, and a page."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..values.http import HttpRequest
from ..values.world import Row

WORDS = ("page", "per_page", "limit", "offset", "cursor", "sort")
_USUAL_SIZE = 30


class BadQuery(ValueError):
    """A query that cannot be answered; its text says why."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of rows.

    Attributes:
        rows: of this page, in order.
        link: value of the header ``Link``; "" where everything is on one page that nobody asked for.
        unknown: parameters that are no word for pages, and no field of any of the rows there are.
        late: rows that the list will have when it shows them, whatever the page.
    """

    rows: Sequence[Row]
    link: str
    unknown: Sequence[str]
    late: Sequence[Row]


def listed(rows: Sequence[Row], hidden: Sequence[Row], request: HttpRequest) -> Listed:
    """Return the page of `rows` that a request asks for; raises BadQuery for a number or cursor that is none.

    A parameter that is a field of any row, `hidden` ones included, filters by equality, as text; any other one is
    ignored, as real services do; but for the words of pages: ``page`` (from 1) and ``per_page``, ``limit``
    and ``offset``, ``cursor`` (first ""; the next one stands in ``Link``), and ``sort``: fields in a row, each with a
    ``-`` before it for descending. Any of the first five makes pages, of 30 where no size is said.
    """
    query = request.query
    asked = [name for name in query if name not in WORDS]
    there = [*rows, *hidden]
    unknown = [name for name in asked if there and not any(name in row for row in there)]
    wanted = {name: query[name] for name in asked if name not in unknown}
    found, late = (list(filter(partial(_is_wanted, wanted), some)) for some in (rows, hidden))
    for field in reversed(list(filter(None, query.get("sort", "").split(",")))):
        found.sort(key=partial(_order, field.lstrip("-")), reverse=field.startswith("-"))
    if not query.keys() & set(WORDS[:-1]):
        return Listed(found, "", unknown, late)
    return Listed(*paged(found, request), unknown, late)


def paged(rows: Sequence[Row], request: HttpRequest) -> tuple[Sequence[Row], str]:
    """Return the page that a request asks for, the first 30 where it says nothing, and the header ``Link``."""
    start, size = _range(request.query, rows)
    links = _links(request.query, rows, start, size)
    link = ", ".join(f'<{_url(request, changed)}>; rel="{rel}"' for rel, changed in links)
    return rows[start : start + size], link


def page_behind(rows: Sequence[Row], size: int, is_last: Callable[[Row], bool] | None = None) -> tuple[list[Row], bool]:
    """Return the page behind the row that `is_last` knows, of the first rows without one, and whether more follow.

    Raises:
        ValueError: no row is that one.
    """
    start = 0 if is_last is None else place_behind(rows, is_last)
    return list(rows[start : start + size]), start + size < len(rows)


def place_behind(rows: Iterable[Any], is_last: Callable[[Any], bool]) -> int:
    """Return the index behind the row that `is_last` knows; raises ValueError where no row is that one."""
    found = next((place for place, row in enumerate(rows) if is_last(row)), None)
    if found is None:
        raise ValueError("no such row")
    return found + 1


def _is_wanted(wanted: Mapping[str, str], row: Row) -> bool:
    return all(name in row and as_text(row[name]) == value for name, value in wanted.items())


def as_text(value: Any) -> str:
    """Return a value as a query writes it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _order(name: str, row: Row) -> tuple[int, float, str]:
    """Return a sort key that puts numbers before texts, and missing values last."""
    value = row.get(name)
    if isinstance(value, (int, float)):
        return 0, value, ""
    return (1, 0, as_text(value)) if value is not None else (2, 0, "")


def _range(query: Mapping[str, str], rows: Sequence[Row]) -> tuple[int, int]:
    size = _number(query, "per_page" if "per_page" in query else "limit", 1, _USUAL_SIZE)
    if "cursor" in query:
        return _after(query["cursor"], rows), size
    if "offset" in query:
        return _number(query, "offset", 0, 0), size
    return (_number(query, "page", 1, 1) - 1) * size, size


def _after(cursor: str, rows: Sequence[Row]) -> int:
    """Return the index at which the rows behind a cursor begin; it names the last row of the page before."""
    if not cursor:
        return 0
    try:
        return place_behind(rows, lambda row: f"after-{row['id']}" == cursor)
    except ValueError:
        raise BadQuery(f"cursor: {cursor!r} is none of this list, or what it stood for is gone") from None


def _number(query: Mapping[str, str], name: str, least: int, usual: int) -> int:
    text = query.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < least:
        raise BadQuery(f"{name}: a whole number from {least}, not {text!r}")
    return int(text)


def _links(query: Mapping[str, str], rows: Sequence[Row], start: int, size: int) -> "list[tuple[str, dict[str, str]]]":
    """Return the other pages by their relation, each with the parameters that change."""
    more = start + size < len(rows)
    if "cursor" in query:
        return [("next", {"cursor": f"after-{rows[start + size - 1]['id']}"})] if more else []
    last = max(0, (len(rows) - 1) // size)
    here, by_offset = start // size, "offset" in query or ("limit" in query and "page" not in query)
    pages = {"prev": here - 1, "next": here + 1, "first": 0, "last": last}
    there = {rel: page for rel, page in pages.items() if 0 <= page <= last and page != here}
    if by_offset:
        offsets = {"prev": max(0, start - size), "next": start + size, "first": 0, "last": last * size}
        there = {
            rel: offset for rel, offset in offsets.items() if (offset < len(rows) or not offset) and offset != start
        }
        return [(rel, {"offset": str(offset)}) for rel, offset in there.items()]
    return [(rel, {"page": str(page + 1)}) for rel, page in there.items()]


def _url(request: HttpRequest, changed: Mapping[str, str]) -> str:
    return urlunsplit(urlsplit(request.url)._replace(query=urlencode({**request.query, **changed}), fragment=""))
