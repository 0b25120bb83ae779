"""Anthropic's errors in its own words.

Types and statuses are those of its reference page on errors; wordings of a missing key are from n8n-io/n8n#37930, of a
wrong one from claude-task-master#222.
"""

from collections.abc import Mapping

from ..values.http import HttpRequest, HttpResponse
from .credentials import bearer, shown
from .wire import digest

_USUAL: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "The request is not valid."),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "The requested resource could not be found."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit. Please try again later."),
    500: ("api_error", "Internal server error"),
    503: ("overloaded_error", "Overloaded"),
    529: ("overloaded_error", "Overloaded"),
}


def error(
    request: HttpRequest, status: int, message: str = "", headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Build the error that comes with `status`; an empty message means the usual one, about the key of `request`."""
    type, usual = _USUAL.get(status, ("api_error", f"The request failed with status {status}."))
    if status == 401 and bearer(request):
        usual = "Invalid bearer token"
    elif status == 401 and not shown(request):
        usual = "x-api-key header is required"
    id = f"req_{digest(request.url, request.body.decode(errors='replace'), status)[:24]}"
    document = {"type": "error", "error": {"type": type, "message": message or usual}, "request_id": id}
    return HttpResponse.of_json(status, document, {"request-id": id, **(headers or {})})
