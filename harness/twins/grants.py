"""The grants of an OAuth 2 server, and the tokens that stand for them."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ..values.world import Row
from .answers import Refused

REVOKED = "revoked"


def refused(code: str, sentence: str, status: int = 400) -> Refused:
    """Return a refusal as RFC 6749 words it: an error code, and a sentence; "" for none."""
    return Refused((status, {"error": code, **({"error_description": sentence} if sentence else {})}))


@dataclass(slots=True)
class Grants:
    """All grants of a server: one for each client, for each code, and for each refresh token that a test hands out.

    A token carries a signature of its grant, so which ones were issued is not kept. An agent that asks again at each
    restart leaves the server as it was, and the crash closure closes.

    A grant that has refresh tokens is a family (RFC 9700, 4.14.2): one of them is good, which is used up when it is
    exchanged for the next. One that was used up ends the family.

    Attributes:
        issuer: the base URL; tokens of two servers differ.
        rows: by name, all that is known of a grant: whose it is, its ``scope``, the refresh token that is good, the one
            ``before`` that, why it ``ended`` ("" for a live one), and what the exchange of its code wants.
        revoked: access tokens that were revoked by themselves.
        grace: whether the refresh token before is good until the newest one is used.
    """

    issuer: str
    rows: dict[str, Row]
    revoked: list[str] = field(default_factory=list)
    grace: bool = False

    def dump(self) -> bytes:
        """Return all of it."""
        return json.dumps([self.rows, self.revoked]).encode()

    def load(self, state: bytes) -> None:
        """Put back what `dump` returned."""
        self.rows, self.revoked = json.loads(state)

    def accepts(self, access_token: str) -> bool:
        """Return whether an access token is good."""
        row = self.rows.get(self.of("access", access_token), {"ended": "unknown"})
        return not row["ended"] and access_token not in self.revoked

    def of(self, kind: str, token: str) -> str:
        """Return the name of the grant that a token of a kind, "access" or "refresh", was issued for; "" for none."""
        nonce = token.rpartition("-")[2][:16]
        return next((name for name in self.rows if token in self._tokens_like(kind, name, nonce)), "")

    def for_client(self, client: str, run: int) -> str:
        """Return an access token for the client itself."""
        return self._issued("access", _own(client), "", run)

    def for_code(self, client: str, code: str, form: Mapping[str, str], run: int) -> tuple[str, str]:
        """Exchange a code, once, and return an access and a refresh token; raises Refused.

        A code that is used again ends what was granted for it (RFC 6749, 4.1.2).
        """
        name = next((name for name, row in self.rows.items() if row.get("code") == code), "")
        row = self._of_client(name, client, "code")
        if row["refresh"]:
            row["ended"] = "its code was used twice"
            raise refused("invalid_grant", "The code was used before; what was granted for it is revoked.")
        if row["redirect_uri"] not in ("", form.get("redirect_uri", "")):
            raise refused("invalid_grant", "The redirect_uri is not the one that the code was given for.")
        if row["code_challenge"] not in ("", _s256(form.get("code_verifier", ""))):
            raise refused("invalid_grant", "The code_verifier does not fit the code_challenge.")
        row["refresh"] = self._issued("refresh", name, code, run)
        return self._issued("access", name, code, run), row["refresh"]

    def for_refresh_token(self, client: str, token: str, run: int) -> tuple[str, str]:
        """Exchange a refresh token, which is used up then, and return an access and the next refresh token.

        Raises Refused; for one that was used up before it ends the family. With `grace` the one before is exchanged for
        the same next one as often as the client asks, until the next one is used: as Supabase does it, and others for
        some seconds.
        """
        name = self.of("refresh", token)
        row = self._of_client(name, client, "refresh token")
        if token == row["refresh"]:
            row["before"], row["refresh"] = token, self._issued("refresh", name, token, run)
        elif token != row["before"] or not self.grace:
            row["ended"] = "a refresh token was used twice"
            raise refused("invalid_grant", "The refresh token was used before; all tokens of its family are revoked.")
        return self._issued("access", name, token, run), row["refresh"]

    def revoke(self, client: str, token: str) -> None:
        """End the grant of a token (RFC 7009); one that is unknown is none. Raises Refused for another client's."""
        name = self.of("refresh", token) or self.of("access", token)
        if name and self.rows[name]["client"] != client:
            raise refused("invalid_grant", "The token was issued to another client.")
        if name == _own(client):
            self.revoked = [*self.revoked, *({token} - set(self.revoked))]
        elif name:
            self.rows[name]["ended"] = REVOKED

    def scope(self, name: str) -> dict[str, str]:
        """Return the part of an answer about the scope of a grant; empty for a grant without one."""
        return {"scope": scope} if (scope := self.rows[name].get("scope", "")) else {}

    def _of_client(self, name: str, client: str, what: str) -> Row:
        row = self.rows.get(name)
        if row is None or row["client"] != client:
            raise refused("invalid_grant", f"The {what} is unknown, or of another client.")
        if row["ended"]:
            raise refused("invalid_grant", f"The {what} is revoked: {row['ended']}.")
        return row

    def _tokens_like(self, kind: str, name: str, nonce: str) -> Iterator[str]:
        """Yield the tokens of a grant that begin in one way, and that which a test has handed out."""
        yield f"{kind}-{nonce}{_hash(self.issuer, kind, name, nonce)}"
        if kind == "refresh" and "first" in self.rows[name]:
            yield self.rows[name]["first"]

    def _issued(self, kind: str, name: str, given: str, run: int) -> str:
        """Return a token for what a client has `given`; another one in each run, as of a real server."""
        return next(self._tokens_like(kind, name, _hash(name, given, run)))


def granted(
    clients: Mapping[str, str | None], codes: Mapping[str, str | Mapping[str, str]], refresh_tokens: Mapping[str, str]
) -> dict[str, Row]:
    """Return the grants of a server at first; see `Grants.rows`."""
    rows: dict[str, Row] = {_own(client): {"client": client, "ended": ""} for client in clients}
    no_code: dict[str, Any] = {"redirect_uri": "", "code_challenge": ""}
    for number, (code, given) in enumerate(codes.items(), 1):
        row = {**no_code, **({"client": given} if isinstance(given, str) else given)}
        rows[f"code {number}"] = {**row, "code": code, "refresh": "", "before": "", "ended": ""}
    for number, (token, client) in enumerate(refresh_tokens.items(), 1):
        row = {"client": client, "first": token, "refresh": token, "before": "", "ended": ""}
        rows[f"refresh token {number}"] = row
    return rows


def _own(client: str) -> str:
    return f"client {client}"


def _hash(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:16]


def _s256(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
