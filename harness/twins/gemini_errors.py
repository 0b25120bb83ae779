"""Gemini's errors in Google's form and words.

Sources: statuses and their names, the API's page on troubleshooting; wordings of 429, google-gemini/gemini-cli#19976
and #8437 (with the details), of a malformed key and of none, the tests of several clients.
"""

from collections.abc import Mapping
from typing import Any

from ..values.http import HttpRequest, HttpResponse
from .credentials import shown

_USUAL: Mapping[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: (
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential.",
    ),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    500: ("INTERNAL", "An internal error has occurred. Please retry."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The request timed out. Please try again."),
}
_NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
    "form of API consumer identity to call this API."
)
_RETRY = "type.googleapis.com/google.rpc.RetryInfo"


def error(
    request: HttpRequest, status: int, message: str = "", headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Build the error that comes with `status`; an empty message means the usual one.

    Of a request without a key, 401 becomes the 403 that Google answers it with. A wait stands in the details.
    """
    if status == 401 and not message and not shown(request):
        status, message = 403, _NO_KEY
    name, usual = _USUAL.get(status, ("UNKNOWN", f"The request failed with status {status}."))
    told: dict[str, Any] = {"code": status, "message": message or usual, "status": name}
    wait = (headers or {}).get("retry-after", "")
    if wait.isdecimal():
        told["details"] = [{"@type": _RETRY, "retryDelay": f"{wait}s"}]
    return HttpResponse.of_json(status, {"error": told}, headers)
