"""JSON of a model that is edited in endless ways: drawn, written in the token, made small, and tried first next time."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from .exploring import explored, only

LISTED = ("llm.malformed_json", "llm.truncated_json", "llm.missing_field", "llm.wrong_type", "llm.json_in_prose")
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


def planning(*, careful: bool) -> Any:
    """Return an agent that looks at all fields of a plan, and `careful` at the items of its list as well."""
    names: dict[str, Any] = {}
    exec(PROJECT, names)
    names["CAREFUL"] = careful
    return SimpleNamespace(explore=lambda chaos, folder: names["test_plan"](chaos, folder))


def test_what_no_listed_variant_shows_is_drawn_and_made_small(tmp_path: Path) -> None:
    agent = planning(careful=False)
    assert not explored(agent, tmp_path / "listed", **only(*LISTED)).violations
    result = explored(agent, tmp_path / "drawn", depth=3, minutes=10, first=True, **only(*LISTED, "llm.corrupted_json"))
    print(result)
    (finding,) = result.violations
    print(finding)
