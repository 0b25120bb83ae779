"""Which API key or bearer token a request shows, and which of them a service no longer accepts."""

from ..values.http import HttpRequest


def bearer(request: HttpRequest) -> str:
    """Return the bearer token of a request, or ``""``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def shown(request: HttpRequest) -> str:
    """Return the bearer token or ``x-api-key`` of a request, or ``""`` where it shows neither."""
    return bearer(request) or request.headers.get("x-api-key", "")


class Revocations:
    """The credentials that a fault revoked.

    They belong to the fault, not to the service's state: putting a saved world back does not bring a key back, only
    `restore_credentials` does.
    """

    def __init__(self) -> None:
        self._revoked: set[str] = set()

    def revoke(self, credential: str) -> None:
        """Refuse every further request that shows `credential`, a key or a whole ``Bearer …`` header."""
        self._revoked.add(credential.removeprefix("Bearer "))

    def restore_credentials(self) -> None:
        """Accept every credential again."""
        self._revoked.clear()

    def is_revoked(self, request: HttpRequest) -> bool:
        """Say whether the request shows a revoked credential."""
        return bearer(request) in self._revoked or request.headers.get("x-api-key", "") in self._revoked
