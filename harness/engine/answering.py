"""Answer a request for a twin: in the twin's own way, or in the way of a fault."""

from dataclasses import replace
from typing import NamedTuple

from ..boundary.armed import Armed
from ..twins.credentials import shown
from ..values.http import HttpRequest, HttpResponse
from ..values.legality import actions
from ..values.points import Effect, Point
from ..values.sources import Asking, Misanswering, ModelService, Twin
from ..values.strikes import Misanswer, Respond, Say
from . import keys
from .answers import changed_fields, refusal
from .lives import Lived
from .overseer import Overseer


class Asked(NamedTuple):
    """A request of an agent, the point that it is, and what strikes there; None for what is no point, or no fault."""

    twin: Twin
    request: HttpRequest
    point: Point | None
    armed: Armed | None
    clock: float


class Answering:
    """Lets twins answer one process, and keeps what that sent and was told."""

    def __init__(self, executor: Overseer, lived: Lived) -> None:
        self._executor, self._lived = executor, lived
        self._refused: set[str] = set()

    def answer(self, asked: Asked) -> HttpResponse:
        """Return what the agent is answered; raises ChaosError where the twin cannot answer."""
        response = self._treated(asked)
        self._watch_credentials(asked.request, response)
        return response

    def _treated(self, asked: Asked) -> HttpResponse:
        """Return what a twin answers to a request, in its own way or in the way of a fault."""
        twin, request, armed = asked.twin, asked.request, asked.armed
        if armed is not None and isinstance(armed.strike, Respond):
            self._fires(asked, armed)
            return refusal(twin, request, armed.strike, asked.clock)
        if armed is not None and isinstance(armed.strike, Misanswer) and isinstance(twin, Misanswering):
            self._fires(asked, armed)
            return twin.misanswer(request, armed.strike.how)
        response = twin.handle(request)
        self._lived.sent += keys.sent(twin, request, asked.point, response)
        return self._said(asked, asked.point, response) if asked.point is not None else response

    def _said(self, asked: Asked, point: Point, response: HttpResponse) -> HttpResponse:
        """Return an answer of a model, with other words where a fault puts them into its mouth."""
        twin, request, armed = asked.twin, asked.request, asked.armed
        seen = replace(self._lived.effects.get(point, Effect(point)), request=request)
        self._lived.effects[point] = seen
        if isinstance(twin, ModelService) and (answer := twin.read_answer(response)) is not None:
            answer = twin.with_what_was_asked(request, answer) if isinstance(twin, Asking) else answer
            self._lived.effects[point] = replace(seen, answer=answer)
            if armed is not None and isinstance(armed.strike, Say):
                fault = self._executor.setting.known[armed.injection.fault]
                met = Effect(point, 0, answer, when="after", request=request)
                strike = armed.injection.variant_of(actions(fault, met))
                if isinstance(strike, Say):
                    self._fires(asked, armed)
                    self._lived.said.append(str(strike.answer))
                    self._lived.changed_fields += changed_fields(answer, strike.answer)
                    return twin.write_answer(response, strike.answer)
        if armed is not None and isinstance(armed.strike, Say) and point == armed.injection.point:
            self._lived.declines(armed.position)  # no answer, or one without such a part; a lasting fault struck before
        return response

    def _fires(self, asked: Asked, armed: Armed) -> None:
        if armed.position in self._lived.due:  # what lasts from an earlier process is none of this plan's
            self._executor.telling.fired(armed.injection, asked.clock)
        self._lived.fires(armed.position)

    def _watch_credentials(self, request: HttpRequest, response: HttpResponse) -> None:
        credential = request.headers.get("authorization") or request.headers.get("x-api-key", "")
        if not credential:
            return
        label = f"the credential for {request.host}"
        if credential in self._refused:
            self._lived.resent[label] += 1
        if response.status == 401:
            self._refused.add(credential)
        else:
            self._executor.learned.credentials.setdefault(label, (shown(request) or credential).encode())
