"""A hallucination that fits the schema: what a model may say in place of a value, by what its request tells it."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.faults.llm_plausible import plausible_value
from rollproof.values.actions import Say
from rollproof.values.http import Asked, HttpRequest, ModelAnswer, ToolCall
from rollproof.values.points import Effect, Point

from .exploring import explored, only

DOCS = Path(__file__).parent.parent / "docs" / "models.md"
ORDERS = json.dumps([{"id": "ord_17", "cents": 1900}, {"id": "ord_18", "cents": 250}])
SAID = {"order_id": "ord_18", "cents": 250}
OTHERS = [{"order_id": "ord_17", "cents": 250}, {"order_id": "ord_18", "cents": 1900}]
USER: Any = {"role": "user", "content": "Refund ord_18, please."}
CALL = {"id": "call_1", "type": "function", "function": {"name": "orders", "arguments": "{}"}}
USED = {"type": "tool_use", "id": "toolu_1", "name": "orders", "input": {}}
CALLED = {"functionCall": {"name": "orders", "args": {}}}
RESULT = {"functionResponse": {"name": "orders", "response": {"result": json.loads(ORDERS)}}}
REQUESTS = {
    "system prompt": {"messages": [{"role": "system", "content": f"Orders: {ORDERS} (today)"}, USER]},
    "chat completions": {
        "messages": [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": ORDERS},
        ]
    },
    "responses": {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": USER["content"]}]},
            {"type": "function_call", "call_id": "call_1", "name": "orders", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": ORDERS},
        ]
    },
    "messages": {
        "messages": [
            USER,
            {"role": "assistant", "content": [USED]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": ORDERS}]},
        ]
    },
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": USER["content"]}]},
            {"role": "model", "parts": [CALLED]},
            {"role": "user", "parts": [RESULT]},
        ]
    },
}


def others(said: Any, request: Any, schema: Any = None, *, as_text: bool = False) -> list[Any]:
    """Return what a model says in place of some arguments, or of a text, parsed."""
    text, asked = json.dumps(said), Asked(schema, strict=True) if schema else None
    answer = ModelAnswer(text, asked=asked) if as_text else ModelAnswer(tool_calls=(ToolCall("f", text, asked=asked),))
    asks = HttpRequest("POST", "https://models.test/v1/x", {}, json.dumps(request).encode())
    found = list(plausible_value.actions(Effect(Point("llm", "chat", "m"), answer=answer, when="after", request=asks)))
    answers = [action.answer for action in found if isinstance(action, Say)]
    assert len(answers) == len(found)
    return [json.loads(one.text if as_text else one.tool_calls[0].arguments) for one in answers]


def told(text: str) -> Any:
    """Return a request with one user message."""
    return {"messages": [{"role": "user", "content": text}]}


@pytest.mark.parametrize("api", REQUESTS)
def test_another_id_and_an_older_value_are_found_in_each_format(api: str) -> None:
    """Ids by their form, though the field is called otherwise; other values by the name of the field."""
    assert others(SAID, REQUESTS[api]) == OTHERS
    assert others(SAID, REQUESTS[api], as_text=True) == OTHERS


@pytest.mark.parametrize(
    ("said", "text", "found"),
    [
        ("ord_18", "ord_17 or ord_18 or inv_3", "ord_17"),
        ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "a 6ba7b811-9dad-11d1-80b4-00c04fd430c8 b", None),
        ("ch_3OqJ7x2eZvKY", "ch_1AbC2dEfGh3I, ch_3OqJ7x2eZvKY", "ch_1AbC2dEfGh3I"),
        ("2026-01-15", "from 2026-01-12 to 2026-01-15.", "2026-01-12"),
        ("ord_18", "only ord_18 and 17 and inv_3", None),
        ("17", "17 of 18", None),
    ],
)
def test_ids_of_one_kind_have_one_form(said: str, text: str, found: str | None) -> None:
    """A number alone is no id; what is of another form is another thing."""
    if said.startswith("6ba7"):
        found = "6ba7b811-9dad-11d1-80b4-00c04fd430c8"
    assert others({"x": said}, told(text)) == ([{"x": found}] if found else [])


def test_ids_that_are_numbers_are_known_by_the_name_they_had() -> None:
    """What is ``seat_id`` in the answer was ``id`` in the list; a count that is the same number is none."""
    listed = told(json.dumps([{"id": 7, "row": 2}, {"id": 8, "row": 3}]))
    assert others({"seat_id": 7, "count": 2}, listed) == [{"seat_id": 8, "count": 2}]


def test_the_newest_other_value_comes_and_the_schema_holds() -> None:
    """A price from the look before, of three; one that the schema does not list is passed over, and types are kept."""
    looks = told('{"price": 90, "state": "held"} {"price": 100, "state": "gone"} {"price": "120", "state": "free"}')
    schema = {
        "type": "object",
        "properties": {"price": {"type": "integer"}, "state": {"enum": ["free", "held"]}},
        "required": ["price", "state"],
    }
    found = others({"price": 120, "state": "free"}, looks, schema)
    assert found == [{"price": 100, "state": "free"}, {"price": 120, "state": "held"}]


@pytest.mark.parametrize("request_", [{"messages": "no list"}, {"tools": [{"id": "ord_17"}]}, [], told("nothing")])
def test_where_nothing_else_is_known_nothing_strikes(request_: Any) -> None:
    """Nor where what is known stands in a tool's declaration, or the format's own ids are alike."""
    assert others(SAID, request_) == []


def test_the_recipe_in_the_docs_finds_a_price_that_nobody_looked_up(tmp_path: Path) -> None:
    """The agent of the docs, as it stands there: the invariant is broken though the end is one of the allowed."""
    (block,) = [b for b in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL) if b.startswith("# test_")]
    path = tmp_path / "test_room.py"
    path.write_text(block)
    spec = spec_from_file_location("test_room", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    result = explored(SimpleNamespace(explore=module.test_book), tmp_path / "it", **only("llm.plausible_value"))
    broken = {name for finding in result.violations for name in finding.invariants}
    assert "a_booked_room_costs_what_it_costs_and_no_more_than_was_said" in broken
    assert "all_or_nothing" not in broken
    assert (result.errors, result.flaky, result.drifted) == ((), (), ())
