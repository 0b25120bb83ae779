"""The body of a request to a REST service, as what a resource is made of."""

import json

from ..values.http import HttpRequest
from ..values.world import Row


class BadBody(ValueError):
    """A body that is no content of a resource; its text says why."""


def content_of(request: HttpRequest) -> Row:
    """Return the body's JSON object, or the fields of a form; keys are sorted on every level.

    An empty body is an empty object. Raises BadBody for anything else.
    """
    try:
        document = request.form() if _is_form(request) else json.loads(request.body or b"{}")
        text = json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
        text.encode()  # half a surrogate pair can be parsed and never be answered
    except (ValueError, RecursionError) as problem:
        raise BadBody(f"The body is not valid {'text' if _is_form(request) else 'JSON'}: {problem}") from None
    if not isinstance(document, dict):
        raise BadBody(f"The body must be a JSON object, not {text[:80]}")
    content: Row = json.loads(text)
    return content


def _is_form(request: HttpRequest) -> bool:
    kind = request.headers.get("content-type", "").lower()
    return kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data"))
