"""Answer a request for a twin: in the twin's own way, or in the way of a fault."""

from dataclasses import replace
from typing import NamedTuple

from ..boundary.resolved import ResolvedInjection
from ..twins.credentials import shown
from ..values.actions import Misanswer, Respond, Say
from ..values.http import HttpRequest, HttpResponse
from ..values.legality import actions
from ..values.points import Effect, Point
from ..values.sources import Asking, Authenticating, Misanswering, ModelService, Twin
from . import keys
from .answers import changed_fields, refusal
from .model_calls import model_call
from .process_runs import ProcessRun
from .tool_calls import ToolCalls
from .trace_context import TraceContext

_SHOWN_CHARACTERS = 120  # of what a service refuses with


class Asked(NamedTuple):
    """A request of an agent, its point, and the injection that fires there; None for none."""

    twin: Twin
    request: HttpRequest
    point: Point | None
    resolved: ResolvedInjection | None
    clock: float


class Answering:
    """Lets twins answer one process, and keeps its requests with their answers.

    Attributes:
        tool_calls: what models asked it to call.
    """

    def __init__(self, executor: TraceContext, process: ProcessRun) -> None:
        self._executor, self._process = executor, process
        self._refused: set[str] = set()
        self.tool_calls = ToolCalls()

    def answer(self, asked: Asked) -> HttpResponse:
        """Return the answer that the agent gets; raises ChaosError where the twin cannot answer."""
        response = self._treated(asked)
        if isinstance(asked.twin, ModelService) and asked.point is not None:
            self.tool_calls.exchanged(asked.point, asked.request, asked.twin.read_answer(response))
        self._watch_credentials(asked, refused=response.status == 401 or self._is_refused(asked.resolved))
        return response

    def _treated(self, asked: Asked) -> HttpResponse:
        """Return the twin's answer, or the answer that a fault makes of it."""
        twin, request, resolved = asked.twin, asked.request, asked.resolved
        if resolved is not None and isinstance(resolved.action, Respond):
            self._fires(asked, resolved)
            # The twin is not asked: the service has not acted.
            refused = refusal(twin, request, resolved.action, asked.clock)
            if refused.status != resolved.action.status and asked.point is not None:
                text = refused.body.decode(errors="replace")[:_SHOWN_CHARACTERS]
                self._process.refusals[asked.point] = f"{refused.status} {text}".rstrip()
            return refused
        if resolved is not None and isinstance(resolved.action, Misanswer) and isinstance(twin, Misanswering):
            self._fires(asked, resolved)
            return twin.fault_response(request, resolved.action.how)
        response = twin.handle(replace(self._sent(request, asked.point), time=asked.clock))
        if response.note and asked.point is not None:
            self._process.notes[self._about(asked.point)] = response.note
        self._process.sent += keys.sent(twin, request, asked.point, response)
        return self._said(asked, asked.point, response) if asked.point is not None else response

    def _about(self, point: Point) -> Point:
        """Return the point that a request is about: itself, or where it is none the last one with its target."""
        reached = self._process.places  # in the order in which they were reached
        if point in reached:
            return point
        alike = (one for one in reversed(reached) if (one.kind, one.target) == (point.kind, point.target))
        return next(alike, point)

    def _sent(self, request: HttpRequest, point: Point | None) -> HttpRequest:
        """Return the request that the twin gets: the agent's own, but where a cure is tried."""
        treatment = self._process.treatment
        return request if treatment is None or point is None else treatment.request(self._process, point, request)

    def _said(self, asked: Asked, point: Point, response: HttpResponse) -> HttpResponse:
        """Return an answer of a model, with other words where a fault puts them into its mouth."""
        twin, request, resolved = asked.twin, asked.request, asked.resolved
        seen = replace(self._process.effects.get(point, Effect(point)), request=request)
        self._process.effects[point] = seen
        if isinstance(twin, ModelService) and (answer := twin.read_answer(response)) is not None:
            answer = twin.with_what_was_asked(request, answer) if isinstance(twin, Asking) else answer
            self._process.effects[point] = replace(seen, answer=answer)
            self._process.model_calls[point] = model_call(twin, request, answer)
            if resolved is not None and isinstance(resolved.action, Say):
                # The plan was made with the answer of another run: the same variant makes it of this one here.
                injection = resolved.injection
                fault = self._executor.config.known[injection.fault]
                met = Effect(point, 0, answer, when="after", request=request, edits=injection.edits)
                action = injection.variant_of(actions(fault, met))
                if isinstance(action, Say):
                    self._fires(asked, resolved)
                    self._process.said.append(str(action.answer))
                    self._process.reworded[point] = action.answer
                    self._process.changed_fields += changed_fields(answer, action.answer)
                    return twin.write_answer(response, action.answer)
        if resolved is not None and isinstance(resolved.action, Say) and point == resolved.injection.point:
            # There was no answer, or one without such a part.
            self._process.declines(resolved.position)
        return response

    def _fires(self, asked: Asked, resolved: ResolvedInjection) -> None:
        if self._process.fires(resolved.position):
            self._executor.telling.fired(resolved.injection, asked.clock)

    def _is_refused(self, resolved: ResolvedInjection | None) -> bool:
        """Return whether a fault refuses the credential; a service may say so with another status, such as 200."""
        return resolved is not None and isinstance(resolved.action, Respond) and resolved.action.status == 401

    def _watch_credentials(self, asked: Asked, *, refused: bool) -> None:
        request, twin = asked.request, asked.twin
        own = twin.credential(request) if isinstance(twin, Authenticating) else shown(request)
        credential = own or request.headers.get("authorization", "")
        if not credential:
            return
        label = f"the credential for {request.host}"
        if credential in self._refused:
            self._process.resent[label] += 1
        if refused:
            self._refused.add(credential)
        else:
            secret = own or credential
            self._executor.learned.credentials.setdefault(label, secret.encode())
            self._executor.config.cleaner.learn(secret)
