"""What a model says wrong follows what it was asked: what a provider guarantees holds, any other schema is violated.

Each API is asked by its own SDK, once with a format of the text and once with a tool.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from rollproof.twins.llm import ModelTwin
from rollproof.values.actions import Say
from rollproof.values.exploration import Exploration
from rollproof.values.http import Asked, HttpRequest, ModelAnswer, ToolCall
from rollproof.values.points import Effect, Point

from .exploring import explored, only, options

PLAN = {"title": "Solar", "kind": "report", "pages": 3}
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "kind": {"type": "string", "enum": ["report", "letter"]},
        "pages": {"type": "integer"},
    },
    "required": ["title", "kind", "pages"],
    "additionalProperties": False,
}
FIELDS = {"llm.missing_field", "llm.wrong_type"}
OTHERS = {
    "llm.malformed_json",
    "llm.truncated_json",
    "llm.json_in_prose",
    "llm.unknown_enum_value",
    "llm.empty_answer",
    "llm.refusal",
    "llm.stopped_for_length",
    "llm.unknown_tool",
    "llm.content_filter",
}
# where the provider guarantees a schema
POSSIBLE = {"llm.refusal", "llm.stopped_for_length", "llm.truncated_json", "llm.content_filter"}
HISTORY: list[Any] = [{"role": "user", "content": "Plan, as json"}]

Ask = Callable[[bool], tuple[str, bool]]
"""Asks for the plan, strictly or not; returns its JSON and whether it is said to be all, and no refusal."""


def chat_text(strict: bool) -> tuple[str, bool]:
    """Ask OpenAI's chat completions for a text of a schema."""
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "plan", "schema": SCHEMA, "strict": strict}}
    with openai.OpenAI(max_retries=0) as client:
        answer = client.chat.completions.create(model="gpt-5", messages=HISTORY, response_format=wanted).choices[0]
    return answer.message.content or "", answer.finish_reason == "stop" and not answer.message.refusal


def chat_tool(strict: bool) -> tuple[str, bool]:
    """Ask it for a call."""
    tool: Any = {"type": "function", "function": {"name": "plan", "parameters": SCHEMA, "strict": strict}}
    with openai.OpenAI(max_retries=0) as client:
        answer = client.chat.completions.create(model="gpt-5", messages=HISTORY, tools=[tool]).choices[0]
    called: Any = (answer.message.tool_calls or [None])[0]
    return called.function.arguments if called else "", answer.finish_reason == "tool_calls"


def responses_text(strict: bool) -> tuple[str, bool]:
    """Ask OpenAI's Responses API for a text of a schema."""
    wanted: Any = {"format": {"type": "json_schema", "name": "plan", "schema": SCHEMA, "strict": strict}}
    with openai.OpenAI(max_retries=0) as client:
        answer = client.responses.create(model="gpt-5", input=HISTORY, text=wanted)
    return answer.output_text, answer.status == "completed" and bool(answer.output_text)


def responses_tool(strict: bool) -> tuple[str, bool]:
    """Ask it for a call; strict is what it is where nothing is said of it."""
    tool: Any = {"type": "function", "name": "plan", "parameters": SCHEMA, **({} if strict else {"strict": False})}
    with openai.OpenAI(max_retries=0) as client:
        answer = client.responses.create(model="gpt-5", input=HISTORY, tools=[tool])
    called = [item.arguments for item in answer.output if item.type == "function_call"]
    return called[0] if called else "", answer.status == "completed" and bool(called)


def messages_text(strict: bool) -> tuple[str, bool]:
    """Ask Anthropic for a text of a schema, which is always strict."""
    wanted: Any = {"format": {"type": "json_schema", "schema": SCHEMA}} if strict else anthropic.NOT_GIVEN
    with anthropic.Anthropic(max_retries=0) as client:
        answer = client.messages.create(model="claude", max_tokens=99, messages=HISTORY, output_config=wanted)
    return "".join(b.text for b in answer.content if b.type == "text"), answer.stop_reason == "end_turn"


def messages_tool(strict: bool) -> tuple[str, bool]:
    """Ask it for a call."""
    tool: Any = {"name": "plan", "input_schema": SCHEMA, "strict": strict}
    with anthropic.Anthropic(max_retries=0) as client:
        answer = client.messages.create(model="claude", max_tokens=99, messages=HISTORY, tools=[tool])
    called = [json.dumps(block.input) for block in answer.content if block.type == "tool_use"]
    return called[0] if called else "", answer.stop_reason == "tool_use" and bool(called)


@dataclass
class Agent:
    """Writes what was planned as a whole, and believes the types that it asked for.

    The careful one looks at whether the answer is all, and no refusal; the other takes what there is.
    """

    ask: Ask
    strict: bool = True
    careful: bool = True

    def run(self, shared: Path) -> None:
        """Plan, and write it down."""
        text, whole = self.ask(self.strict)
        if self.careful and not whole:
            raise ValueError("no plan")
        try:
            plan = json.loads(text)
            line = f"{plan['title']} ({plan['kind']}): {plan['pages']} pages\n"
        except ValueError:
            line = f"{text}\n"
        draft = shared / "plan.part"
        draft.write_text(line)
        os.replace(draft, shared / "plan.txt")

    def explore(self, chaos: Any, folder: Path) -> None:
        """Watch a folder, and let the model say the plan."""
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)
        tool = {"tool_calls": [{"name": "plan", "arguments": PLAN}]}
        chaos.llm({"Plan": tool if self.ask.__name__.endswith("tool") else json.dumps(PLAN)})
        chaos.explore(run=lambda: self.run(shared))


ASKED = [chat_text, chat_tool, responses_text, responses_tool, messages_text, messages_tool]


def tried(result: Exploration) -> set[str]:
    """Return the names of the faults that were tried."""
    assert (result.errors, result.flaky, result.drifted) == ((), (), ())
    return {cell.fault for cell in result.cells}


@pytest.mark.parametrize("ask", ASKED)
def test_a_strict_schema_is_never_violated(ask: Ask, tmp_path: Path) -> None:
    """An agent that believes the types it asked for is right; only refusals and what is cut off can come."""
    result = explored(Agent(ask), tmp_path / "it", **only(*FIELDS, *OTHERS))
    assert result.violations == ()
    assert tried(result) == POSSIBLE


@pytest.mark.parametrize("ask", [chat_tool, responses_text, messages_text])
def test_a_cut_that_is_not_looked_at_is_found_under_a_strict_schema(ask: Ask, tmp_path: Path) -> None:
    """What was cut off, or refused, is taken for the plan."""
    careless = Agent(ask, careful=False)
    result = explored(careless, tmp_path / "it", **only("llm.refusal", "llm.stopped_for_length"))
    assert any("all_or_nothing" in finding.invariants for finding in result.violations)
    assert tried(result) == {"llm.refusal", "llm.stopped_for_length"}


@pytest.mark.parametrize("ask", [chat_text, responses_tool, messages_tool])
def test_a_schema_that_is_not_strict_is_violated(ask: Ask, tmp_path: Path) -> None:
    """Each field in turn is missing, of another type, or of a value that is not listed; who believes it is found."""
    result = explored(Agent(ask, strict=False), tmp_path / "it", **only(*FIELDS, "llm.unknown_enum_value"))
    assert tried(result) == {*FIELDS, "llm.unknown_enum_value"}
    assert any("all_or_nothing" in finding.invariants for finding in result.violations)


def changed(fault: str, answer: ModelAnswer) -> list[Any]:
    """Return what a fault makes a model say, parsed."""
    actions = options().known[fault].actions(Effect(Point("llm", "chat", "m"), answer=answer, when="after"))
    said = [action.answer for action in actions if isinstance(action, Say)]
    return [json.loads(one.tool_calls[0].arguments if one.tool_calls else one.text) for one in said]  # type: ignore[attr-defined]


NESTED = {
    "type": "object",
    "$defs": {"Kind": {"type": "string", "enum": ["report", "letter"]}, "Node": {"$ref": "#"}},
    "properties": {
        "title": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "kind": {"$ref": "#/$defs/Kind"},
        "note": {"type": ["string", "null"]},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        "more": {},
    },
    "required": ["title", "kind"],
}
SAID = {"title": "Solar", "kind": "report", "note": "n", "parts": [{"title": "Costs", "kind": "letter"}], "more": 1}


@pytest.mark.parametrize("as_call", [False, True])
def test_what_a_schema_allows_is_no_mistake(as_call: bool) -> None:
    """Fields that may be missing are left, types are ones that nothing allows, references and unions are followed."""
    text, wanted = json.dumps(SAID), Asked(NESTED)
    answer = ModelAnswer("", (ToolCall("f", text, asked=wanted),)) if as_call else ModelAnswer(text, asked=wanted)
    missing = changed("llm.missing_field", answer)
    assert [SAID.keys() - one.keys() or "part" for one in missing] == [{"title"}, {"kind"}, "part", "part"]
    other = changed("llm.wrong_type", answer)
    assert [one["title"] for one in other if one["title"] != "Solar"] == [None]
    assert [one["note"] for one in other if one["note"] != "n"] == [["n"]]
    assert not any(one["more"] != 1 for one in other)
    kinds = [(one["kind"], one["parts"][0]["kind"]) for one in changed("llm.unknown_enum_value", answer)]
    assert kinds == [("report_or_other", "letter"), ("report", "letter_or_other")]


CHAT, RESPONSES = "https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1/responses"
MESSAGES = "https://api.anthropic.com/v1/messages"
FUNCTION = {"type": "function", "name": "f", "parameters": SCHEMA}


@pytest.mark.parametrize(
    ("url", "request_has", "text", "arguments"),
    [
        (CHAT, {}, None, None),
        (CHAT, {"response_format": {"type": "json_object"}}, Asked(None, True), None),
        (CHAT, {"response_format": {"type": "text"}, "tools": [3, {"type": "custom"}]}, None, None),
        (CHAT, {"tools": [{"type": "function", "function": {"name": "f"}}]}, None, Asked()),
        (RESPONSES, {"text": {"format": {"type": "json_object"}}}, Asked(None, True), None),
        (RESPONSES, {"text": {"verbosity": "low"}, "tools": [{**FUNCTION, "strict": None}]}, None, Asked(SCHEMA, True)),
        (RESPONSES, {"tools": [{**FUNCTION, "strict": False}]}, None, Asked(SCHEMA)),
        (MESSAGES, {"output_format": {"type": "json_schema", "schema": SCHEMA}}, Asked(SCHEMA, True), None),
        (MESSAGES, {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}, None, Asked()),
        (MESSAGES, {"tools": [{"type": "bash_20250124", "name": "bash"}], "output_config": {}}, None, None),
    ],
)
def test_what_a_request_wants_is_read_as_its_provider_reads_it(
    url: str, request_has: dict[str, Any], text: Asked | None, arguments: Asked | None
) -> None:
    """By each API; where nothing is said of fields, any JSON will do."""
    request = HttpRequest("POST", url, {}, json.dumps({"model": "m", **request_has}).encode())
    twin = ModelTwin({"": "x"}, base_url=url.partition("/v1")[0] + ("/v1" if "openai" in url else ""))
    answer = twin.with_what_was_asked(request, ModelAnswer("", (ToolCall("f", "{}"),)))
    assert (answer.asked, answer.tool_calls[0].asked) == (text, arguments)


def test_any_json_is_guaranteed_to_be_json_alone() -> None:
    """`json_object` says nothing of fields."""
    answer = ModelAnswer(json.dumps(PLAN), asked=Asked(strict=True))
    assert len(changed("llm.missing_field", answer)) == len(PLAN)
    assert changed("llm.malformed_json", answer) == []


@pytest.mark.parametrize("schema", [{"$ref": "#", "enum": 3}, {"required": True}, {"anyOf": [{"$ref": "#"}]}])
def test_a_schema_that_cannot_be_read_forbids_nothing(schema: dict[str, Any]) -> None:
    """Whatever a request has there, it is the service's to refuse."""
    assert changed("llm.missing_field", ModelAnswer(json.dumps(PLAN), asked=Asked(schema))) == []
