"""Webhooks that are delivered to the agent at least once: twice, late, out of order, or after it has answered."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ...values.errors import ChaosError, shown
from ...values.http import HttpRequest, HttpResponse
from ...values.world import Row
from .. import addresses
from ..event_queue import Event, EventQueue, told
from ..plain_data import dumped
from ..rest import error
from ..webhook_forms import FORMS, SECRET, webhook_of

_real_getpid = os.getpid


class Webhooks:
    """A sender of webhooks: it keeps each event until the agent has answered its delivery with 2xx.

    What waits is the sender's state, and outlives the agent's process. A delivery is the point
    ``webhook.deliver:host/type``, and the answer that the sender gets is ``webhook.answer:host/type``.

    Args:
        base_url: what the sender is called in points and in the outside; any other request there is a 404.
        form: of what is sent: "standard" (Standard Webhooks), "stripe" or "github".
        secret: what is signed with.
        events: what waits from the beginning, as pairs of type and data.

    Attributes:
        own_secrets: what is signed with, by what it is, where a test has chosen it.
    """

    kind = "webhook"

    def __init__(
        self, base_url: str, form: str, secret: str, events: Iterable[tuple[str, Mapping[str, Any]]] = ()
    ) -> None:
        if form not in FORMS:
            raise ChaosError("bad-webhooks", f"form={shown(form)} of webhooks", f"form is {', '.join(FORMS)}")
        self.base_url, self.requests = addresses.base_url(base_url), list[HttpRequest]()
        self._queue, self._process = EventQueue(), _real_getpid()
        self._signed = partial(webhook_of, form, secret)
        self._signed({"id": "", "type": "", "data": {}, "created": 0}, 0)  # a bad secret is told here
        self.own_secrets = {f"the secret of {base_url}": secret} if secret != SECRET else {}
        for type, data in events:
            self.emit(type, data)

    @property
    def pending(self) -> list[Row]:
        """Return the events that are still to be delivered, in order: id, type and data of each."""
        return told(self._queue.waiting)

    def emit(self, type: str, data: Mapping[str, Any]) -> None:
        """Add an event, which waits for its delivery.

        It may be called in the test, in the handler of another service, and in the agent's process.
        """
        if not isinstance(type, str) or not type or not isinstance(data, Mapping):
            hint = 'a type and a dict: hooks.emit("payment.succeeded", {"payment": "pay_1"})'
            raise ChaosError("bad-webhooks", f"{shown(type)} with {shown(data)} is no event", hint)
        plain = json.loads(dumped(dict(data), f"the data of {type}"))
        if _real_getpid() != self._process:  # a process of the agent has a copy of this object: the twin is elsewhere
            from ..delivering import emit

            emit(self.base_url, type, plain)
        else:
            self._queue.add(type, plain)

    def deliver(self, to: Any, *, path: str = "/") -> None:
        """Deliver what waits to the agent: a function of a `Webhook`, an ASGI or WSGI application, or a URL.

        An application gets it at `path`. What is not answered with 2xx waits on, as after a crash, and the next call
        delivers it again.

        Raises:
            Undelivered: where something waits on at the end, as an error of the run: recovery, which calls this again,
                follows it.
        """
        from ..delivering import deliver_at_once

        deliver_at_once(self.base_url, to, path, self._signed)

    async def adeliver(self, to: Any, *, path: str = "/") -> None:
        """Do the same where a loop runs."""
        from ..delivering import deliver_in_loop

        await deliver_in_loop(self.base_url, to, path, self._signed)

    def set_run(self, run: int) -> None:
        """Do nothing: ids are made of the state."""

    def save(self) -> bytes:
        """Return the waiting events and the number of all events so far."""
        return self._queue.save()

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned."""
        self._queue.restore(state)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the waiting events."""
        return _rows(self.base_url, told(_waiting(state)))

    def full_state(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the waiting events with their places in the order and their times."""
        return _rows(self.base_url, [{**event, "place": place} for place, event in enumerate(_waiting(state))])

    def verb(self, request: HttpRequest) -> str:
        """Return "deliver" or "answer"; "" for a question and for a refusal, which are no points."""
        what = _asked(request)
        return what if what in ("deliver", "answer") else ""

    def target(self, request: HttpRequest) -> str:
        """Return the host and the type of the event."""
        what = _asked(request)
        name = str(request.json()["type"]) if what in ("deliver", "answer", "refused") else what
        return f"{request.host}/{addresses.in_a_token(name.replace('/', '_'))}"

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Tell the next event, hand it over, or take an answer."""
        self.requests.append(request)
        note = ""
        match _asked(request):
            case "next":
                answer = self._queue.next(**request.json())
            case "deliver":
                answer = self._queue.find(request.json()["id"]) or {}
            case "answer":
                answer = {}
                self._queue.answered(request.json()["id"])
            case "refused":  # it waits on
                answer, said = {}, request.json()
                note = f"the sender got {said['status']}" + f" ({said['said']})" * said["said"].startswith("raised")
            case "emit":
                answer = {}
                self._queue.add(**request.json())
            case _:
                return error(404, f"{self.base_url} sends webhooks, and answers nobody", {})
        return replace(HttpResponse.of_json(200, answer), note=note)

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error."""
        return error(status, reason, headers)

    def fault_response(self, request: HttpRequest, how: str) -> HttpResponse:
        """Go wrong in one of the ways of `values.actions.DELIVERIES`."""
        self.requests.append(request)
        body = request.json()
        event = self._queue.find(body["id"])
        instead = {} if event is None else self._queue.go_wrong(how, event, body.get("refused", ()))
        return HttpResponse.of_json(200, instead)


def _asked(request: HttpRequest) -> str:
    return request.path.rpartition("/")[2] if request.method.upper() == "POST" else ""


def _waiting(state: bytes) -> list[Event]:
    found: list[Event] = json.loads(state)["waiting"]
    return found


def _rows(base_url: str, events: list[Row]) -> Mapping[str, list[Row]]:
    return {f"{HttpRequest('GET', base_url).host}/pending": events} if events else {}


def webhooks(
    base_url: str = "https://webhooks.test",
    *,
    form: str = "standard",
    secret: str = SECRET,
    events: Iterable[tuple[str, Mapping[str, Any]]] = (),
) -> Webhooks:
    """A sender of webhooks: at least once, in no order; ``hooks.emit(type, data)``, ``hooks.deliver(to=handler)``."""
    return Webhooks(base_url, form, secret, events)
