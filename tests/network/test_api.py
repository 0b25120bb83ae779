"""The HTTP API, request by request: the embedded server answers as the real one was recorded to, and so does that."""

import json
from contextlib import nullcontext

import pytest

from .api_sessions import SESSIONS, answers
from .servers import RECORDED, Server, started

EXPECTED = json.loads((RECORDED / "api.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("session", SESSIONS)
def test_every_request_is_answered_as_toxiproxy_does(server: Server, session: str) -> None:
    """Status, media type, document and last newline are those of Toxiproxy 2.12.0."""
    steps = SESSIONS[session]
    # A proxy with a slash in its name can never be removed: who makes one has a server of its own.
    with started(server.kind) if session == "names" else nullcontext(server) as used:
        for step, found, expected in zip(steps, answers(used, steps), EXPECTED[session], strict=True):
            assert found == expected, step


def test_enough_is_compared() -> None:
    """Each session is recorded whole."""
    assert {name: len(steps) for name, steps in SESSIONS.items()} == {name: len(r) for name, r in EXPECTED.items()}
    assert sum(map(len, SESSIONS.values())) >= 131
