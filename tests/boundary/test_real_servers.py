"""A permitted server takes real time, and an agent whose time is virtual waits for it as it would in life."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from .stage import Stage

_SOON_S = 0.1
PATIENCE_S = 5.0


def _serve(connection: socket.socket, over: threading.Event) -> None:
    """Answer a request as its path says: soon, never, or with a little more again and again."""
    with connection:
        path = connection.recv(4096).split(b" ")[1]
        over.wait(_SOON_S if path == b"/soon" else 0)
        if path == b"/soon":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n/soon")
        elif path == b"/more":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            with suppress(OSError):
                while not over.wait(_SOON_S):
                    connection.sendall(b".")
        over.wait()


@pytest.fixture
def slow() -> Iterator[str]:
    """A real server on this machine that keeps its connections."""
    over = threading.Event()

    def accept() -> None:
        while not over.is_set():
            threading.Thread(target=_serve, args=(listening.accept()[0], over), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://localhost:{listening.getsockname()[1]}"
        over.set()


async def _httpx(url: str, patience_s: float) -> str:
    async with httpx.AsyncClient(timeout=patience_s) as client:
        return (await client.get(url)).text


async def _aiohttp(url: str, patience_s: float) -> str:
    timeout = aiohttp.ClientTimeout(total=patience_s)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
        return await answer.text()


async def _streams(url: str, patience_s: float) -> str:
    host, _, port = url.split("/")[2].partition(":")
    async with asyncio.timeout(patience_s):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /{url.split('/')[3]} HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        answer = await reader.read(5)
        writer.close()
        return answer.decode()


async def _in_a_thread(url: str, patience_s: float) -> str:
    return await asyncio.wait_for(asyncio.to_thread(lambda: requests.get(url).text), patience_s)


async def _in_a_pool(url: str, patience_s: float) -> str:
    with ThreadPoolExecutor() as pool:
        return pool.submit(lambda: httpx.get(url).text).result(patience_s)


CLIENTS = (_httpx, _aiohttp, _streams, _in_a_thread, _in_a_pool)


def _asked(url: str, patience_s: float, *clients: Callable[[str, float], Awaitable[str]]) -> list[Any]:
    """Return what each client got, or the kind of its error."""
    return [asyncio.run(_outcome(client(url, patience_s))) for client in clients]


async def _outcome(asked: Awaitable[str]) -> str:
    try:
        return await asked
    except (TimeoutError, httpx.ReadTimeout) as problem:
        return type(problem).__name__


def test_an_answer_comes_before_the_deadline(stage: Stage, slow: str) -> None:
    """Whoever waits for it, the look-up of the name included; to wait for no more than a time stays free."""
    stage.hosts = frozenset({"localhost"})

    async def asks_and_sleeps() -> str:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{slow}/soon")
            await asyncio.sleep(3600)
            return answer.text

    def run() -> tuple[list[Any], str, float]:
        began = time.time()
        return _asked(f"{slow}/soon", PATIENCE_S, *CLIENTS), asyncio.run(asks_and_sleeps()), time.time() - began

    answers, after, seconds = stage.returned(run)
    assert answers == ["/soon"] * len(CLIENTS)
    assert after == "/soon"
    assert 3600 <= seconds < 3600 + PATIENCE_S


def test_a_deadline_comes_all_the_same(stage: Stage, slow: str) -> None:
    """Where the server says nothing, and where it always says a little more."""
    stage.hosts = frozenset({"localhost"})
    silent, more = stage.returned(
        lambda: (_asked(f"{slow}/never", 0.2, _httpx, _aiohttp, _streams), _asked(f"{slow}/more", 0.9, _aiohttp))
    )
    assert silent == ["ReadTimeout", "TimeoutError", "TimeoutError"]
    assert more == ["TimeoutError"]
