"""OpenAI's errors in its own words."""

from collections.abc import Mapping
from typing import Any

from ..values.http import HttpRequest, HttpResponse
from .credentials import bearer

_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API "
    "from your browser and are prompted for a username and password. You can obtain an API key from "
    "https://platform.openai.com/account/api-keys."
)
_WRONG_KEY = (
    "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys."
)
_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer", float: "a number"}
_NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)
_USUAL: Mapping[int, tuple[str, str, str | None]] = {
    400: ("The request is not valid.", "invalid_request_error", None),
    401: (_WRONG_KEY, "invalid_request_error", "invalid_api_key"),
    429: (
        "Rate limit reached for requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s. Visit "
        "https://platform.openai.com/account/rate-limits to learn more.",
        "requests",
        "rate_limit_exceeded",
    ),
    500: (
        "The server had an error while processing your request. Sorry about that! You can retry your request, or "
        "contact us through our help center at help.openai.com if the error persists.",
        "server_error",
        "server_error",
    ),
    503: ("The engine is currently overloaded, please try again later.", "server_error", "service_unavailable"),
}


def error(
    status: int,
    message: str = "",
    headers: Mapping[str, str] | None = None,
    request: HttpRequest | None = None,
) -> HttpResponse:
    """Build the error that comes with `status`; an empty message means the usual one, about the key of `request`."""
    usual, type, code = _USUAL.get(status, (f"The request failed with status {status}.", "server_error", None))
    key = bearer(request) if request else ""
    if status == 401 and not key:
        usual, code = _NO_KEY, None
    return _body(status, message or usual.replace("{key}", _masked(key)), type, None, code, headers)


def invalid(message: str, param: str | None = None, code: str | None = None) -> HttpResponse:
    """Build a 400 about one parameter."""
    return _body(400, message, "invalid_request_error", param, code, None)


def not_json() -> HttpResponse:
    """Build the 400 about a body that is no JSON object."""
    return error(400, _NOT_JSON)


def missing(where: str) -> HttpResponse:
    """Build the 400 about a parameter that is not there."""
    return invalid(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")


def wrong_type(where: str, expected: str, value: Any) -> HttpResponse:
    """Build the 400 about a parameter of another type than `expected`, e.g. "an object"."""
    got = _KINDS.get(type(value), "null")
    return invalid(f"Invalid type for '{where}': expected {expected}, but got {got} instead.", where, "invalid_type")


def _body(
    status: int,
    message: str,
    type: str,
    param: str | None,
    code: str | None,
    headers: Mapping[str, str] | None,
) -> HttpResponse:
    return HttpResponse.of_json(
        status, {"error": {"message": message, "type": type, "param": param, "code": code}}, headers
    )


def _masked(key: str) -> str:
    return f"{key[:8]}{'*' * (len(key) - 12)}{key[-4:]}" if len(key) > 16 else "*" * len(key)
