"""Clients on ``http.client`` reach the twins, and a fault is an exception of their own."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
import requests
import urllib3
from rollproof.chaos import Chaos
from rollproof.twins.rest import RestTwin
from rollproof.values.options import Options

from .stage import Stage, short

BASE = "https://api.mail.test"
MAIL = {"to": "all"}


def by_requests() -> tuple[int, Any]:
    """Post with requests."""
    answer = requests.post(f"{BASE}/mails", json=MAIL)
    return answer.status_code, answer.json()


def by_urllib3() -> tuple[int, Any]:
    """Post with urllib3, retries off."""
    answer = urllib3.PoolManager(retries=False).request("POST", f"{BASE}/mails", json=MAIL)
    return answer.status, answer.json()


def by_urllib() -> tuple[int, Any]:
    """Post with the standard library's urllib."""
    asked = urllib.request.Request(
        f"{BASE}/mails", data=json.dumps(MAIL).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked) as answer:
        return answer.status, json.load(answer)


def by_http_client() -> tuple[int, Any]:
    """Post with http.client itself."""
    connection = http.client.HTTPSConnection("api.mail.test")
    connection.request("POST", "/mails", json.dumps(MAIL), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.load(answer)


CLIENTS = {"requests": by_requests, "urllib3": by_urllib3, "urllib": by_urllib, "http.client": by_http_client}
OWN_ERRORS = {
    "requests": {"refused": "ConnectionError", "timeout": "ReadTimeout", "reset": "ConnectionError"},
    "urllib3": {"refused": "NewConnectionError", "timeout": "ReadTimeoutError", "reset": "ProtocolError"},
    "urllib": {"refused": "URLError", "timeout": "TimeoutError", "reset": "ConnectionResetError"},
    "http.client": {"refused": "ConnectionRefusedError", "timeout": "TimeoutError", "reset": "ConnectionResetError"},
}


@pytest.fixture
def mail(stage: Stage) -> RestTwin:
    """A twin of the service."""
    twin = RestTwin(BASE, token=None, settled=None, seed=0)
    stage.twins.append(twin)
    return twin


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_request_is_a_point_and_is_answered(stage: Stage, mail: RestTwin, client: Callable[[], Any]) -> None:
    """As one of httpx is: the same name, the twin's own answer, nothing unintercepted."""
    assert short(stage.points(client)) == ["post api.mail.test/mails"]
    status, made = stage.returned(client)
    assert (status, made["to"]) == (201, "all")


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("reason", ["refused", "timeout", "reset"])
def test_a_fault_before_the_service_acted_is_the_clients_own_error(
    stage: Stage, mail: RestTwin, name: str, reason: str
) -> None:
    """The service never saw the request."""
    process = stage.run_process(CLIENTS[name], f"http.{reason}@http.post:api.mail.test/mails#1:before")
    assert process.outcome.kind == "raised"
    assert process.outcome.error.startswith(OWN_ERRORS[name][reason]), process.outcome.error
    assert mail.describe(process.end.services[0]) == {}


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("reason", ["timeout", "reset"])
def test_a_fault_after_it_acted(stage: Stage, mail: RestTwin, name: str, reason: str) -> None:
    """The ambiguous one: the same error, and the mail is sent."""
    process = stage.run_process(CLIENTS[name], f"http.{reason}@http.post:api.mail.test/mails#1:after")
    assert process.outcome.error.startswith(OWN_ERRORS[name][reason]), process.outcome.error
    assert len(mail.describe(process.end.services[0])["api.mail.test/mails"]) == 1


@pytest.mark.parametrize("name", CLIENTS)
def test_an_error_status(stage: Stage, mail: RestTwin, name: str) -> None:
    """A service that is unavailable says so in its own words."""

    def asked() -> int:
        try:
            return CLIENTS[name]()[0]
        except urllib.error.HTTPError as error:
            return error.code

    assert stage.returned(asked, "http.unavailable@http.post:api.mail.test/mails#1:before") == 503


def test_a_connection_is_kept_and_used_again(stage: Stage, mail: RestTwin) -> None:
    """A session sends several requests over its pool, with and without a body."""

    def run() -> list[int]:
        with requests.Session() as session:
            made = session.post(f"{BASE}/mails", json=MAIL).json()
            read = session.get(f"{BASE}/mails/{made['id']}")
            listed = session.get(f"{BASE}/mails", params={"to": "all"})
            gone = session.delete(f"{BASE}/mails/{made['id']}")
            return [read.status_code, len(listed.json()), gone.status_code, session.get(read.url).status_code]

    assert stage.returned(run) == [200, 1, 204, 404]


def test_urllib3_retries_a_refused_connection_as_one(stage: Stage, mail: RestTwin) -> None:
    """A refused connection is safe to retry for a POST, a timeout is not: urllib3's own rules see the difference."""

    def run() -> int:
        pool = urllib3.PoolManager(retries=urllib3.Retry(connect=2, read=0, backoff_factor=0))
        return pool.request("POST", f"{BASE}/mails", json=MAIL).status

    assert stage.returned(run, "http.refused@http.post:api.mail.test/mails#1:before") == 201
    process = stage.run_process(run, "http.timeout@http.post:api.mail.test/mails#1:before")
    assert process.outcome.kind == "raised"


def test_a_host_without_a_twin_is_refused(stage: Stage, mail: RestTwin) -> None:
    """With an error that names host and line."""
    from rollproof.values.errors import ChaosError

    with pytest.raises(ChaosError, match=r"api\.other\.test"):
        stage.run_process(lambda: requests.get("https://api.other.test/things"))


def test_without_chaos_it_is_an_ordinary_run() -> None:
    """The twin answers in the test's own process, and when the test has ended the client is as it was."""
    plain = http.client.HTTPSConnection.connect
    chaos = Chaos(Options())
    mail = chaos.api(BASE)
    assert chaos.explore(run=lambda: [client()[0] for client in CLIENTS.values()]).result == [201] * 4
    assert len(mail.resources("mails")) == 4
    chaos.close()
    assert http.client.HTTPSConnection.connect is plain
