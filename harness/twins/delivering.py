"""Deliver webhooks in the agent's process: what waits at the sender comes, once each, and is answered.

The sender is a twin, and is asked over HTTP like any other: so each delivery and each answer is a point.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import httpx

from .handlers import awaited
from .receivers import Receive, receiver_of
from .webhook_forms import Webhook

Signed = Callable[[dict[str, Any], int], Webhook]
"""Makes the delivery of an event at a time in seconds."""


class Undelivered(Exception):
    """Webhooks are still to be delivered: an answer was not 2xx, the handler raised, or they come later."""


class Pipe(Protocol):
    """A process's way to ask the sender and to wait for a handler: at once, or in its loop."""

    async def ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the sender's answer."""
        ...

    async def wait(self, answer: Awaitable[int]) -> int:
        """Return the status that a handler's coroutine answers with."""
        ...


class AtOnce:
    """Asks and waits without a loop."""

    def __init__(self, client: httpx.Client, base_url: str) -> None:
        self._client, self._base_url = client, base_url

    async def ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the sender's answer."""
        answer: dict[str, Any] = self._client.post(f"{self._base_url}/{what}", json=body).json()
        return answer

    async def wait(self, answer: Awaitable[int]) -> int:
        """Return the status that a handler's coroutine answers with."""

        async def waiting() -> int:
            return await answer

        return int(awaited(waiting()))


class InLoop:
    """Asks and waits in the loop that runs."""

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client, self._base_url = client, base_url

    async def ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the sender's answer."""
        answer: dict[str, Any] = (await self._client.post(f"{self._base_url}/{what}", json=body)).json()
        return answer

    async def wait(self, answer: Awaitable[int]) -> int:
        """Return the status that a handler's coroutine answers with."""
        return await answer


def deliver_at_once(base_url: str, to: Any, path: str, signed: Signed) -> None:
    """Deliver without a loop; see `deliver` and `receivers.receiver_of`."""
    receive = receiver_of(to, path)
    with httpx.Client(trust_env=False) as client:
        _run(deliver(AtOnce(client, base_url), receive, signed))


async def deliver_in_loop(base_url: str, to: Any, path: str, signed: Signed) -> None:
    """Deliver in the loop that runs; see `deliver` and `receivers.receiver_of`."""
    receive = receiver_of(to, path)
    async with httpx.AsyncClient(trust_env=False) as client:
        await deliver(InLoop(client, base_url), receive, signed)


def emit(base_url: str, type: str, data: Any) -> None:
    """Tell a sender of an event from another process than its own."""
    httpx.post(f"{base_url}/emit", json={"type": type, "data": data}, trust_env=False)


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing to its end."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits, and there is no loop")


async def deliver(pipe: Pipe, receive: Receive, signed: Signed) -> None:
    """Deliver what waits, each event once, and again what the sender delivers again.

    Raises:
        Undelivered: where something is still to be delivered at the end; from the first error of the handler.
    """
    refused: dict[str, str] = {}
    problem: Exception | None = None
    found = await pipe.ask("next", {"begins": True, "refused": []})
    while found.get("id"):
        event = await pipe.ask("deliver", {**found, "refused": list(refused)})
        if event.get("id"):
            try:
                answer = receive(signed(event, int(time.time())))
                status = answer if isinstance(answer, int) else await pipe.wait(answer)
                said = f"answered {status}"
            except Exception as raised:
                status, said, problem = 500, f"raised {raised!r}", problem or raised
            if 200 <= status < 300:
                await pipe.ask("answer", {"id": event["id"], "type": event["type"]})
            else:
                refused[event["id"]] = said
                told = {"id": event["id"], "type": event["type"], "status": status, "said": said}
                await pipe.ask("refused", told)
        found = await pipe.ask("next", {"begins": False, "refused": list(refused)})
    if found["pending"]:
        waits = [f"{id} ({refused.get(id, 'comes later')})" for id in found["pending"]]
        raise Undelivered(f"still to be delivered: {', '.join(waits)}") from problem
