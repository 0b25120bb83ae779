"""Clients as they are, over real sockets: none of them is patched, and each is wrong in the same way without a key."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from rollproof.values.network import Network

from .shops import Post, schedules

LOST = "network.reset@net.exchange:api.mail.test#1:after"
FAULTS = ("network.reset", "network.timeout", "network.cut_answer")
Send = Callable[[str, dict[str, str]], Any]


def by_requests(url: str, headers: dict[str, str]) -> str:
    """Send with requests."""
    return str(requests.post(url, json={"to": "ada"}, headers=headers, timeout=5).json()["id"])


def by_httpx(url: str, headers: dict[str, str]) -> str:
    """Send with httpx, which goes past respx here."""
    return str(httpx.post(url, json={"to": "ada"}, headers=headers).json()["id"])


def by_aiohttp(url: str, headers: dict[str, str]) -> str:
    """Send with aiohttp."""

    async def send() -> str:
        async with aiohttp.ClientSession() as session, session.post(url, json={"to": "ada"}, headers=headers) as answer:
            return str((await answer.json())["id"])

    return asyncio.run(send())


PROGRAM = dedent("""
    import http.client, json, sys
    _, host, port, headers = sys.argv
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    connection.request("POST", "/mails", json.dumps({"to": "ada"}), json.loads(headers))
    print(json.loads(connection.getresponse().read())["id"])
""")


def by_another_process(url: str, headers: dict[str, str]) -> str:
    """Send from a program of its own, which nothing of ours is loaded into."""
    host, port = url.removeprefix("http://").removesuffix("/mails").split(":")
    command = [sys.executable, "-I", "-c", PROGRAM, host, port, str(headers).replace("'", '"')]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


CLIENTS: dict[str, Send] = {
    "requests": by_requests,
    "httpx": by_httpx,
    "aiohttp": by_aiohttp,
    "subprocess": by_another_process,
}
ERRORS = (OSError, httpx.HTTPError, aiohttp.ClientError, TimeoutError, ValueError, subprocess.CalledProcessError)


def mailing(send: Send, headers: dict[str, str]) -> Callable[[Network], str]:
    """Return an agent that sends a mail, and again where it got no answer."""

    def run(network: Network) -> str:
        for _ in range(2):
            try:
                return send(f"{network.url}/mails", headers)
            except ERRORS as problem:
                error = problem
        raise error

    return run


@pytest.mark.parametrize("send", CLIENTS.values(), ids=CLIENTS)
def test_a_second_try_under_the_same_key_is_right(send: Send) -> None:
    """Whatever the client is told, in its own words: the mail goes out once."""
    faults = FAULTS if send is not by_another_process else FAULTS[:1]
    result = Post().explore(mailing(send, {"Idempotency-Key": "mail-1"}), *faults)
    assert schedules(result) == {}
    assert result.points == 2
    assert result.errors == result.flaky == ()
    assert ("exhaustive" in result.statement) == (send is not by_another_process)
    assert "real connections: api.mail.test" in result.statement


@pytest.mark.parametrize("send", CLIENTS.values(), ids=CLIENTS)
def test_a_second_try_without_a_key_is_a_second_mail(send: Send) -> None:
    """The answer was lost after the service acted; the token replays it."""
    post = Post()
    found = schedules(post.explore(mailing(send, {}), "network.reset"))
    assert "all_or_nothing" in found[LOST]
    again = post.explore(mailing(send, {}), "network.reset", token=LOST)
    assert schedules(again) == {LOST: found[LOST]}


def test_a_crash_of_a_program_that_waits_for_its_helper() -> None:
    """The helper asked, the service acted: then all processes of the agent die, and the next start asks again."""
    found = schedules(Post().explore(mailing(by_another_process, {}), "process.kill"))
    assert "process.kill@net.exchange:api.mail.test#1:after" in found
