"""Receivers of webhooks: a function of the agent's, its web application, or the address of its server."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from ..values.errors import ChaosError, shown
from .applications import is_asgi, is_wsgi
from .webhook_forms import Webhook

Receive = Callable[[Webhook], "int | Awaitable[int]"]
"""Takes a delivery and returns the status of its answer; raises what a handler raises."""
_ADDRESSES = ("http://", "https://")
_HOST = "http://agent.test"


def receiver_of(to: Any, path: str) -> Receive:
    """Return the receiver that `to` stands for; raises ChaosError ``bad-receiver`` where it is none.

    `path` is where an application takes them; a function has none, and an address its own.
    """
    if not isinstance(path, str) or not path.startswith("/"):
        raise ChaosError("bad-receiver", f"path={shown(path)} is no path", 'begin with a slash: path="/webhooks"')
    if isinstance(to, str) and to.startswith(_ADDRESSES):
        return lambda webhook: _posted(to, webhook)
    if is_asgi(to):
        return lambda webhook: _to_asgi(to, _HOST + path, webhook)
    if is_wsgi(to):
        return lambda webhook: _to_wsgi(to, _HOST + path, webhook)
    if callable(to):
        return lambda webhook: _called(to, webhook)
    hint = "a function of the webhook, an ASGI or WSGI application, or a URL"
    raise ChaosError("bad-receiver", f"{shown(to)} takes no webhooks", hint)


def _called(handler: Callable[[Webhook], Any], webhook: Webhook) -> "int | Awaitable[int]":
    answer = handler(webhook)
    return _later(answer) if inspect.isawaitable(answer) else _status(answer)


async def _later(answer: Awaitable[Any]) -> int:
    return _status(await answer)


def _status(answer: Any) -> int:
    """Return the status that a handler's answer means: itself, that of a response, or 200 where there is none."""
    status = getattr(answer, "status_code", answer[0] if isinstance(answer, tuple) and answer else answer)
    return status if isinstance(status, int) and 100 <= status <= 599 else 200


async def _posted(url: str, webhook: Webhook) -> int:
    # No patience: a server in the agent's own process works in real time, and virtual time could run out meanwhile.
    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:
        return (await client.post(url, content=webhook.body, headers=dict(webhook.headers))).status_code


async def _to_asgi(application: Any, url: str, webhook: Webhook) -> int:
    request = httpx.Request("POST", url, headers=dict(webhook.headers), content=webhook.body)
    async with httpx.ASGITransport(app=application) as transport:
        response = await transport.handle_async_request(request)
        await response.aread()
    return response.status_code


def _to_wsgi(application: Any, url: str, webhook: Webhook) -> int:
    request = httpx.Request("POST", url, headers=dict(webhook.headers), content=webhook.body)
    with httpx.WSGITransport(app=application) as transport:
        response = transport.handle_request(request)
        response.read()
    return response.status_code
