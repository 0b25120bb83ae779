"""Answers of a model: what is checked is taken whole, and nothing else; schemas mean what jsonschema says."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.runtime import TOOL_ENDS, AnswerRejected, Buffer, Schema, read_answer

FORM = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "cents": {"type": "integer", "minimum": 0},
        "kind": {"enum": ["report", "letter"]},
        "note": {"type": ["string", "null"]},
        "parts": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"const": 0}]}, "minItems": 1},
    },
    "required": ["title", "cents"],
    "additionalProperties": False,
}
GOOD = {"title": "Sölar", "cents": 5, "kind": "report", "note": None, "parts": ["a", 0]}
TEXT = json.dumps(GOOD, ensure_ascii=False)


def reasons(text: str | None, finish: str | None = "stop", **terms: Any) -> tuple[str, ...]:
    """Give why an answer is discarded."""
    with pytest.raises(AnswerRejected) as caught:
        read_answer(text, finish, FORM, **terms)
    assert str(caught.value) == "; ".join(caught.value.reasons)
    return caught.value.reasons


@pytest.mark.parametrize("size", [1, 2, 7, len(TEXT)])
@pytest.mark.parametrize("finish", ["stop", "completed", "end_turn", "stop_sequence"])
def test_a_streamed_answer_is_the_whole_one(size: int, finish: str) -> None:
    """In whatever pieces it comes, and however its provider says that it is all."""
    buffer = Buffer(FORM)
    for start in range(0, len(TEXT), size):
        buffer.add(TEXT[start : start + size])
    assert buffer.take(finish) == GOOD


def test_every_cut_is_discarded() -> None:
    """Wherever it is cut, and even where all of it came and the model says that more was to come."""
    for end in range(len(TEXT)):
        assert reasons(TEXT[:end])
    for finish in ("length", "max_tokens", "content_filter", "refusal", "incomplete", "pause_turn", "tool_calls", None):
        assert reasons(TEXT, finish) == (f"the answer is not complete: {finish}",)
    assert reasons(None) == reasons("")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{'title': 1}", "not JSON"),
        (f"Here it is: {TEXT}", "not JSON"),
        (TEXT + TEXT, "not JSON"),
        (TEXT.replace("5", "NaN"), "NaN is no JSON number"),
        (TEXT.replace("5", "1e999"), "not JSON"),
        (TEXT.replace("Sölar", "\\ud83d"), "half of a surrogate pair"),
        (TEXT.replace('"cents": 5', '"cents": 5, "cents": 6'), "a name appears twice"),
        ("[" * 100_000, "not JSON"),
        ("[]", "$ is an array, not object"),
        (TEXT.replace("5", "true"), "$.cents is a boolean, not integer"),
        (TEXT.replace("5", "5.5"), "$.cents is a number, not integer"),
        (TEXT.replace("5", "-1"), "$.cents is less than 0"),
        (TEXT.replace("report", "poem"), "$.kind is none of ['report', 'letter']"),
        (TEXT.replace("Sölar", ""), "$.title is shorter than 1"),
        (TEXT.replace('["a", 0]', "[]"), "$.parts is shorter than 1"),
        (TEXT.replace('["a", 0]', '["a", false]'), "$.parts[1] is none of the 2 that it may be"),
        (TEXT.replace("note", "secret"), "$ has 1 more than ['cents', 'kind', 'note', 'parts', 'title']"),
    ],
)
def test_what_is_not_as_it_was_asked_for_is_discarded(text: str, reason: str) -> None:
    """And the reason says where."""
    assert any(reason in each for each in reasons(text))


def test_all_that_is_wrong_is_said_and_nothing_of_the_answer() -> None:
    """The reasons can be logged: they quote the schema only."""
    said = reasons('{"cents": "sk-secret", "sk-secret": 1, "note": 5}', "length")
    assert len(said) == 5
    assert "sk-secret" not in str(said)


def test_a_long_answer_is_stopped_while_it_comes() -> None:
    """At the piece that is too much, so that the stream need not be read to its end; the limit itself is allowed."""
    assert read_answer(TEXT, "stop", FORM, max_characters=len(TEXT)) == GOOD
    buffer = Buffer(FORM, max_characters=10)
    buffer.add("{" * 10)
    with pytest.raises(AnswerRejected, match="more than the 10 characters"):
        buffer.add("{")
    with pytest.raises(RuntimeError, match="make another"):
        buffer.take("stop")


def test_a_buffer_is_for_one_answer() -> None:
    """A second try that used it again could be made of two answers."""
    buffer = Buffer(FORM)
    with pytest.raises(AnswerRejected):
        buffer.take("stop")
    for again in (lambda: buffer.add(TEXT), lambda: buffer.take("stop")):
        with pytest.raises(RuntimeError, match="one answer"):
            again()


def test_the_arguments_of_a_tool_end_otherwise() -> None:
    """What a model wants a tool to be called with is whole then; what it says before that is no answer."""
    for finish in ("tool_calls", "tool_use", "stop", "completed"):
        buffer = Buffer(FORM, ends=TOOL_ENDS)
        buffer.add(TEXT)
        assert buffer.take(finish) == GOOD


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"typ": "string"}, "$ has 'typ'; known are type, enum"),
        ({"type": "string", "pattern": "^a$"}, "'pattern'"),
        ({"$ref": "#/$defs/a"}, "'$ref'"),
        ({"type": "text"}, "'type' with 'text'"),
        ({"type": []}, "'type' with []"),
        ({"required": "title"}, "'required' with 'title'"),
        ({"minLength": -1}, "'minLength' with -1"),
        ({"minimum": True}, "'minimum' with True"),
        ({"enum": []}, "'enum' with []"),
        ({"anyOf": [{"format": "date"}]}, "$.anyOf[0] has 'format'"),
        ({"properties": {"a": {"items": {"uniqueItems": True}}}}, "$.a.items has 'uniqueItems'"),
        ({"additionalProperties": {"oneOf": []}}, "$.additionalProperties has 'oneOf'"),
        ({"items": True}, "'items' with True"),
    ],
)
def test_a_schema_that_is_not_understood_is_refused(schema: dict[str, Any], named: str) -> None:
    """When it is made, not when an answer comes: a check that is left out is none."""
    with pytest.raises(ValueError, match="not a schema that can be checked here") as caught:
        Buffer(schema)
    assert named in str(caught.value)


NAMES = st.sampled_from(["a", "b"])
NUMBERS = st.integers(-2, 3) | st.sampled_from([0.5, 1.0, 2.0, 1e20, 10**20])
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "ab", "ä"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2), max_leaves=6
)
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
COUNTS = st.integers(0, 3)


LIMITS = ("minItems", "maxItems", "minLength", "maxLength")
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Give schemas of up to three keywords, or hardly any value fits; some have others within."""
    behind = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        "anyOf": st.lists(inner, min_size=1, max_size=2),
        "properties": st.dictionaries(NAMES, inner, max_size=2),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": st.booleans() | inner,
        "items": inner,
        **dict.fromkeys(LIMITS, COUNTS),
        **dict.fromkeys(BOUNDS, NUMBERS),
        "description": st.just("a note"),
    }
    names = st.lists(st.sampled_from(sorted(behind)), max_size=3, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: behind[name] for name in chosen}))


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.just({}), schemas, max_leaves=4), VALUES)
def test_the_verdict_is_that_of_jsonschema(schema: dict[str, Any], value: Any) -> None:
    """For every schema of the part that is known, and every value; an answer fits if and only if it does there."""
    jsonschema.Draft202012Validator.check_schema(schema)
    fits = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (not list(Schema(schema).problems(value))) == fits
    text = json.dumps(value)
    if fits:
        assert read_answer(text, "stop", schema) == value
    else:
        with pytest.raises(AnswerRejected):
            read_answer(text, "stop", schema)
