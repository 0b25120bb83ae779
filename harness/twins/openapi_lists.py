"""Lists in the shape that an OpenAPI document gives them: filtered, cut into pages, with the properties around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..values.http import HttpRequest
from ..values.world import Row
from .listing import as_text, place_behind
from .openapi_checks import Rejected
from .openapi_document import Document, Node
from .openapi_paths import Form, Operation
from .openapi_values import MISSING, type_of

_SIZES = ("limit", "pagesize", "perpage", "size", "maxresults", "maxitems", "pagelimit", "top", "first")
_PAGES = ("page", "pagenumber", "pageindex")
_OFFSETS = ("offset", "skip", "pageoffset", "startindex")
_CURSORS = ("cursor", "after", "startingafter", "pagetoken", "nexttoken", "continuationtoken", "marker", "pageafter")
_USUAL_SIZE = 30


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes:
        rows: by their keys, in order.
        total: how many there are in all pages.
        start: how many stand before the first one.
        size: how many a page has at most.
        request: that asked for it.
        words: the parameters that say which page, by "size", "page", "offset" and "cursor".
        first: number of the first page.
        late: the keys of the rows that the list lacks, since it lags.
    """

    rows: Mapping[str, Row]
    total: int
    start: int
    size: int
    request: HttpRequest
    words: Mapping[str, str]
    first: int = 1
    late: Sequence[str] = ()

    @property
    def more(self) -> bool:
        """Return whether anything comes after it."""
        return self.start + len(self.rows) < self.total and bool(self.rows)

    @property
    def cursor(self) -> str:
        """Return the cursor of the next page: the key of the last row of this one."""
        return list(self.rows)[-1] if self.more else ""

    @property
    def number(self) -> int:
        """Return the number of the page."""
        return self.start // max(1, self.size) + self.first

    @property
    def next_url(self) -> str:
        """Return the address of the next page; "" for none."""
        changed = {"cursor": self.cursor, "page": str(self.number + 1), "offset": str(self.start + self.size)}
        name = next((kind for kind in ("cursor", "page", "offset") if kind in self.words), "")
        if not self.more or not name:
            return ""
        query = {**self.request.query, self.words[name]: changed[name]}
        return urlunsplit(urlsplit(self.request.url)._replace(query=urlencode(query), fragment=""))


def page_of(
    operation: Operation,
    request: HttpRequest,
    rows: Mapping[str, Row],
    schema: Any,
    late: Mapping[str, Row] | None = None,
) -> Page:
    """Return the page of `rows` that a request asks for; raises Rejected for a page that is none.

    A parameter that is a property of the things filters them; one that is none, and no word for pages, does nothing.
    Rows that are `late` are filtered, too, and stand on no page.
    """
    document = operation.document
    properties = document.properties(schema)
    query = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    parameters = {
        one["name"]: document.flat(one.get("schema", {})) for one in operation.parameters if one["in"] == "query"
    }
    words = {kind: name for name in parameters if (kind := _kind_of(name))}
    for kind in ("page", "offset"):
        if kind in words and type_of(parameters[words[kind]]) == "string":  # a text is handed back as it came
            words.setdefault("cursor", words.pop(kind))
    found, late = dict(rows), dict(late or {})
    for name, parameter in parameters.items():
        plain = name.removesuffix("[]")
        if name in words.values() or plain not in properties:
            continue
        sent = [part for key, text in query if key in (name, plain) for part in text.split(",")]
        default = parameter.get("default", [])
        wanted = sent or [as_text(one) for one in (default if isinstance(default, list) else [default])]
        if wanted and not {"all", "any"} & set(wanted):
            found, late = (
                {key: row for key, row in some.items() if _is_one(row.get(plain), wanted)} for some in (found, late)
            )
    sent_values = dict(query)
    values = {kind: sent_values.get(name, _usual(kind, parameters[name])) for kind, name in words.items()}
    first = (
        0 if "page" in words and 0 in (parameters[words["page"]].get(word) for word in ("default", "minimum")) else 1
    )
    return replace(_cut(found, values, words, first, request), late=tuple(late))


def _cut(
    rows: Mapping[str, Row], values: Mapping[str, Any], words: Mapping[str, str], first: int, request: HttpRequest
) -> Page:
    pages = any(values.get(kind) is not None for kind in ("size", "page", "offset", "cursor"))
    size = _number(words.get("size", ""), values.get("size") or _USUAL_SIZE) if pages else len(rows)
    keys, start = list(rows), 0
    if values.get("cursor"):
        try:
            start = place_behind(rows, lambda key: bool(key == values["cursor"]))
        except ValueError:
            gone = f"{words['cursor']}: {values['cursor']!r} is none of this list, or it is gone."
            raise Rejected(gone, 400, 422) from None
    elif values.get("offset") is not None:
        start = _number(words["offset"], values["offset"])
    elif values.get("page") is not None:
        start = max(0, _number(words["page"], values["page"]) - first) * size
    shown = {key: rows[key] for key in keys[start : start + size]}
    return Page(shown, len(rows), start, size, request, words, first)


def _usual(kind: str, parameter: Node) -> int | None:
    """Return the number that counts where a parameter is not sent; the first page needs no cursor."""
    try:
        return None if kind == "cursor" else _number("default", parameter.get("default"))
    except Rejected:
        return None


def _number(word: str, value: Any) -> int:
    """Return a whole number from 0 on; raises Rejected for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not number.is_integer() or number < 0:
        raise Rejected(f"{word}: {value!r} is no whole number from 0 on.", 400, 422)
    return int(number)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _kind_of(parameter: str) -> str:
    plain = _plain(parameter)
    kinds = {"size": _SIZES, "page": _PAGES, "offset": _OFFSETS, "cursor": _CURSORS}
    return next((kind for kind, words in kinds.items() if plain in words), "")


def _is_one(value: Any, wanted: Sequence[str]) -> bool:
    """Return whether a value, or an element of it if it is a list, is one of those that a query names."""
    if isinstance(value, list):
        return any(_is_one(one, wanted) for one in value)
    if isinstance(value, dict):
        return any(_is_one(one, wanted) for one in value.values())
    return as_text(value) in wanted


def wrapped(document: Document, schema: Any, form: Form, page: Page) -> Any:
    """Return a page in the form of an answer, with the properties around it as far as they are known."""
    rows = list(page.rows.values())
    flat = document.flat(schema)
    return rows if not form.at else {**_around(document, flat, page), form.at: rows}


def _around(document: Document, flat: Node, page: Page, depth: int = 0) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for name, schema in flat.get("properties", {}).items():
        part = document.flat(schema)
        if type_of(part) == "object" and depth < 2:
            if inside := _around(document, part, page, depth + 1):
                known[name] = inside
            continue
        value = _said(name, part, page)
        if value is None and not document.fits(schema, None):
            value = "" if name in flat.get("required", ()) and type_of(part) == "string" else MISSING
        if value is not MISSING and document.fits(schema, value):
            known[name] = value
    return known


def _said(name: str, schema: Node, page: Page) -> Any:
    """Return the value of a property beside a list; None for a page that is not there, MISSING for an unknown one."""
    plain, kind = _plain(name), type_of(schema)
    if kind == "boolean":
        return (
            page.more if plain in ("hasmore", "hasnext", "hasnextpage", "more", "truncated", "istruncated") else MISSING
        )
    if kind in ("integer", "number"):
        pages = -(-page.total // max(1, page.size))
        numbers: dict[str, int | None] = {"page": page.number, "currentpage": page.number}
        numbers |= {"pages": pages, "totalpages": pages}
        numbers |= {"lastpage": pages, "nextpage": page.number + 1 if page.more else None}
        numbers |= dict.fromkeys(("offset", "skip", "start"), page.start) | dict.fromkeys(_SIZES, page.size)
        all_of_them = page.total if plain.endswith("count") or plain.startswith("total") else MISSING
        return numbers.get(plain, all_of_them)
    if kind == "string" and plain.startswith(("next", "prev")):
        if plain.startswith("prev"):
            return None
        is_address = plain in ("nexturl", "nextlink") or "uri" in schema.get("format", "")
        is_address = is_address or (plain in ("next", "nextpage") and "cursor" not in page.words)
        return (page.next_url if is_address else page.cursor) or None
    if kind == "string" and plain in ("cursor", "endcursor", "continuationtoken", _plain(page.words.get("cursor", ""))):
        return page.cursor or None
    return page.request.path if kind == "string" and plain == "url" else MISSING
