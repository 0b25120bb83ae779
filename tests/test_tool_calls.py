"""Which call of a tool an effect belongs to, where order and the agent's functions tell; else no name is given."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from rollproof.boundary.resolved import ResolvedInjection
from rollproof.engine.process_runs import ProcessRun
from rollproof.engine.tool_calls import KnownTools, ToolCalls
from rollproof.values.actions import Disconnect
from rollproof.values.history import Outcome
from rollproof.values.http import HttpRequest, ModelAnswer, ToolCall
from rollproof.values.places import Frame
from rollproof.values.points import InFlight, Point
from rollproof.values.schedule import Injection

RETURNED, KILLED = Outcome("returned"), Outcome("killed")
BOOK = {"call_1": "book"}
BOTH = {"call_1": "book", "call_2": "pay"}
EFFECT, ANOTHER = Point("file", "write", "a"), Point("file", "write", "b")


def chat(n: int) -> Point:
    """Return the n-th request to the model."""
    return Point("llm", "chat", "api.openai.com", n)


Exchanges = Sequence[tuple[tuple[str, ...], Mapping[str, str]]]
"""The ids of calls that each request brings the results of, and the calls that are asked for then."""


def named(points: Sequence[Point], exchanges: Exchanges, outcome: Outcome = RETURNED, **more: Any) -> dict[str, Any]:
    """Return the names at each point of a process that talked like this."""
    process, calls = ProcessRun("run", None, outcome), ToolCalls()  # type: ignore[arg-type]
    process.points, process.in_flight = tuple(points), more.get("in_flight", ())
    process.places.update({point: (Frame("agent.py", 1, name),) for point, name in more.get("functions", {}).items()})
    process.within.update(more.get("within", {}))
    process.fired.update(one.position for one in more.get("plan", ()))
    for n, (told, asked) in enumerate(exchanges, 1):
        request = HttpRequest("POST", "https://api.openai.com/v1", body=" ".join(told).encode())
        answer = ModelAnswer(tool_calls=tuple(ToolCall(name, "{}", id) for id, name in asked.items()))
        calls.exchanged(chat(n), request, answer)
    calls.name(process, more.get("plan", ()), more.get("known", KnownTools()))
    return {str(point): names for point, names in process.within.items()}


def test_an_effect_between_a_call_and_its_result_is_the_tools() -> None:
    """Before the call and after its result nothing is, nor is the request that brings the result."""
    points = [Point("file", "write", "c"), chat(1), EFFECT, chat(2), ANOTHER]
    assert named(points, [((), BOOK), (("call_1",), {})]) == {str(EFFECT): ("book",)}


@pytest.mark.parametrize("outcome", [RETURNED, KILLED])
def test_a_call_without_a_result_may_be_the_form_of_an_answer(outcome: Outcome) -> None:
    """It is a tool where the result went back in another process, and this one was stopped in between."""
    points, known = [chat(1), EFFECT], KnownTools()
    assert named(points, [((), BOOK)], outcome, known=known) == {}
    named([chat(1), chat(2)], [((), BOOK), (("call_1",), {})], known=known)
    found = {str(EFFECT): ("book",)} if outcome is KILLED else {}
    assert named(points, [((), BOOK)], outcome, known=known) == found


def test_after_a_request_that_failed_nothing_belongs_to_a_call() -> None:
    """The result is on its way again and again: what is done meanwhile is the agent's own."""
    points = [chat(1), EFFECT, Point("llm", "chat", "api.openai.com", 9), ANOTHER, chat(2)]
    assert named(points, [((), BOOK), (("call_1",), {})]) == {str(EFFECT): ("book",)}


def test_an_answer_that_was_lost_calls_nothing() -> None:
    """The agent never had it; the same request again gets the same call."""
    plan = [ResolvedInjection(0, Injection("llm.timeout", chat(1), "after"), Disconnect("timeout"), ("llm",))]
    points = [chat(1), EFFECT, chat(2), ANOTHER, chat(3)]
    exchanges = [((), BOOK), ((), BOOK), (("call_1",), {})]
    assert named(points, exchanges, plan=plan) == {str(ANOTHER): ("book",)}


def test_of_several_calls_in_one_answer_a_function_tells() -> None:
    """Alone, the order of calls tells nothing; where the one tool is seen as a function, the rest is the other's."""
    points, exchanges = [chat(1), EFFECT, ANOTHER, chat(2)], [((), BOTH), (("call_1", "call_2"), {})]
    assert named(points, exchanges) == {}
    functions = {EFFECT: "Travel.book"}
    assert named(points, exchanges, functions=functions) == {str(EFFECT): ("book",), str(ANOTHER): ("pay",)}
    same = {"call_1": "book", "call_2": "book"}
    both = {str(EFFECT): ("book",), str(ANOTHER): ("book",)}
    assert named(points, [((), same), (("call_1", "call_2"), {})]) == both


def test_a_tool_that_is_seen_as_a_function_has_no_other_effects() -> None:
    """What the agent stores in between is its own."""
    points, exchanges = [chat(1), EFFECT, ANOTHER, chat(2)], [((), BOOK), (("call_1",), {})]
    assert named(points, exchanges, functions={EFFECT: "book", ANOTHER: "save"}) == {str(EFFECT): ("book",)}


def test_where_others_act_meanwhile_a_function_must_tell() -> None:
    """It may be their effect."""
    points, exchanges = [chat(1), EFFECT, ANOTHER, chat(2)], [((), BOOK), (("call_1",), {})]
    beside = tuple(InFlight((1, 0), frozenset({(2, 0)})) for _ in points)
    assert named(points, exchanges, in_flight=beside) == {}
    assert named(points, exchanges, in_flight=beside, functions={EFFECT: "book"}) == {str(EFFECT): ("book",)}


def test_an_agent_within_a_tool_calls_tools_of_its_own() -> None:
    """The outer one stands first, and behind the steps that surround it."""
    points = [chat(1), chat(2), EFFECT, chat(3), ANOTHER, chat(4)]
    exchanges = [((), BOOK), ((), {"call_2": "pay"}), (("call_2",), {}), (("call_1",), {})]
    within = dict.fromkeys(points, ("trip",)) | {EFFECT: ("trip", "card")}
    found = named(points, exchanges, within=within)
    assert found[str(EFFECT)] == ("trip", "book", "pay", "card")
    assert found[str(ANOTHER)] == found[str(chat(2))] == ("trip", "book")
    assert found[str(chat(1))] == found[str(chat(4))] == ("trip",)


def test_a_graph_asks_in_one_node_and_calls_in_another() -> None:
    """The tool is inside the node that calls it."""
    points, within = [chat(1), EFFECT, chat(2)], {chat(1): ("agent",), EFFECT: ("tools",), chat(2): ("agent",)}
    assert named(points, [((), BOOK), (("call_1",), {})], within=within)[str(EFFECT)] == ("tools", "book")


def test_a_call_of_a_server_of_tools_carries_the_name_of_the_tool() -> None:
    """Its name is given once."""
    call, other = Point("mcp", "call", "tools.test/book"), Point("mcp", "list", "tools.test")
    assert named([other, call], []) == {str(call): ("book",)}
    assert named([chat(1), call, chat(2)], [((), BOOK), (("call_1",), {})]) == {str(call): ("book",)}
