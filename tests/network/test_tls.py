"""A twin by HTTPS: what clients say is looked at behind their TLS, so it breaks at the same points as without."""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pytest
import requests
from rollproof.chaos import Chaos
from rollproof.network import certificates
from rollproof.values.errors import ChaosError
from rollproof.values.network import Network
from rollproof.values.options import Options

from .shops import Post, schedules

LOST = "network.reset@net.exchange:api.mail.test#1:after"
FAULTS = ("network.refused", "network.reset", "network.closed", "network.cut_answer", "network.timeout")
Send = Callable[[Network, dict[str, str]], Any]


def by_requests(service: Network, headers: dict[str, str]) -> str:
    """Trust the authority by its file."""
    url = f"{service.url}/mails"
    return str(requests.post(url, json={"to": "ada"}, headers=headers, timeout=5, verify=service.ca).json()["id"])


def by_httpx(service: Network, headers: dict[str, str]) -> str:
    """Trust it by a context."""
    context = ssl.create_default_context(cafile=service.ca)
    with httpx2.Client(verify=context, timeout=5) as client:
        return str(client.post(f"{service.url}/mails", json={"to": "ada"}, headers=headers).json()["id"])


def by_aiohttp(service: Network, headers: dict[str, str]) -> str:
    """Trust it by a context, with asyncio."""

    async def send() -> str:
        context = ssl.create_default_context(cafile=service.ca)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{service.url}/mails", json={"to": "ada"}, headers=headers, ssl=context) as answer,
        ):
            return str((await answer.json())["id"])

    return asyncio.run(send())


def by_curl(service: Network, headers: dict[str, str]) -> str:
    """Trust it by an option."""
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    data = ["-H", "Content-Type: application/json", "-d", '{"to": "ada"}', f"{service.url}/mails"]
    command = ["curl", "--silent", "--fail", "--max-time", "5", "--cacert", service.ca, *given, *data]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


CLIENTS: dict[str, Send] = {"requests": by_requests, "httpx": by_httpx, "aiohttp": by_aiohttp}
if shutil.which("curl"):
    CLIENTS["curl"] = by_curl


class Encrypted(Post):
    """A twin by HTTPS."""

    def network(self, chaos: Chaos) -> Network:
        """Declare it."""
        return chaos.serve(chaos.api(self.URL), tls=True)


def mailing(send: Send, headers: dict[str, str]) -> Callable[[Network], Any]:
    """Return an agent that tries a second time."""

    def run(service: Network) -> Any:
        try:
            return send(service, headers)
        except Exception:
            return send(service, headers)

    return run


@pytest.mark.parametrize("send", CLIENTS.values(), ids=CLIENTS)
def test_a_second_try_without_a_key_is_a_second_mail(send: Send) -> None:
    """The answer was lost after the service acted."""
    assert "all_or_nothing" in schedules(Encrypted().explore(mailing(send, {}), token=LOST))[LOST]


@pytest.mark.parametrize("send", [by_requests, by_aiohttp])
def test_a_second_try_under_the_same_key_is_right(send: Send) -> None:
    """The handshake is no exchange: one connection, and one request on it."""
    result = Encrypted().explore(mailing(send, {"Idempotency-Key": "mail-1"}), *FAULTS)
    assert schedules(result) == {}
    assert result.points == 3
    assert result.errors == result.flaky == ()
    assert {cell.fault for cell in result.cells} == set(FAULTS)


def test_an_ordinary_run_speaks_tls_too_and_nothing_stays() -> None:
    """Who does not trust the authority gets no answer; its files end with the test."""
    chaos = Chaos(Options())
    mails = chaos.api(Post.URL)
    service = chaos.serve(mails, tls=True)
    with closing(chaos):
        assert service.url.startswith("https://127.0.0.1:")
        assert chaos.explore(run=lambda: by_requests(service, {})).result.startswith("mail_")
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{service.url}/mails", timeout=5)
        assert len(mails.resources("mails")) == 1
    assert not Path(service.ca).parent.exists()


def test_a_client_that_gives_up_in_a_silence_leaves_no_complaint(capfd: pytest.CaptureFixture[str]) -> None:
    """Its connection is gone when the relay ends it; the relay's terminal is the user's."""
    token = "network.timeout@net.exchange:api.mail.test#1:after"

    def impatient(service: Network, headers: dict[str, str]) -> Any:
        url = f"{service.url}/mails"
        return requests.post(url, json={"to": "ada"}, headers=headers, timeout=2, verify=service.ca).json()["id"]

    result = Encrypted().explore(mailing(impatient, {"Idempotency-Key": "mail-1"}), token=token)
    assert schedules(result) == {}
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_who_does_not_trust_the_authority_makes_no_point_of_the_next_one() -> None:
    """A handshake that fails is no connection: the one after it is the first."""

    def run(service: Network) -> str:
        with contextlib.suppress(requests.exceptions.SSLError):
            requests.get(f"{service.url}/mails", timeout=5)
        return str(by_curl(service, {"Idempotency-Key": "mail-1"}))

    result = Encrypted().explore(run, "network.slow")
    assert schedules(result) == {}
    assert result.errors == result.flaky == ()


def test_tls_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said where it is declared, with what to install."""
    monkeypatch.setattr(certificates, "find_spec", lambda name: None)
    chaos = Chaos(Options())
    with closing(chaos), pytest.raises(ChaosError, match=r"no-trustme") as caught:
        chaos.serve(chaos.api(Post.URL), tls=True)
    assert "pip install 'rollproof[network]'" in str(caught.value)


def test_a_twin_is_served_once() -> None:
    """Said with what to do instead."""
    chaos = Chaos(Options())
    chaos.serve(chaos.api(Post.URL))
    with closing(chaos), pytest.raises(ChaosError, match="served already"):
        chaos.serve(Post.URL, tls=True)
