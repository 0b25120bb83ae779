"""SDKs of clouds are seen through their clients: botocore on urllib3, google-auth on requests, urllib3 and aiohttp."""

import asyncio
import json
import logging
from typing import Any

import botocore.awsrequest
import botocore.exceptions
import botocore.httpsession
import google.auth.aio.transport.aiohttp
import google.auth.exceptions
import google.auth.transport.requests
import google.auth.transport.urllib3
import google.oauth2.credentials
import pytest
import urllib3
from rollproof.twins.handled import HandledService

from .stage import Stage, short

BUCKET, TOKENS = "https://s3.test/bucket/key", "https://oauth2.test/token"


def _bucket(request: Any, state: Any) -> Any:
    if request.method == "PUT":
        state[request.path] = request.body.decode()
        return 200, None, {"etag": "1"}
    return state[request.path]


def _tokens(request: Any, state: Any) -> Any:
    state["count"] = state.get("count", 0) + 1
    return {"access_token": f"token {state['count']}", "expires_in": 3600, "token_type": "Bearer"}


@pytest.fixture
def clouds(stage: Stage) -> Stage:
    """A bucket, and a server of tokens."""
    stage.twins = [HandledService("https://s3.test", _bucket), HandledService("https://oauth2.test", _tokens)]
    return stage


def _sent(method: str, **named: Any) -> Any:
    request = botocore.awsrequest.AWSRequest(method, BUCKET, **named)
    return botocore.httpsession.URLLib3Session().send(request.prepare())


def _put_and_looked_at() -> tuple[list[bool], int, str, bytes]:
    """Put a body, as botocore puts to S3, and return what its log says of being told to send it, and what is there."""
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("botocore.awsrequest")
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    status = _sent("PUT", data=b"body", headers={"Expect": b"100-continue", "Content-Length": "4"}).status_code
    seen = [
        any(text.startswith(begin) for text in told) for begin in ("100 Continue response seen", "No response seen")
    ]
    return seen, status, _sent("HEAD").headers["content-length"], _sent("GET").content


def test_botocore_is_told_to_send_the_body(clouds: Stage) -> None:
    """It waits a real second for that otherwise; and a HEAD has the headers of the whole answer, without it."""
    process = clouds.run_process(_put_and_looked_at)
    assert process.outcome.value == ([True, False], 200, "4", b"body"), process.outcome.traceback
    points = [str(point) for point in process.points]
    assert short(points) == [f"{verb} s3.test/bucket/key" for verb in ("put", "head", "get")]


def _refreshed(transport: Any) -> str:
    credentials: Any = google.oauth2.credentials.Credentials(
        None, refresh_token="refresh", token_uri=TOKENS, client_id="id", client_secret="secret"
    )
    credentials.refresh(transport)
    return str(credentials.token)


async def _asked() -> str:
    transport = google.auth.aio.transport.aiohttp.Request()
    try:
        answer = await transport(TOKENS, method="POST", body=b"grant_type=refresh_token")
        return str(json.loads(await answer.read())["access_token"])
    finally:
        await transport.close()


def _by_all_transports() -> list[str]:
    over_requests = google.auth.transport.requests.Request()
    over_urllib3 = google.auth.transport.urllib3.Request(urllib3.PoolManager())
    return [_refreshed(over_requests), _refreshed(over_urllib3), asyncio.run(_asked())]


def _errors_of_the_transports() -> list[str]:
    found = []
    for ask in (lambda: _refreshed(google.auth.transport.requests.Request()), lambda: asyncio.run(_asked())):
        with pytest.raises(google.auth.exceptions.TransportError) as caught:
            ask()
        found.append(type(caught.value.__cause__).__name__)
    return found


def test_google_auth_refreshes_a_token_over_each_transport(clouds: Stage) -> None:
    """A point each; and where the connection is refused, each makes its own error of what its client raises."""
    point = "http.post:oauth2.test/token#1"
    process = clouds.run_process(_by_all_transports)
    assert process.outcome.value == ["token 1", "token 2", "token 3"], process.outcome.traceback
    assert short([str(point) for point in process.points]) == ["post oauth2.test/token"] * 3
    refused = clouds.run_process(_errors_of_the_transports, f"http.refused~lasting@{point}:before")
    assert refused.outcome.value == ["ConnectionError", "ClientConnectorError"], refused.outcome.traceback
