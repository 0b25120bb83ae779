"""Which API key or bearer token a request shows."""

from ..values.http import HttpRequest


def bearer(request: HttpRequest) -> str:
    """Return the bearer token of a request, or ``""``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def shown(request: HttpRequest) -> str:
    """Return the bearer token or ``x-api-key`` of a request, or ``""`` where it shows neither."""
    return bearer(request) or request.headers.get("x-api-key", "")
