"""The headers, signature and body of a webhook on its way, in the form of its provider."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..values.errors import ChaosError


@dataclass(frozen=True, slots=True)
class Webhook:
    """One delivery of an event, as an agent's handler gets it.

    Attributes:
        id: of the event; the same each time that it comes.
        type: such as ``payment.succeeded``.
        data: what it is about.
        headers: as they are sent, names in small letters; `body` the bytes that are signed.
    """

    id: str
    type: str
    data: Any
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body parsed as JSON."""
        return json.loads(self.body)


_Event = Mapping[str, Any]
_Form = Callable[[_Event, str, int], tuple[dict[str, str], bytes]]


def _dumped(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _hmac(key: bytes, text: bytes) -> "hmac.HMAC":
    return hmac.new(key, text, hashlib.sha256)


def _standard(event: _Event, secret: str, now: int) -> tuple[dict[str, str], bytes]:
    """Standard Webhooks (standardwebhooks.com): what OpenAI, Svix and others send."""
    made = datetime.fromtimestamp(event["created"], UTC)
    body = _dumped({"type": event["type"], "timestamp": f"{made:%Y-%m-%dT%H:%M:%SZ}", "data": event["data"]})
    signed = _hmac(_standard_key(secret), f"{event['id']}.{now}.".encode() + body).digest()
    signature = f"v1,{base64.b64encode(signed).decode()}"
    return {"webhook-id": event["id"], "webhook-timestamp": str(now), "webhook-signature": signature}, body


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        hint = 'whsec_ and base64, as the provider gives it: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"'
        raise ChaosError("bad-webhooks", "the secret of Standard Webhooks is no base64 behind whsec_", hint) from None


def _stripe(event: _Event, secret: str, now: int) -> tuple[dict[str, str], bytes]:
    """Stripe's: the body is an Event, whose object is the data."""
    told = {"id": event["id"], "object": "event", "type": event["type"], "created": event["created"]}
    body = _dumped({**told, "data": {"object": event["data"]}})
    signed = _hmac(secret.encode(), f"{now}.".encode() + body).hexdigest()
    return {"stripe-signature": f"t={now},v1={signed}"}, body


def _github(event: _Event, secret: str, now: int) -> tuple[dict[str, str], bytes]:
    """GitHub's: ``pull_request.opened`` is the event ``pull_request`` with the action ``opened``."""
    name, _, action = event["type"].partition(".")
    body = _dumped({**({"action": action} if action else {}), **event["data"]})
    signed = _hmac(secret.encode(), body).hexdigest()
    return {"x-github-event": name, "x-github-delivery": event["id"], "x-hub-signature-256": f"sha256={signed}"}, body


FORMS: Mapping[str, _Form] = {"standard": _standard, "stripe": _stripe, "github": _github}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""What is signed with where the test names no secret: the example of Standard Webhooks."""


def webhook_of(form: str, secret: str, event: _Event, now: int) -> Webhook:
    """Return the delivery of an event at a time in seconds, signed."""
    headers, body = FORMS[form](event, secret, now)
    sent = {"content-type": "application/json", **headers}
    return Webhook(event["id"], event["type"], event["data"], sent, body)
