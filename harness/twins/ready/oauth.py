"""An OAuth 2 server, whose refresh tokens are used up."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar
from urllib.parse import unquote_plus

from ...values.errors import ChaosError, shown
from ...values.http import HttpRequest, HttpResponse
from ...values.points import canonical
from ...values.sources import Service
from ...values.world import Row
from .. import addresses
from ..answers import Refused, response_of
from ..credentials import basic, bearer
from ..grants import REVOKED, Grants, granted, refused

_WORDS = {401: "invalid_client", 429: "too_many_requests", 503: "temporarily_unavailable"}
_CODE = {"client", "redirect_uri", "code_challenge", "scope"}
_Guarded = TypeVar("_Guarded", bound=Service)


class OAuthTwin:
    """An OAuth 2 server (RFC 6749) below `base_url`: ``…/token``, ``…/revoke`` and ``…/introspect``.

    What stands before these words does not matter: ``/oauth2/token`` is as good. A client shows its secret by basic
    authentication or in the body. Refresh tokens are used up (rotation); one that is used again is ``invalid_grant``
    and ends its family, so a client that lost the answer is locked out. Access tokens end with their family and by
    revocation, never by time. `expires_in` is what the client is told.

    The outside has what was revoked by its client. Tokens are no effect of an agent's, and no part of it.

    Args:
        base_url: e.g. ``https://auth.test``.
        clients: their secrets by their ids; None for a public one, which has no secret.
        codes: what a person has agreed to: whose each code is, or ``{"client": …}`` with ``redirect_uri``,
            ``code_challenge`` (PKCE, S256) or ``scope``.
        refresh_tokens: whose each one is; such that an agent has stored.
        grace: whether a refresh token is good until the one after it is used.
        expires_in: in seconds.

    Raises:
        ChaosError: ``bad-service`` for what is no client's.

    Attributes:
        own_secrets: those of its clients, by what they are.
    """

    kind = "http"

    def __init__(
        self,
        base_url: str,
        clients: Mapping[str, str | None],
        *,
        codes: Mapping[str, str | Mapping[str, str]] | None = None,
        refresh_tokens: Mapping[str, str] | None = None,
        grace: bool = False,
        expires_in: int = 3600,
    ) -> None:
        self.base_url = addresses.base_url(base_url)
        self._place = addresses.place_of(self.base_url)
        self.requests: list[HttpRequest] = []
        _check(clients, codes or {}, refresh_tokens or {})
        self._clients, self._expires_in, self._run = dict(clients), expires_in, 0
        self.own_secrets = {f"the secret of {name} at {base_url}": text for name, text in clients.items() if text}
        self._grants = Grants(self.base_url, granted(clients, codes or {}, refresh_tokens or {}), grace=grace)

    def protects(self, twin: _Guarded) -> _Guarded:
        """Make another twin carry out only requests with an access token that is good now; returns it."""
        answer = twin.handle

        def handle(request: HttpRequest) -> HttpResponse:
            token = bearer(request)
            if self._grants.accepts(token):
                return answer(request)
            twin.requests.append(request)
            said = 'Bearer error="invalid_token"' if token else "Bearer"
            return twin.refuse(request, 401, {"www-authenticate": said})

        vars(twin)["handle"] = handle  # it stays the object that the test has declared already
        return twin

    def set_run(self, run: int) -> None:
        """Issue other tokens from now on, as every run of a real server does."""
        self._run = run

    def save(self) -> bytes:
        """Return all grants."""
        return self._grants.dump()

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned."""
        self._grants.load(state)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the grants and tokens that were revoked by their client, by ``host/revoked``."""
        rows = _loaded(self.base_url, state).rows
        found = [{"id": name, "client": row["client"]} for name, row in rows.items() if row["ended"] == REVOKED]
        return {f"{self._place}/revoked": found} if found else {}

    def full_state(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return all grants, too, and access tokens that were revoked."""
        grants = _loaded(self.base_url, state)
        rows = [{"id": name, **row} for name, row in grants.rows.items()]
        revoked = [{"token": token} for token in grants.revoked]
        return {**self.describe(state), f"{self._place}/grants": rows, f"{self._place}/revoked-tokens": revoked}

    def verb(self, request: HttpRequest) -> str:
        """Return the method in lower case."""
        return request.method.lower()

    def target(self, request: HttpRequest) -> str:
        """Return the host and the path: ``auth.test/token``."""
        return canonical(f"{request.host}{request.path}")

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Act on a request and answer it."""
        self.requests.append(request)
        ways = {"token": self._token, "revoke": self._revoke, "introspect": self._introspect}
        try:
            way = ways.get(request.path.rpartition("/")[2])
            if way is None:
                raise refused("not_found", f"There is nothing at {request.path}; there is: {', '.join(ways)}.", 404)
            form = _form(request)
            answer = way(_client(request, form, self._clients), form)
        except Refused as refusal:
            return self._with_headers(request, refusal, {})
        return HttpResponse.of_json(200, answer, {"cache-control": "no-store"})

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error of RFC 6749, without acting."""
        return self._with_headers(request, refused(_WORDS.get(status, "server_error"), reason, status), headers)

    def _with_headers(self, request: HttpRequest, refusal: Refused, headers: Mapping[str, str]) -> HttpResponse:
        said = response_of(refusal.answer, self.base_url)
        known = {"www-authenticate": f'Basic realm="{request.host}"'} if said.status == 401 else {}
        return replace(said, headers={**said.headers, **known, "cache-control": "no-store", **headers})

    def _token(self, client: str, form: Mapping[str, str]) -> dict[str, object]:
        """Return tokens for a client's own credentials, a code or a refresh token; raises Refused."""
        grants, run, way = self._grants, self._run, form.get("grant_type", "")
        answer: dict[str, object] = {"token_type": "Bearer", "expires_in": self._expires_in}
        if way == "client_credentials":
            if self._clients[client] is None:
                raise refused("unauthorized_client", "A public client has no credentials of its own.")
            scope = {"scope": form["scope"]} if "scope" in form else {}
            return {"access_token": grants.for_client(client, run), **answer, **scope}
        if way == "authorization_code":
            access, refresh = grants.for_code(client, form.get("code", ""), form, run)
        elif way == "refresh_token":
            access, refresh = grants.for_refresh_token(client, form.get("refresh_token", ""), run)
        else:
            code = "unsupported_grant_type" if way else "invalid_request"
            raise refused(code, f"The grant_type is {way!r}.")
        scope = grants.scope(grants.of("access", access))
        return {"access_token": access, **answer, "refresh_token": refresh, **scope}

    def _revoke(self, client: str, form: Mapping[str, str]) -> dict[str, object]:
        self._grants.revoke(client, form.get("token", ""))
        return {}

    def _introspect(self, client: str, form: Mapping[str, str]) -> dict[str, object]:
        """Say whether an access token is good (RFC 7662)."""
        if not self._grants.accepts(token := form.get("token", "")):
            return {"active": False}
        name = self._grants.of("access", token)
        about = {"client_id": self._grants.rows[name]["client"], "token_type": "Bearer"}
        return {"active": True, **about, **self._grants.scope(name)}


oauth = OAuthTwin


def _loaded(base_url: str, state: bytes) -> Grants:
    grants = Grants(base_url, {})
    grants.load(state)
    return grants


def _form(request: HttpRequest) -> dict[str, str]:
    if request.method.upper() != "POST":
        raise refused("invalid_request", "Only POST is allowed here.", 405)
    try:
        return request.form()
    except ValueError:
        raise refused("invalid_request", "The body is no form.") from None


def _client(request: HttpRequest, form: Mapping[str, str], clients: Mapping[str, str | None]) -> str:
    """Return the client that a request comes from; raises Refused where its secret is wrong."""
    is_basic = request.headers.get("authorization", "").lower().startswith("basic ")
    given = basic(request) if is_basic else (form.get("client_id", ""), form.get("client_secret", ""))
    # RFC 6749, 2.3.1, has both encoded as in a form; many clients do not, Authlib among them.
    for client, shown_secret in (given, (unquote_plus(given[0]), unquote_plus(given[1]))):
        if client in clients and shown_secret == (clients[client] or ""):
            return client
    raise refused("invalid_client", "The client is unknown, or its secret is wrong.", 401)


def _check(clients: object, codes: object, refresh_tokens: object) -> None:
    """Raise ChaosError for a wrong declaration of clients, codes or refresh tokens."""
    hint = 'clients={"agent": "its secret"}, codes={"code-1": "agent"}, refresh_tokens={"rt-1": "agent"}'
    if not isinstance(clients, Mapping) or not clients:
        raise ChaosError("bad-service", f"clients={shown(clients)} of an OAuth server", hint)
    for what, given in (("codes", codes), ("refresh_tokens", refresh_tokens)):
        for name, one in given.items() if isinstance(given, Mapping) else ((given, None),):
            client = one.get("client") if isinstance(one, Mapping) and one.keys() <= _CODE else one
            if not isinstance(name, str) or not name or not isinstance(client, str) or client not in clients:
                text = f"{what} of an OAuth server has {shown(name)} for {shown(one)}, which is no client"
                raise ChaosError("bad-service", text, hint)
