"""The call of a tool that an effect belongs to, by the requests to a model and its answers.

An agent carries out a call between the answer that asks for it and the request that brings its result back. A function
of the tool's name among the agent's calls is the surest sign; a tool that is seen so has no other effects. Where it
stays open whose effect one is, no name is given: of several calls in one answer, and where other threads or tasks act
meanwhile.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ..boundary.resolved import ResolvedInjection
from ..values.actions import Disconnect, Exit, Fail, Kill
from ..values.http import HttpRequest, ModelAnswer
from ..values.media import medium_of
from ..values.places import Place
from ..values.points import Point
from ..values.story import shared_names
from .process_runs import ProcessRun

_Names = tuple[str, ...]
_LOSING = (Disconnect, Exit, Fail, Kill)
"""Actions that, after the model has answered, keep the answer from the agent."""


@dataclass(slots=True)
class KnownTools:
    """Facts on the tools of an agent, from all of its processes.

    Attributes:
        answered: names of those whose result was brought back: others are forms of an answer, and nothing is called.
        functions: names of those that a function of the agent is called like.
        beside: whether other threads or tasks could act while a call was carried out.
    """

    answered: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    beside: bool = False

    def learn(self, name: str, process: ProcessRun, points: Sequence[Point]) -> None:
        """Take note of a tool that a process called; its result was brought back, and these points came before that."""
        self.answered.add(name)
        if any(name in _functions(process.places.get(point, ())) for point in points):
            self.functions.add(name)
        at = dict(zip(process.points, process.in_flight, strict=False))
        self.beside = self.beside or any(at[point].others for point in points if point in at)

    def the_one(self, names: set[str], place: Place) -> str:
        """Return the tool, of those that can be at work, that makes the effect of a place; "" if it cannot be told."""
        seen, others = names & _functions(place), names - self.functions
        if len(seen) == 1 or (len(others) == 1 and not seen and not self.beside):
            return next(iter(seen or others))
        return ""


@dataclass(slots=True)
class _Call:
    """A call that a model asked for at a point; `closed` is the point of the request with its result.

    `passed_over` says that another request was made before that: it is a call within this one, or this one was dropped.
    """

    id: str
    name: str
    opened: Point
    closed: Point | None = None
    passed_over: bool = False

    def told(self, point: Point, request: HttpRequest) -> None:
        """Note whether a request brings the result back: a call's id is drawn, so it stands in none by chance."""
        if self.closed is None and self.id.encode() in request.body:
            self.closed = point
        self.passed_over = self.passed_over or self.closed is None

    def points(self, process: ProcessRun, answered: Container[Point]) -> Iterator[Point]:
        """Yield the points of a process within the call; those of an open call end where a model gave no answer."""
        points = process.points
        start = points.index(self.opened) + 1 if self.opened in points else len(points)
        for point in points[start:]:
            if point == self.closed or (point.kind == self.opened.kind and point not in answered):
                return
            yield point


class ToolCalls:
    """The calls that models asked one process for."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._answered: set[Point] = set()

    def exchanged(self, point: Point, request: HttpRequest, answer: ModelAnswer | None) -> None:
        """Take note of a request to a model and its answer, None for an error."""
        self._answered.add(point)
        for call in self._calls:
            call.told(point, request)
        asked = {call.id: call.name for call in answer.tool_calls if call.id and call.name} if answer else {}
        # The same request again gets the same calls: they were dropped, or never came.
        self._calls = [call for call in self._calls if call.closed is not None or call.id not in asked]
        self._calls += [_Call(id, name, point) for id, name in asked.items()]

    def name(self, process: ProcessRun, plan: Sequence[ResolvedInjection], known: KnownTools) -> None:
        """Name the points of a process that has ended that lie within a call, and those that are calls of tools."""
        came = [call for call in self._calls if not _is_lost(call.opened, process, plan)]
        for call in came:
            if call.closed is not None:
                known.learn(call.name, process, list(call.points(process, self._answered)))
        stopped = process.outcome.kind != "returned"
        around: dict[Point, list[_Call]] = {}
        for call in came:
            # One without a result was under way when the process was stopped, if the tool is one that has results.
            if call.closed is not None or (stopped and not call.passed_over and call.name in known.answered):
                for point in call.points(process, self._answered):
                    around.setdefault(point, []).append(call)
        if around or any(medium_of(kind).calls_tools for kind in {point.kind for point in process.points}):
            for point in process.points:
                _name(process, point, around.get(point, ()), known)


def _name(process: ProcessRun, point: Point, around: Sequence[_Call], known: KnownTools) -> None:
    within, place = process.within.get(point, ()), process.places.get(point, ())
    for opened, calls in groupby(around, key=lambda call: call.opened):
        name = known.the_one({call.name for call in calls}, place)
        if name and name not in within:
            within = _inserted(within, name, process.within.get(opened, ()))
    tool = medium_of(point.kind).tool(point)
    within += (tool,) if tool and tool not in within else ()
    if within:
        process.within[point] = within


def _functions(place: Place) -> set[str]:
    return {frame.function.rpartition(".")[2] for frame in place}


def _inserted(within: _Names, name: str, asked_in: _Names) -> _Names:
    """Return the names at a point with that of a tool behind those that surround the whole call.

    `asked_in` are the names where the model was asked. A graph asks in one node, and carries the call out in another.
    """
    end = len(shared_names((within, asked_in)))
    end += end < min(len(within), len(asked_in))
    return (*within[:end], name, *within[end:])


def _is_lost(point: Point, process: ProcessRun, plan: Sequence[ResolvedInjection]) -> bool:
    """Return whether the answer at this point did not reach the agent."""
    fired = (one for one in plan if one.position in process.fired and isinstance(one.action, _LOSING))
    return any(
        one.injection.when == "after"
        and (one.injection.point == point or (one.injection.lasting and one.reaches(point)))
        for one in fired
    )
