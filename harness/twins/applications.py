"""A web application, ASGI or WSGI, that answers for a service."""

import inspect
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ..values.errors import ChaosError, shown
from ..values.http import HttpRequest, HttpResponse
from ..values.points import canonical
from ..values.world import Row
from .handlers import awaited, failed
from .plain_data import dumped, rows_by_name
from .rest import error

_ASGI = ("scope", "receive", "send")
_WSGI = ("environ", "start_response")


class Application:
    """Answers by an ASGI or WSGI application that can save and restore what it keeps.

    ``save()`` returns bytes or plain data, and ``restore`` gets the same back. Bytes that are JSON are shown as rows,
    as plain data is; of others it is only told that they differ, unless the application has ``describe(state)``.

    Args:
        application: with ``save`` and ``restore``.
        base_url: of the service.
    """

    def __init__(self, application: Any, base_url: str) -> None:
        missing = [name for name in ("save", "restore") if not callable(getattr(application, name, None))]
        if missing:
            hint = "def save(self): returns bytes or plain data; def restore(self, state): puts it back"
            raise ChaosError("bad-service", f"the application at {base_url} has no {' and no '.join(missing)}", hint)
        self._application, self._base_url = application, base_url
        self._asgi = is_asgi(application)
        self._plain = not isinstance(self._called("save"), bytes)

    @staticmethod
    def is_one(thing: Any) -> bool:
        """Return whether this is meant as an application: it takes the arguments of one, or has save and restore."""
        return callable(thing) and (is_asgi(thing) or is_wsgi(thing) or callable(getattr(thing, "save", None)))

    def save(self) -> bytes:
        """Return the whole state of the application."""
        state = self._called("save")
        if self._plain:
            return dumped(state, f"save() of {self._base_url}")
        if not isinstance(state, bytes):
            hint = "always bytes, or always plain data"
            raise ChaosError("bad-state", f"save() of {self._base_url} returns {shown(state)}, not bytes", hint)
        return state

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned."""
        self._called("restore", json.loads(state) if self._plain else state)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the rows of a state, by the names at its top."""
        if callable(getattr(self._application, "describe", None)):
            found: Mapping[str, list[Row]] = self._called("describe", json.loads(state) if self._plain else state)
            return found
        try:
            return rows_by_name(json.loads(state))
        except ValueError:
            return {"state": [{"value": f"{len(state)} bytes, SHA-256 {sha256(state).hexdigest()}"}]}

    full = describe

    def refusal(self, request: HttpRequest, status: int, reason: str) -> HttpResponse:
        """Return a refusal in the usual words: an application has none of its own for it."""
        return error(status, reason)

    def target(self, request: HttpRequest) -> str:
        """Return the path of a request, random parts as ``*``."""
        return canonical(request.path)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Return the answer of the application; raises ChaosError ``service-failed`` where it raises."""
        import httpx  # only where there is an application: it takes a tenth of a second to load

        asked = httpx.Request(request.method, request.url, headers=dict(request.headers), content=request.body)
        try:
            if self._asgi:
                return _response(*awaited(self._asked(asked)))
            with httpx.WSGITransport(app=self._application) as transport:
                response = transport.handle_request(asked)
                return _response(response, b"".join(response.iter_raw()))
        except ChaosError:
            raise
        except Exception as problem:
            raise failed(self._base_url, request, problem) from problem

    def _called(self, name: str, *given: Any) -> Any:
        """Call a method of the application and return its result; raises ChaosError where it raises."""
        try:
            return getattr(self._application, name)(*given)
        except Exception as problem:
            text = f"{name}() of the application at {self._base_url} raised {problem!r}"
            raise ChaosError(
                "service-failed", text, "save() returns a state, and restore(state) puts it back"
            ) from problem

    async def _asked(self, request: Any) -> tuple[Any, bytes]:
        import httpx

        async with httpx.ASGITransport(app=self._application) as transport:
            response = await transport.handle_async_request(request)
            return response, b"".join([part async for part in response.aiter_raw()])


def _response(response: Any, body: bytes) -> HttpResponse:
    """Return an answer with its body as it was sent: its headers say how that is encoded, and the client decodes it."""
    lines: dict[str, list[str]] = {}
    for name, value in response.headers.multi_items():
        lines.setdefault(name.lower(), []).append(value)
    return HttpResponse(response.status_code, {name: "\n".join(values) for name, values in lines.items()}, body)


def _parameters(thing: Any) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return ()


def is_wsgi(thing: Any) -> bool:
    """Return whether this takes the arguments of a WSGI application."""
    return _parameters(thing)[:2] == _WSGI


def is_asgi(thing: Any) -> bool:
    """Return whether this takes the arguments of an ASGI application."""
    waits = inspect.iscoroutinefunction(thing) or inspect.iscoroutinefunction(type(thing).__call__)
    return _parameters(thing)[:3] == _ASGI or (waits and len(_parameters(thing)) == 3)
