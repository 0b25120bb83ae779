"""The API key, token or password that a request shows, and the form in which a service wants it."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..values.errors import ChaosError
from ..values.http import HttpRequest

_HEADERS = ("x-api-key", "x-goog-api-key", "api-key")  # Anthropic's, Google's, Azure's
Token = str | tuple[str, ...]
"""A bearer token; or ``("bearer", token)``, ``("basic", user, password)``, ``("header", name, key)`` or ``("query",
name, key)``."""
_HINT = 'token="…" (bearer), ("basic", user, password), ("header", "X-Api-Key", key) or ("query", "api_key", key)'
_LENGTHS = {"bearer": 2, "basic": 3, "header": 3, "query": 3}


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential as it is sent.

    Attributes:
        form: "bearer", "basic", "header" or "query".
        name: of the header, in small letters, or of the parameter.
        sent: the token or the key; of user and password what stands behind ``Basic``.
        secret: what of it no output may have, beside `sent`.
    """

    form: str
    name: str
    sent: str
    secret: str

    @classmethod
    def of(cls, token: Token) -> "Credential":
        """Return the credential that ``token=`` of ``chaos.api`` means; raises ChaosError for anything else."""
        given = ("bearer", token) if isinstance(token, str) else token
        is_form = isinstance(given, tuple) and all(isinstance(part, str) and part for part in given)
        if not is_form or _LENGTHS.get(given[0]) != len(given) or (given[0] == "basic" and ":" in given[1]):
            # Not shown: it is likely to be a secret.
            raise ChaosError("bad-credential", "token= of chaos.api is no credential", _HINT)
        form, *_, key = given
        if form == "basic":
            return cls(form, "authorization", b64encode(f"{given[1]}:{key}".encode()).decode(), key)
        name = "authorization" if form == "bearer" else given[1]
        return cls(form, name if form == "query" else name.lower(), key, key)

    def shown_in(self, request: HttpRequest) -> str:
        """Return the text of a request at the place of the credential; "" for none."""
        if self.form == "query":
            return request.query.get(self.name, "")
        if self.form == "header":
            return request.headers.get(self.name, "")
        return _of_scheme(self.form, request)

    def without(self, request: HttpRequest) -> HttpRequest:
        """Return a request as the service reads it that knows whose it is: a key is no parameter of what is asked."""
        if self.form != "query":
            return request
        parts = urlsplit(request.url)
        others = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != self.name]
        return replace(request, url=urlunsplit(parts._replace(query=urlencode(others))))

    @property
    def how(self) -> str:
        """Return in words how it is sent."""
        if self.form == "query":
            return f"the parameter '{self.name}' of the query"
        if self.form == "header":
            return f"the header '{self.name}'"
        return "'Authorization: Bearer TOKEN'" if self.form == "bearer" else "'Authorization: Basic USER:PASSWORD'"

    def challenge(self, *, invalid: bool) -> Mapping[str, str]:
        """Return the header that asks for it; keys have none. `invalid` says that another one was sent."""
        if self.form == "bearer":
            return {"www-authenticate": 'Bearer error="invalid_token"' if invalid else "Bearer"}
        return {"www-authenticate": 'Basic realm="api"'} if self.form == "basic" else {}


def bearer(request: HttpRequest) -> str:
    """Return the bearer token of a request, or ``""``."""
    return _of_scheme("bearer", request)


def token(request: HttpRequest) -> str:
    """Return the token of a request behind ``Bearer``, or ``token`` as GitHub has it; ``""`` for none."""
    return bearer(request) or _of_scheme("token", request)


def basic(request: HttpRequest) -> tuple[str, str]:
    """Return user and password of a request with basic authentication; each is ``""`` where it shows none."""
    try:
        user, _, password = b64decode(_of_scheme("basic", request), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def shown(request: HttpRequest) -> str:
    """Return the bearer token or the API key of a request, or ``""`` where it shows neither."""
    keys = (request.headers.get(name, "") for name in _HEADERS)
    return token(request) or next(filter(None, keys), "")


def _of_scheme(wanted: str, request: HttpRequest) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == wanted else ""
