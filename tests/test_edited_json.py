"""JSON of a model that is edited in endless ways: drawn, written in the token, made small, tried first next time."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai  # noqa: F401  # loaded here once: pytest inside pytest forgets what it imported
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollproof.engine.drawable import Drawable, drawables
from rollproof.engine.plan import resolve
from rollproof.faults.json_edits import KINDS, Edit, edited, parse
from rollproof.faults.schemas import conforms
from rollproof.values.actions import Say
from rollproof.values.errors import ChaosError
from rollproof.values.http import Asked, ModelAnswer, ToolCall
from rollproof.values.points import Effect, Point
from rollproof.values.schedule import Injection, Schedule

from .exploring import explored, only, options

SELECTED = "llm.missing_field,llm.wrong_type,llm.truncated_json,llm.corrupted_json"
PROJECT = """
import json
import openai

CAREFUL = False


def plan(shared):
    with openai.OpenAI(max_retries=0) as client:
        asked = [{"role": "user", "content": "Plan"}]
        said = client.chat.completions.create(model="gpt-5", messages=asked).choices[0].message.content
    try:
        plan = json.loads(said)
    except ValueError:
        return "no plan"
    if not isinstance(plan, dict) or plan.keys() != {"title", "steps"} or not isinstance(plan["title"], str):
        return "no plan"
    if not isinstance(plan["steps"], list) or (CAREFUL and not all(isinstance(step, str) for step in plan["steps"])):
        return "no plan"
    (shared / "plan.txt").write_text("\\n".join(map(str, plan["steps"])))
    return "done"


def test_plan(chaos, tmp_path):
    chaos.llm({"Plan": json.dumps({"title": "Trip", "steps": ["book", "pack"]})})
    chaos.watch(tmp_path)
    chaos.explore(run=lambda: plan(tmp_path))
"""
SMALLEST = re.compile(
    r"llm\.corrupted_json\.(is=null:/steps/[01]|new=null:/steps/-)@llm\.chat:api\.openai\.com#1:after"
)
SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "name": {"type": "string", "maxLength": 400},
        "state": {"enum": ["held", "paid"]},
        "count": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "place": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/place"}]},
    },
    "required": ["id", "name", "state", "count", "tags", "place"],
    "additionalProperties": False,
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}
ORDER = {
    "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    "name": "Solar",
    "state": "held",
    "count": 3,
    "tags": ["a", "b"],
    "place": {"city": "Rome"},
}
KNOWN = options().known


def effect(asked: Asked | None = None, *, in_calls: bool = False) -> Effect:
    """Return the effect at which a model says an order, in a text or in the first one of two calls."""
    text = json.dumps(ORDER)
    calls = (ToolCall("book", text, asked=asked), ToolCall("mail", '{"to": ["a"]}', asked=asked))
    answer = ModelAnswer("", calls, "tool_calls") if in_calls else ModelAnswer(text, asked=asked)
    return Effect(Point("llm", "chat", "m"), answer=answer, when="after")


@cache
def strict(in_calls: bool) -> tuple[Effect, list[Drawable]]:
    """Return an effect at which a schema is guaranteed, and what can be drawn there."""
    met, faults = effect(Asked(SCHEMA, strict=True), in_calls=in_calls), ("llm.corrupted_json", "llm.surprising_value")
    return met, list(drawables(met, [KNOWN[name] for name in faults], recovering=False))


def said(met: Effect, name: str, edits: str) -> ModelAnswer | None:
    """Return what a model says by a fault with these edits; None where they cannot come."""
    found = list(KNOWN[name].actions(replace(met, edits=edits)))
    assert len(found) < 2
    return found[0].answer if found and isinstance(found[0], Say) else None


def test_what_no_listed_variant_shows_is_drawn_made_small_and_replayed(pytester: pytest.Pytester) -> None:
    """The items of a list are nobody's field: what is listed comes first, and finds nothing.

    The token alone replays it in a new process, and the next run, which draws nothing, begins with it.
    """
    path = pytester.makepyfile(test_plan=PROJECT)

    def run(*arguments: str) -> Any:
        selected = ("--chaos", "--chaos-first", f"--chaos-faults={SELECTED}", "--chaos-json=r.json")
        pytester.runpytest_inprocess(*selected, *arguments).assert_outcomes(failed=1)
        (exploration,) = json.loads((path.parent / "r.json").read_text())["explorations"]
        return exploration

    drawn = run("--chaos-depth=3", "--chaos-minutes=10")
    (violation,) = drawn["violations"]
    token = violation["schedule"]
    assert SMALLEST.fullmatch(token)
    assert "In the JSON of the model's answer /steps/" in violation["sentence"]
    assert "1 to 3 faults drawn at random" in drawn["statement"]
    replayed = pytester.runpytest_subprocess("--chaos", f"--chaos-replay={token}")
    replayed.assert_outcomes(failed=1)
    assert token in replayed.stdout.str()
    (again,) = run()["violations"]
    assert (again["id"], again["schedule"]) == (violation["id"], token)


def test_an_agent_that_looks_at_all_of_it_is_left_alone(tmp_path: Path) -> None:
    """With nothing listed to try; what was drawn is bounded, in words that say what it was."""
    names: dict[str, Any] = {}
    exec(PROJECT, names)
    names["CAREFUL"] = True
    agent = SimpleNamespace(explore=lambda chaos, folder: names["test_plan"](chaos, folder))
    result = explored(agent, tmp_path, depth=3, minutes=0.01, **only("llm.corrupted_json"))
    assert (result.violations, result.errors, result.flaky) == ((), (), ())
    assert 0 < result.drawn.edited == result.drawn.at_random
    assert "none failed in a way that one enumerated fault does not" in result.statement


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | KEYS
JSON = (
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=2), max_size=3)
)
ARGUMENTS = {
    "is": JSON.map(json.dumps),
    "new": JSON.map(json.dumps),
    "twice": st.just("") | JSON.map(json.dumps),
    "long": st.integers(1, 100_000).map(str),
    "deep": st.integers(1, 200).map(str),
    "cut": st.sampled_from(["before", "within", "after"]),
    **dict.fromkeys(("inside", "renamed", "ending"), KEYS.filter(bool)),
}
PLACES = st.lists(KEYS, min_size=1, max_size=3).map(tuple)
EDITS = st.one_of(
    *(st.builds(Edit, st.just(name), PLACES, ARGUMENTS.get(name, st.just("")), st.just(2)) for name in sorted(KINDS))
)


@given(edits=st.lists(EDITS, min_size=1, max_size=4).map(tuple), value=JSON)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_edits_stand_in_a_token_and_read_back(edits: tuple[Edit, ...], value: Any) -> None:
    """Whatever keys are called; no secret is seen in them, and they never fail, whatever they are made to."""
    text = ",".join(map(str, edits))
    assert parse(text) == edits
    token = Schedule((Injection("llm.corrupted_json", Point("llm", "chat", "m", 2), "after", 0, True, True, text),))
    assert Schedule.parse(f"{token} + {token}").injections == token.injections * 2
    assert KNOWN["llm.corrupted_json"].says(token.injections[0])
    assert isinstance(edited(json.dumps(value), edits), str | None)


@given(data=st.data(), in_calls=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_strict_schema_holds_whatever_is_drawn(data: st.DataObject, in_calls: bool) -> None:
    """Sizes and formats too: what comes is of the schema, and another order; else it was cut, and says so."""
    met, drawable = strict(in_calls)
    one = data.draw(st.sampled_from(drawable))
    injection = one.draw(lambda below: data.draw(st.integers(0, below - 1)))
    if injection is None:
        return
    answer = said(met, injection.fault, injection.edits)
    assert answer is not None
    if injection.fault == "llm.corrupted_json":
        assert answer.finish_reason == "length"
        return
    assert answer.finish_reason == ("tool_calls" if in_calls else "stop")
    order = json.loads(answer.tool_calls[0].arguments if in_calls else answer.text)
    assert conforms(order, SCHEMA)
    assert (order.keys(), order["id"]) == (ORDER.keys(), ORDER["id"])
    assert (len(order["name"]) <= 400, order["count"] >= 0, bool(order["tags"])) == (True, True, True)


def test_without_a_schema_the_types_that_came_tell_mistakes_from_surprises() -> None:
    """Each edit is one fault's or the other's, and at an answer of prose there is none."""
    met = effect()
    asked = ["is=null:/count", "is=-1:/count", "renamed=Name:/name", 'is="":/name', "drop:/tags/0", "cut=within:/tags"]
    both = ("llm.corrupted_json", "llm.surprising_value")
    by_fault = [[said(met, name, edits) is not None for name in both] for edits in asked]
    mistaken, surprising = [True, False], [False, True]
    assert by_fault == [mistaken, surprising, mistaken, surprising, surprising, mistaken]
    assert not list(drawables(replace(met, answer=ModelAnswer("Well, 42.")), list(KNOWN.values()), recovering=False))
    assert len(str(said(met, "llm.surprising_value", "long=300:/name"))) > 300


@pytest.mark.parametrize(
    ("token", "text", "near"),
    [
        ("llm.corrupted_json.drp:/count", "'drp' is no edit", "nearest: drop"),
        ("llm.corrupted_json.is=nul:/count", "'is=nul:/count' is no edit", "is=JSON:/place"),
        ("llm.corrupted_json.cut=x:/count", "is no edit", "cut=before|within|after:/place"),
        ("llm.corrupted_json.drop:", "is no edit", "drop:/place"),
        ("llm.corrupted_json.drop:/a,drop:2/a", "of several documents", "all of one"),
        ("llm.corrupted_json", "'' is no edit", "e.g. is=null:/price"),
        ("llm.wrong_type.is=null:/count", "is no variant of llm.wrong_type", "llm.wrong_type.2@"),
        ("llm.corrupted_json.is=null:/counts", "the answer has no /counts", "nearest: /count"),
        ("llm.corrupted_json.is=null:2/count", "the answer has no document 2", "it has 1"),
        ("llm.corrupted_json.is=-1:/count", "cannot come there", "what can come there: drop:/count"),
    ],
)
def test_a_token_with_wrong_edits_is_refused_with_the_nearest_right_ones(token: str, text: str, near: str) -> None:
    """What is no edit at all, and what no model can say at this answer."""
    met = effect()
    with pytest.raises(ChaosError) as refused:
        resolve(Schedule.parse(f"{token}@{met.point}:after"), KNOWN, {met.point: met})
    assert refused.value.code == "bad-token"
    assert text in refused.value.message
    assert near in refused.value.hint
