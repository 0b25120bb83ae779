"""Functions that answer for a service, and the plain data that they keep."""

import asyncio
import inspect
import json
import re
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from ..values.errors import ChaosError, shown
from ..values.http import HttpRequest, HttpResponse
from ..values.points import canonical
from ..values.world import Row
from .plain_data import dumped, rows_by_name
from .rest import error
from .route_options import NO_OPTIONS, Beside, RouteOptions, carried_out, things_in

Handler = Callable[..., object]
"""``handler(request, state)`` returns an answer and changes `state` in place."""
_PART = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class _Route:
    """A handler for one method and the paths that a template such as ``/users/{id}`` fits."""

    method: str
    path: re.Pattern[str]
    target: str
    handler: Handler
    options: RouteOptions

    @classmethod
    def of(cls, method: str, path: str, handler: Handler, options: RouteOptions) -> "_Route":
        """Read a template."""
        literal = [re.escape(part) for part in _PART.split(path)]
        literal[1::2] = [f"(?P<{name}>[^/]+)" for name in _PART.findall(path)]
        return cls(method.upper(), re.compile("".join(literal)), _PART.sub("*", path), handler, options)

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the named parts of a path that fits, else None."""
        found = self.path.fullmatch(path) if method.upper() == self.method else None
        return None if found is None else {name: unquote(part) for name, part in found.groupdict().items()}


class Handlers:
    """Answers by a function of the request and the state; by another one where a route fits.

    Args:
        handler: answers where no route fits; it may be a coroutine function.
        base_url: of the service; paths of routes are below it.
        state: what there is at first.
        lag: of the lists that `handler` itself makes of the state.

    Attributes:
        base_url: of the service.
        base: its path, which the paths of routes are below.
        beside: ages of things, and first answers, for the options of routes.
        longest_lag: of all lists: things are aged as far as that.
    """

    def __init__(self, handler: Handler, base_url: str, state: Any, lag: int = 0) -> None:
        self.base_url, self.base = base_url, urlsplit(base_url).path
        _check(handler, base_url)
        self._handler, self._routes = handler, list[_Route]()
        self.lag = self.longest_lag = lag
        self.beside = Beside()
        # As bytes: a handler that keeps the object of one request changes nothing of the next.
        self._saved = dumped(state, f"the state of {base_url}")
        self._data: Any = None

    def route(self, method: str, path: str, handler: Handler, options: RouteOptions = NO_OPTIONS) -> None:
        """Add a route behind the others; raises ChaosError for a path, a method or a handler that cannot be one."""
        if not isinstance(method, str) or not method.isalpha():
            raise ChaosError("bad-route", f"{shown(method)} is no method of HTTP", 'e.g. "GET"')
        names = _PART.findall(path) if isinstance(path, str) else []
        if not isinstance(path, str) or not path.startswith("/") or not _can_be_arguments(names, path):
            hint = 'a path below the base URL, with the name of an argument in braces, each once: "/users/{id}/orders"'
            raise ChaosError("bad-route", f"{shown(path)} is no path of a route", hint)
        if any((one.method, one.target) == (method.upper(), _PART.sub("*", path)) for one in self._routes):
            raise ChaosError("twice", f"{method.upper()} {path} has a handler already", "declare each route once")
        _check(handler, self.base_url, names)
        self._routes.append(_Route.of(method, path, handler, options))
        self.longest_lag = max(self.longest_lag, options.lag)

    def copy(self) -> Any:
        """Return a copy of the state."""
        return json.loads(dumped(self.given(), f"the state of {self.base_url}"))

    def save(self) -> bytes:
        """Return the state as JSON; its order is part of it, as a handler may go by it.

        `beside` follows in a second line, where it has anything.
        """
        beside = self.beside.dump()
        return self._saved + b"\n" + beside if beside else self._saved

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned."""
        self._saved, _, beside = state.partition(b"\n")
        self._data, self.beside = None, Beside.load(beside)

    @property
    def data(self) -> Any:
        """Return the state, which a handler changes in place; `keep` keeps the changes."""
        if self._data is None:
            self._data = json.loads(self._saved)
        return self._data

    def keep(self) -> None:
        """Keep the changes in `data`; raises ChaosError ``bad-state`` where it is no plain data any more."""
        if self._data is not None:
            self._saved, self._data = dumped(self._data, f"the state of {self.base_url}"), None

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the rows of a state, by the names at its top."""
        return rows_by_name(read_state(state))

    def full(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return all that a later request can meet: things that lists lack, and first answers by their keys, too."""
        return {**self.describe(state), **beside_of(state)}

    def refusal(self, request: HttpRequest, status: int, reason: str) -> HttpResponse:
        """Return a refusal in the usual words: a handler has none of its own for it."""
        return error(status, reason)

    def target(self, request: HttpRequest) -> str:
        """Return the path of a request: the template of its route, else itself with random parts as ``*``."""
        found = self.routed(request)
        return canonical(request.path) if found is None else f"{self.base}{found[0].target}"

    def answer(self, request: HttpRequest) -> object:
        """Call the handler, and return its answer; where it raises, the state is as it was before."""
        before, found = self.save(), self.routed(request)
        handler, options, parts = self._handler, NO_OPTIONS, dict[str, str]()
        if found is not None:
            handler, options, parts = found[0].handler, found[0].options, found[1]
        self.restore(before)
        self.beside.age(self.longest_lag)
        there = self.things()

        def ask(state: Any) -> object:
            returned = handler(request, state, **parts)
            return awaited(returned) if inspect.iscoroutine(returned) else returned

        try:
            refuse = partial(self.refusal, request)
            answer = carried_out(options, self.beside, request, self.given(), ask, refuse)
            self.beside.made(there, self.things())
            self.keep()
        except ChaosError:
            self.restore(before)
            raise
        except Exception as problem:
            self.restore(before)
            raise failed(self.base_url, request, problem, file_of(handler)) from problem
        return answer

    def given(self) -> Any:
        """Return the state as a handler gets it."""
        return self.data

    def things(self) -> frozenset[str]:
        """Return the things that lists can have, ``collection/key``; none where no list lags."""
        return things_in(self.given()) if self.longest_lag else frozenset()

    def routed(self, request: HttpRequest) -> tuple[_Route, dict[str, str]] | None:
        """Return the first route that fits a request, with the named parts of its path; None where none does."""
        path = request.path.removeprefix(self.base) or "/"
        for route in self._routes:
            if (parts := route.match(request.method, path)) is not None:
                return route, parts
        return None


def _check(handler: object, base_url: str, names: Sequence[str] = ()) -> None:
    """Raise ChaosError for a handler that cannot be called with these arguments."""
    asked = ", ".join(["request", "state", *names])
    hint = f"def service({asked}): … that returns e.g. {{}} or (404, {{}}); or an application with save and restore"
    if not callable(handler):
        raise ChaosError("bad-service", f"{shown(handler)} answers nothing at {base_url}", hint)
    try:
        inspect.signature(handler).bind(None, None, **dict.fromkeys(names))
    except TypeError as problem:
        name = getattr(handler, "__qualname__", repr(handler))
        raise ChaosError("bad-service", f"{name} is no handler of ({asked}): {problem}", hint) from None
    except ValueError:
        pass  # written in C: it says nothing of its arguments


def read_state(state: bytes) -> Any:
    """Return the handler's own state from the bytes of `Handlers.save`."""
    return json.loads(state.partition(b"\n")[0])


def beside_of(state: bytes) -> dict[str, list[Row]]:
    """Return the part beside the state, from the bytes of `Handlers.save`, as rows by name."""
    return Beside.load(state.partition(b"\n")[2]).rows()


def _can_be_arguments(names: Sequence[str], path: str) -> bool:
    is_whole = not set("{}").intersection(_PART.sub("", path))
    return is_whole and all(map(str.isidentifier, names)) and len(set(names)) == len(names)


def file_of(handler: object) -> str:
    """Return the file that a handler stands in, "" where that is not known."""
    code = getattr(inspect.unwrap(handler) if callable(handler) else handler, "__code__", None)
    return code.co_filename if code is not None else ""


def failed(base_url: str, request: HttpRequest, problem: BaseException, file: str = "") -> ChaosError:
    """Return the error for a handler that raised, with its line; see `raised_at`."""
    place = raised_at(problem, file)
    hint = f"at {place}; an error of the service is an answer: return (500, {{…}})" if place else ""
    text = f"the handler of {base_url} raised {problem!r} for {request.method} {request.path}"
    return ChaosError("service-failed", text, hint)


def raised_at(problem: BaseException, file: str) -> str:
    """Return ``file:line`` of an exception: the last line in a file, else the last one; "" where it has none.

    The last one of all may be in a library that the handler called: ``json/decoder.py`` says nothing of who asked it.
    """
    frames = []
    trace = problem.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    name, line = next((frame for frame in reversed(frames) if frame[0] == file), frames[-1] if frames else ("", 0))
    return f"{name}:{line}" if name else ""


def awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine, in a thread of its own where a loop runs already in this one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    found: list[Any] = []

    def run() -> None:
        try:
            found.append((asyncio.run(coroutine), None))
        except BaseException as problem:
            found.append((None, problem))

    thread = threading.Thread(target=run, name="service")
    thread.start()
    thread.join()
    ((result, problem),) = found
    if problem is not None:
        raise problem
    return result
