"""How a fault words the refusal of a service: its usual sentence, a reason in the service's form, a body of its own."""

import pytest
from rollproof.engine.answers import refusal
from rollproof.twins.rest import RestTwin
from rollproof.values.actions import Respond
from rollproof.values.http import HttpRequest

MAIL = HttpRequest("POST", "https://api.mail.test/mails", {}, b"{}")


@pytest.mark.parametrize(
    ("action", "kind", "body"),
    [
        (Respond(503), "application/json", b"unavailable"),
        (Respond(503, reason="Out of stamps."), "application/json", b'"message": "Out of stamps."'),
        (Respond(503, body={"detail": "Zoë"}), "application/json", '{"detail": "Zoë"}'.encode()),
        (Respond(503, body="Zoë"), "text/plain; charset=utf-8", "Zoë".encode()),
        (Respond(503, {"content-type": "application/xml"}, body="<no/>"), "application/xml", b"<no/>"),
        (Respond(503, {"content-type": "image/png"}, body=b"\x89"), "image/png", b"\x89"),
    ],
)
def test_the_words_of_a_refusal(action: Respond, kind: str, body: bytes) -> None:
    """With the type of content that goes with them; nothing is done in any case."""
    twin = RestTwin("https://api.mail.test")
    answer = refusal(twin, MAIL, action, 0.0)
    assert (answer.status, answer.headers["content-type"]) == (503, kind)
    assert body in answer.body
    assert not twin.resources("mails")


def test_a_date_goes_with_a_body_of_its_own() -> None:
    """The header of a refusal does not depend on who words it."""
    answer = refusal(RestTwin("https://api.mail.test"), MAIL, Respond(429, retry_date_s=2.0, body={}), 0.0)
    assert answer.headers["retry-after"] == "Thu, 01 Jan 1970 00:00:02 GMT"
