"""Answers changed by a fault: the fields of a model's answer that differ, and the error that a service answers with."""

import json
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from typing import Any

from ..values.actions import Respond
from ..values.http import HttpRequest, HttpResponse, ModelAnswer
from ..values.sources import Twin


def changed_fields(was: ModelAnswer, now: ModelAnswer) -> tuple[str, ...]:
    """Return the names of the fields that are not the same: ``title``, ``book_flight.seats``.

    "the whole text" stands for an answer that is no JSON, before or after.
    """
    found = [*_in_text("", was.text, now.text)]
    for number, call in enumerate(was.tool_calls):
        other = now.tool_calls[number] if number < len(now.tool_calls) else None
        if other is None or other.name != call.name:
            found.append(f"the call of {call.name}")
        else:
            found += _in_text(f"{call.name}.", call.arguments, other.arguments)
    found += [f"the call of {call.name}" for call in now.tool_calls[len(was.tool_calls) :]]
    found += [name for name in ("finish_reason", "refusal", "ending") if getattr(was, name) != getattr(now, name)]
    return tuple(dict.fromkeys(found))


def _in_text(before: str, was: str, now: str) -> Iterator[str]:
    if was == now:
        return
    try:
        yield from (f"{before}{name}" for name in _differing(json.loads(was), json.loads(now), ""))
    except ValueError:
        yield f"{before}arguments" if before else "the whole text"


def _differing(was: Any, now: Any, name: str) -> Iterator[str]:
    if isinstance(was, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*was, *now)):
            inner = f"{name}.{key}" if name else str(key)
            if key not in was or key not in now:
                yield inner
            else:
                yield from _differing(was[key], now[key], inner)
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for one, other in zip(was, now, strict=True):
            yield from _differing(one, other, f"{name}[]")
    elif was != now or type(was) is not type(now):
        yield name or "the whole text"


def refusal(twin: Twin, request: HttpRequest, action: Respond, now: float) -> HttpResponse:
    """Return the error that a service answers with; `now` is the time that a date in it counts from."""
    headers, body = _headers(action, now), action.body
    if body is None:
        return twin.refuse(request, action.status, headers, action.reason)
    if isinstance(body, bytes):
        return HttpResponse(action.status, headers, body)
    if isinstance(body, str):
        return HttpResponse(action.status, {"content-type": "text/plain; charset=utf-8", **headers}, body.encode())
    return HttpResponse.of_json(action.status, body, headers)


def _headers(action: Respond, now: float) -> Mapping[str, str]:
    if not action.retry_date_s:
        return action.headers
    return {**action.headers, "retry-after": formatdate(now + action.retry_date_s, usegmt=True)}
