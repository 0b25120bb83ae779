"""The values that a handler may return, made into responses."""

import json
from collections.abc import Mapping
from typing import Any

from ..values.errors import ChaosError, shown
from ..values.http import HttpResponse

_FORMS = 'a dict or list (200, JSON), a text, (status, body) or (status, body, headers), e.g. (404, {"error": "gone"})'


class Refused(Exception):
    """Carries the answer to a request that a service does not act on, in a form that `response_of` takes."""

    def __init__(self, answer: object) -> None:
        super().__init__(answer)
        self.answer = answer


def response_of(answer: object, what: str) -> HttpResponse:
    """Return the response for the value that a handler returned; `what` names the handler in an error.

    A dict or list is JSON, a text or bytes are themselves, each with status 200; ``(status, body)`` and
    ``(status, body, headers)`` say more; a header with a list of texts is sent once for each. A body of None is empty.

    Raises:
        ChaosError: ``bad-answer`` for anything else.
    """
    if isinstance(answer, HttpResponse):
        return answer
    status, body, headers = _parts(answer, what)
    names = {str(name).lower(): _lines(value) for name, value in headers.items()}
    if isinstance(body, (dict, list)):
        try:
            # What JSON does not have, no client can read.
            text = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as problem:
            raise ChaosError("bad-answer", f"{what} returns what is no JSON: {problem}", f"return {_FORMS}") from None
        return HttpResponse(status, {"content-type": "application/json", **names}, text)
    if isinstance(body, str):
        try:
            return HttpResponse(status, {"content-type": "text/plain; charset=utf-8", **names}, body.encode())
        except UnicodeEncodeError:  # half of a surrogate pair
            raise _bad(answer, what) from None
    if isinstance(body, bytes):
        return HttpResponse(status, {"content-type": "application/octet-stream", **names}, body)
    if body is None and isinstance(answer, tuple):
        return HttpResponse(status, names)
    raise _bad(answer, what)


def _parts(answer: object, what: str) -> tuple[int, object, Mapping[Any, Any]]:
    if not isinstance(answer, tuple):
        return 200, answer, {}
    status, body, headers = (*answer, None, None, None)[:3]
    right = len(answer) in (2, 3) and isinstance(status, int) and not isinstance(status, bool)
    if not right or not 200 <= status <= 599 or not isinstance(headers or {}, Mapping):
        raise _bad(answer, what)
    return status, body, headers or {}


def _lines(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _bad(answer: object, what: str) -> ChaosError:
    return ChaosError("bad-answer", f"{what} returns {shown(answer)}, which is no answer", f"return {_FORMS}")
