"""Clients as they are, over real sockets: none of them is patched, and each is wrong in the same way without a key."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp
import httpx2
import pytest
import requests
from openai import OpenAI, OpenAIError
from rollproof.chaos import Chaos
from rollproof.values.errors import ChaosError
from rollproof.values.exploration import Exploration
from rollproof.values.network import Network
from rollproof.values.options import Options
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.sync.server import ServerConnection, serve

from ..exploring import options
from .shops import Post, Yard, schedules

LOST = "network.reset@net.exchange:api.mail.test#1:after"
FAULTS = ("network.reset", "network.timeout", "network.cut_answer")
Send = Callable[[str, dict[str, str]], Any]


def by_requests(url: str, headers: dict[str, str]) -> str:
    """Send with requests."""
    return str(requests.post(url, json={"to": "ada"}, headers=headers, timeout=5).json()["id"])


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


def by_curl(url: str, headers: dict[str, str]) -> str:
    """Send with curl, which is no Python at all."""
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    data = ["-H", "Content-Type: application/json", "-d", '{"to": "ada"}']
    command = ["curl", "--silent", "--fail", "--max-time", "5", *given, *data, url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


CLIENTS: dict[str, Send] = {
    "requests": by_requests,
    "aiohttp": by_aiohttp,
    "subprocess": by_another_process,
}
ERRORS = (OSError, aiohttp.ClientError, TimeoutError, ValueError, subprocess.CalledProcessError)


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
    assert result.points == 3 + (send is by_another_process)  # the request as its twin sees it; the program
    assert result.errors == result.flaky == ()
    assert ("exhaustive" in result.statement) is (send is not by_another_process)  # a program may reach elsewhere
    assert "twins on real ports: api.mail.test" in result.statement
    assert "real connections" not in result.statement


@pytest.mark.parametrize("send", CLIENTS.values(), ids=CLIENTS)
def test_a_second_try_without_a_key_is_a_second_mail(send: Send) -> None:
    """The answer was lost after the service acted."""
    assert "all_or_nothing" in schedules(Post().explore(mailing(send, {}), token=LOST))[LOST]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_client_in_another_language() -> None:
    """Its sockets are struck like any other's."""
    assert LOST in schedules(Post().explore(mailing(by_curl, {}), token=LOST))
    assert schedules(Post().explore(mailing(by_curl, {"Idempotency-Key": "mail-1"}), token=LOST)) == {}


def test_a_crash_of_a_program_that_waits_for_its_helper() -> None:
    """The helper asked, the service acted: then all processes of the agent die, and the next start asks again."""
    token = "process.kill@net.exchange:api.mail.test#1:after"
    assert token in schedules(Post().explore(mailing(by_another_process, {}), token=token))


def test_a_stream_of_a_model_on_a_real_port(tmp_path: Path) -> None:
    """The real SDK reads server-sent events from a real socket; an answer that ends early is no answer."""
    found: list[Exploration] = []
    known = options().known
    chaos = Chaos(options(faults=(known["network.cut_answer"], known["network.trickle"])), "test_it", found.append)
    chaos.watch(tmp_path)
    service = chaos.serve(chaos.llm({"Say": "All is well."}, base_url="https://models.test/v1"))

    def said() -> str:
        client = OpenAI(base_url=service.url, api_key="k", max_retries=0)
        messages: Any = [{"role": "user", "content": "Say it"}]
        parts = client.chat.completions.create(model="m", messages=messages, stream=True)
        chunks = [part.choices[0] for part in parts]
        if chunks[-1].finish_reason != "stop":
            raise EOFError
        return "".join(chunk.delta.content or "" for chunk in chunks)

    def run() -> str:
        try:
            text = said()
        except (OpenAIError, httpx2.HTTPError, EOFError):
            text = said()
        (tmp_path / "said").write_text(text)
        return text

    with closing(chaos):
        chaos.explore(run=run)
    assert found[0].result == "All is well."
    assert {cell.fault for cell in found[0].cells} == {"network.cut_answer", "network.trickle"}


def test_a_stream_of_a_model_on_a_real_port_is_cut(tmp_path: Path) -> None:
    """In the middle of a chunked body the connection ends, which a client must see; the twin's words are its own."""
    found: list[Exploration] = []
    faults = tuple(options().known[name] for name in ("llm.cut_stream", "llm.closed_stream"))
    chaos = Chaos(options(faults=faults), "test_it", found.append)
    chaos.watch(tmp_path)
    chaos.llm({"Say": "All is well, and has been so since Monday."}, base_url="https://models.test/v1")
    service = chaos.serve("https://models.test/v1")
    asked = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Say it"}]}

    def said() -> str:
        headers = {"Authorization": "Bearer k"}
        with requests.post(
            f"{service.url}/chat/completions", json=asked, headers=headers, timeout=5, stream=True
        ) as it:
            text = b"".join(it.iter_content(None)).decode()
        if "[DONE]" not in text:
            raise EOFError
        return str(len(text.split("data: ")))

    def run() -> None:
        try:
            count = said()
        except (requests.RequestException, EOFError) as problem:
            count = f"{type(problem).__name__} {said()}"
        (tmp_path / "chunks").write_text(count.rpartition(" ")[2])

    with closing(chaos):
        chaos.explore(run=run)
    assert {cell.fault for cell in found[0].cells} == {"llm.cut_stream", "llm.closed_stream"}


def test_a_websocket(tmp_path: Path) -> None:
    """Messages both ways, pings, a closing handshake: an order that is sent again without a number is there twice."""
    yard = Yard(tmp_path)

    def keeps(connection: ServerConnection) -> None:
        for number in connection:
            name = str(number) or str(len(list(yard.shared.iterdir())))
            (yard.shared / name).write_text("order")
            connection.send("kept")

    def ordering(number: str) -> Callable[[Network], Any]:
        async def order(network: Network) -> None:
            async with connect(f"ws://{network.host}:{network.port}") as connection:
                await connection.send(number)
                await connection.recv()

        def run(network: Network) -> None:
            try:
                asyncio.run(order(network))
            except (OSError, WebSocketException):
                asyncio.run(order(network))

        return run

    with serve(keeps, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        upstream = f"127.0.0.1:{server.socket.getsockname()[1]}"
        wrong = schedules(yard.explore(upstream, ordering(""), "network.reset"))
        right = schedules(yard.explore(upstream, ordering("order-1"), "network.reset"))
        server.shutdown()
    assert "network.reset@net.exchange:shop#2:after" in wrong
    assert right == {}


def test_a_twin_on_a_real_port_without_chaos() -> None:
    """The same agent in an ordinary run; what no twin can answer fails the test with its own error."""
    chaos = Chaos(Options())
    chaos.llm({"Say": "All is well."}, base_url="https://models.test/v1")
    mail, models = chaos.serve(chaos.api("https://api.mail.test")), chaos.serve("https://models.test/v1")
    with closing(chaos):
        assert chaos.explore(run=lambda: mailing(by_another_process, {})(mail)).result.startswith("mail_")
        asked = {"model": "m", "messages": [{"role": "user", "content": "Who?"}]}
        headers = {"Authorization": "Bearer k"}
        with pytest.raises(ChaosError, match="reply-missing"):
            chaos.explore(run=lambda: requests.post(f"{models.url}/chat/completions", json=asked, headers=headers))


STATUS = ("network.server_error", "network.unavailable", "network.rate_limited")
REFUSED = "network.server_error@served.post:api.mail.test/mails#1:before"


def posting(*, looks: bool) -> Callable[[Network], str]:
    """Return an agent that has three tries, and looks at the status of an answer or not."""

    def run(service: Network) -> str:
        for attempt in (1, 2, 3):
            headers = {"Idempotency-Key": "mail-1"}
            answer = requests.post(f"{service.url}/mails", json={"to": "ada"}, headers=headers, timeout=5)
            if answer.ok or not looks:
                return "sent"
            if attempt < 3:
                time.sleep(2)
        raise RuntimeError(answer.text)

    return run


def test_a_twin_on_a_real_port_refuses_too() -> None:
    """An agent that takes any answer for success is found; one that looks and waits is right."""
    wrong = Post().explore(posting(looks=False), *STATUS)
    assert list(schedules(wrong).values()) == [("honest_outcome",)], schedules(wrong)
    right = Post().explore(posting(looks=True), *STATUS, "credentials.revoked")
    assert schedules(right) == {}
    assert right.errors == right.flaky == ()
    assert {cell.fault for cell in right.cells} == {*STATUS, "credentials.revoked"}
    replayed = Post().explore(posting(looks=False), token=REFUSED)
    assert REFUSED in schedules(replayed)


def test_what_a_model_on_a_real_port_says_can_be_cut(tmp_path: Path) -> None:
    """An agent that repairs half a document applies half of it, whichever client it is written with."""
    found: list[Exploration] = []
    chaos = Chaos(options(faults=(options().known["llm.truncated_json"],)), "test_it", found.append)
    chaos.watch(tmp_path)
    chaos.llm({"Plan": '{"steps": ["book", "pay"]}'}, base_url="https://models.test/v1")
    service = chaos.serve("https://models.test/v1")

    def run() -> str:
        asked = {"model": "m", "messages": [{"role": "user", "content": "Plan it"}]}
        headers = {"Authorization": "Bearer k"}
        answer = requests.post(f"{service.url}/chat/completions", json=asked, headers=headers, timeout=5).json()
        text = answer["choices"][0]["message"]["content"]
        with contextlib.suppress(ValueError):
            json.loads(text)
            (tmp_path / "plan").write_text(text)
            return "planned"
        (tmp_path / "plan").write_text(text.rpartition(",")[0] + "]}")
        return "planned"

    with closing(chaos), pytest.raises(pytest.fail.Exception):
        chaos.explore(run=run)
    assert any(token.startswith("llm.truncated_json") and "@served.chat:" in token for token in schedules(found[0]))
