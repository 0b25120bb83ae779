"""An OAuth 2 server, asked by Authlib with each of its clients."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.integrations.requests_client import OAuth2Session
from rollproof.chaos import Chaos
from rollproof.plugin.installed import Builtins
from rollproof.testing import check_twin
from rollproof.twins.ready.oauth import OAuthTwin
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse

from tests.exploring import breaks, explored, only, options, scenario

AUTH, SHOP = "https://auth.test", "https://api.shop.test"
CLIENTS = {"agent": "a secret: 17%", "cli": None, "other": "other-secret-17"}
REFRESH = {"rt-of-the-agent": "agent"}
TOKEN = f"{AUTH}/oauth2/token"


def asked(server: OAuthTwin, word: str = "token", client: str = "agent", **form: str) -> HttpResponse:
    """Return the answer to a form that a client posts."""
    fields = {"client_id": client, "client_secret": CLIENTS.get(client) or "", **form}
    body = httpx.Request("POST", AUTH, data=fields).content
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return server.handle(HttpRequest("POST", f"{AUTH}/{word}", kind, body))


def refresh(server: OAuthTwin, token: str, **form: str) -> Any:
    """Exchange a refresh token, and return the answer's content."""
    return asked(server, grant_type="refresh_token", refresh_token=token, **form).json()


@pytest.fixture
def chaos() -> Iterator[Chaos]:
    """Return what a test declares twins with."""
    made = Chaos(options(twins=Builtins().pytest_chaos_twins))
    yield made
    made.close()


@pytest.mark.parametrize("library", [OAuth2Client, OAuth2Session])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_is_answered(library: Any, method: str, chaos: Chaos) -> None:
    """Client credentials, a refresh by itself where a token has run out, revocation, introspection; an API."""
    server = chaos.twin("oauth", AUTH, CLIENTS, refresh_tokens=REFRESH)
    secrets = {name: text.decode() for name, text in chaos._declared.secrets.items()}
    assert secrets == {f"the secret of {name} at {AUTH}": CLIENTS[name] for name in ("agent", "other")}
    shop = server.protects(chaos.api(SHOP))
    kept: list[Any] = []
    client = library(
        "agent",
        CLIENTS["agent"],
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        token_endpoint=TOKEN,
        token={"access_token": "of yesterday", "refresh_token": "rt-of-the-agent", "expires_at": 1},
        update_token=lambda token, **given: kept.append(dict(token)),
    )
    assert client.post(f"{SHOP}/orders", json={"item": "lamp"}).status_code == 201
    assert [one["item"] for one in shop.resources("orders")] == ["lamp"]
    assert kept[0]["refresh_token"] != "rt-of-the-agent"
    assert client.introspect_token(f"{AUTH}/introspect", kept[0]["access_token"]).json()["client_id"] == "agent"
    assert client.revoke_token(f"{AUTH}/revoke", kept[0]["refresh_token"]).status_code == 200
    gone = client.get(f"{SHOP}/orders")
    assert (gone.status_code, gone.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    with pytest.raises(AuthlibBaseError) as problem:
        client.refresh_token(TOKEN, refresh_token=kept[0]["refresh_token"])
    assert problem.value.error == "invalid_grant"
    own = client.fetch_token(TOKEN, grant_type="client_credentials")
    assert ("refresh_token" in own, client.get(f"{SHOP}/orders").status_code) == (False, 200)
    client.revoke_token(f"{AUTH}/revoke", own["access_token"])
    assert client.get(f"{SHOP}/orders").status_code == 401


def test_a_code_is_exchanged_once_by_its_verifier(chaos: Chaos) -> None:
    """Authlib's PKCE with a public client; a code that is used again ends what it gave."""
    verifier = "a-verifier-of-at-least-forty-three-characters-17"
    url, _ = OAuth2Client("cli", code_challenge_method="S256").create_authorization_url(AUTH, code_verifier=verifier)
    code = {
        "client": "cli",
        "redirect_uri": "https://me.test/",
        "code_challenge": httpx.URL(url).params["code_challenge"],
    }
    server = chaos.twin("oauth", AUTH, CLIENTS, codes={"code-17": {**code, "scope": "read"}})
    client = OAuth2Client("cli", redirect_uri="https://me.test/")
    for wrong in ({"code": "code-1"}, {"code_verifier": "x"}, {"redirect_uri": "https://you.test/"}):
        with pytest.raises(AuthlibBaseError, match="invalid_grant"):
            client.fetch_token(TOKEN, **{"code": "code-17", "code_verifier": verifier, **wrong})
    token = client.fetch_token(TOKEN, code="code-17", code_verifier=verifier)
    assert (token["scope"], token["expires_in"]) == ("read", 3600)
    with pytest.raises(AuthlibBaseError, match="used before"):
        client.fetch_token(TOKEN, code="code-17", code_verifier=verifier)
    assert asked(server, "introspect", token=token["access_token"]).json() == {"active": False}
    with pytest.raises(AuthlibBaseError, match="unauthorized_client"):
        client.fetch_token(TOKEN, grant_type="client_credentials")


def test_a_refresh_token_that_is_used_twice_ends_its_family() -> None:
    """The newest one is gone, too, and the access tokens: OAuth 2.1, RFC 9700, Auth0."""
    server = OAuthTwin(AUTH, CLIENTS, refresh_tokens=REFRESH)
    first = refresh(server, "rt-of-the-agent")
    second = refresh(server, first["refresh_token"])
    assert asked(server, "introspect", token=second["access_token"]).json()["active"]
    answer = asked(server, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert (answer.status, answer.json()["error"], answer.headers["cache-control"]) == (
        400,
        "invalid_grant",
        "no-store",
    )
    assert refresh(server, second["refresh_token"])["error"] == "invalid_grant"
    assert not asked(server, "introspect", token=second["access_token"]).json()["active"]
    assert server.describe(server.save()) == {}


def test_with_grace_the_token_before_is_good_until_the_next_is_used() -> None:
    """So a client that lost the answer, again and again, gets the same next one; one still older ends the family."""
    server = OAuthTwin(AUTH, CLIENTS, refresh_tokens=REFRESH, grace=True)
    lost = [refresh(server, "rt-of-the-agent") for _ in range(3)]
    assert len({answer["refresh_token"] for answer in lost}) == 1
    assert "access_token" in refresh(server, lost[0]["refresh_token"])
    assert refresh(server, "rt-of-the-agent")["error"] == "invalid_grant"


def test_another_client_cannot_use_or_end_a_token() -> None:
    """It learns nothing but that, and the token stays good."""
    server = OAuthTwin(AUTH, CLIENTS, refresh_tokens=REFRESH)
    assert refresh(server, "rt-of-the-agent", client="other")["error"] == "invalid_grant"
    assert asked(server, "revoke", client="other", token="rt-of-the-agent").json()["error"] == "invalid_grant"
    assert "access_token" in refresh(server, "rt-of-the-agent")
    assert asked(server, "revoke", token="nobody's").status == 200


@pytest.mark.parametrize(
    ("headers", "form", "status", "error"),
    [
        ({}, {"client_id": "agent", "client_secret": "wrong"}, 401, "invalid_client"),
        ({}, {"client_id": "nobody"}, 401, "invalid_client"),
        ({"authorization": "Basic §"}, {}, 401, "invalid_client"),
        ({}, {"client_id": "cli"}, 400, "invalid_request"),
        ({}, {"client_id": "cli", "grant_type": "password"}, 400, "unsupported_grant_type"),
        ({}, {"client_id": "cli", "grant_type": "refresh_token"}, 400, "invalid_grant"),
    ],
)
def test_errors_are_those_of_rfc_6749(headers: dict[str, str], form: dict[str, str], status: int, error: str) -> None:
    """A client that is not known is asked for credentials."""
    server = OAuthTwin(AUTH, CLIENTS, refresh_tokens=REFRESH)
    answer = server.handle(HttpRequest("POST", TOKEN, headers, httpx.Request("POST", AUTH, data=form).content))
    assert (answer.status, answer.json()["error"]) == (status, error)
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_what_is_no_request_to_it() -> None:
    """Another path, another method, no form; the secret may be encoded as RFC 6749 has it, or not."""
    server = OAuthTwin(AUTH, CLIENTS)
    assert server.handle(HttpRequest("POST", f"{AUTH}/authorize")).status == 404
    assert server.handle(HttpRequest("GET", TOKEN)).status == 405
    assert server.handle(HttpRequest("POST", TOKEN, {}, b"\xff")).json()["error"] == "invalid_request"
    for secret in ("a secret: 17%", "a+secret%3A+17%25"):
        (header,) = httpx.BasicAuth("agent", secret).auth_flow(httpx.Request("POST", TOKEN))
        signed = {"authorization": header.headers["authorization"]}
        answer = server.handle(HttpRequest("POST", TOKEN, signed, b"grant_type=client_credentials"))
        assert answer.status == 200


def test_it_is_a_twin() -> None:
    """What its client revokes is of the outside; tokens are not, and each run has others, which are not kept."""
    server = OAuthTwin(AUTH, CLIENTS, refresh_tokens=REFRESH)
    body = httpx.Request("POST", AUTH, data={"client_id": "agent", "client_secret": CLIENTS["agent"] or ""}).content
    check_twin(server, HttpRequest("POST", f"{AUTH}/revoke", {}, body + b"&token=rt-of-the-agent"))
    tokens = set()
    for run in (1, 1, 2):
        before = server.save()
        server.set_run(run)
        tokens.add(asked(server, grant_type="client_credentials").json()["access_token"])
        assert server.save() == before
    assert len(tokens) == 2


@pytest.mark.parametrize(
    "given",
    [
        {"clients": {}},
        {"clients": "agent"},
        {"refresh_tokens": {"rt": "nobody"}},
        {"refresh_tokens": ["rt"]},
        {"codes": {"code": {"client": "agent", "challenge": "x"}}},
        {"codes": {"": "agent"}},
    ],
)
def test_what_is_no_client_is_told(given: Any) -> None:
    """Where the server is declared."""
    with pytest.raises(ChaosError, match="OAuth server"):
        OAuthTwin(AUTH, **{"clients": CLIENTS, **given})


def order(own: Path) -> str:
    """Exchange the stored refresh token, store the next one, and order a lamp."""
    stored, draft = own / "refresh-token", own / "refresh-token.tmp"
    client = OAuth2Client("agent", CLIENTS["agent"])
    token = client.refresh_token(TOKEN, refresh_token=stored.read_text())
    draft.write_text(token["refresh_token"])
    draft.replace(stored)
    client.put(f"{SHOP}/orders/lamp", json={"item": "lamp"}, headers={"if-none-match": "*"})
    return "ordered"


@pytest.fixture
def no_cures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for what is wrong alone, not for what would mend it."""
    monkeypatch.setattr("rollproof.engine.curing._REMEDIES", ())


@pytest.mark.usefixtures("no_cures")
@pytest.mark.parametrize(("grace", "broken"), [(False, {"recovery_succeeds", "clean_retry"}), (True, set())])
def test_an_agent_that_dies_before_it_stores_the_next_token(grace: bool, broken: set[str], tmp_path: Path) -> None:
    """It is locked out for ever, where the server has no grace; with grace it dies as often as it likes."""

    def explore(chaos: Any, folder: Path) -> None:
        server = chaos.twin(OAuthTwin(AUTH, CLIENTS, refresh_tokens=REFRESH, grace=grace))
        server.protects(chaos.api(SHOP))
        own = folder / "own"
        own.mkdir()
        (own / "refresh-token").write_text("rt-of-the-agent")
        chaos.private(own)
        chaos.explore(lambda: order(own))

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill"))
    assert (breaks(result), result.errors, result.closed) == (broken, (), True)
    if broken:
        assert result.violations[0].schedule == "process.kill@http.post:auth.test/oauth2/token#1:after"


@pytest.mark.usefixtures("no_cures")
@pytest.mark.parametrize(("says", "broken"), [(None, set()), ("ordered", {"honest_outcome", "clean_retry"})])
def test_the_scenario_has_teeth(
    says: str | None, broken: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost answer is handed over to a person; an agent that says "ordered" there is found."""
    told = scenario("refresh_token_used_twice", "test_a_used_up_refresh_token_is_handed_over")
    if says is not None:
        monkeypatch.setattr("rollproof.scenarios.test_refresh_token_used_twice.hand_over", lambda shared: says)
    faults = only("process.kill", *([] if says else ["http.timeout"]))
    result = explored(told, tmp_path / "it", twins=Builtins().pytest_chaos_twins, **faults)
    assert (breaks(result), result.errors, result.closed) == (broken, (), True)
