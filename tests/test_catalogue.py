"""Everything that is registered keeps the same promises; a new fault or invariant is covered for free."""

from pathlib import Path

import pytest
from rollproof.values.exploration import Exploration
from rollproof.values.faults import Fault
from rollproof.values.history import Invariant
from rollproof.values.http import Asked, ModelAnswer, ToolCall
from rollproof.values.points import Effect, Point
from rollproof.values.schedule import Injection, Schedule

from .exploring import explored, only, options
from .test_mutants import WRONG, agent

KNOWN = options().known
INVARIANTS = options().invariants
POINTS = [
    Point(kind, verb, "shared/a.json")
    for kind, verbs in {
        "file": ("open", "write", "replace", "remove", "mkdir", "read"),
        "sqlite": ("insert", "commit", "read"),
        "http": ("post",),
        "process": ("run",),
        "llm": ("chat",),
        "mail": ("connect", "send"),
        "mcp": ("initialize", "list", "call"),
        "net": ("connect", "exchange"),
        "served": ("post", "chat"),
    }.items()
    for verb in verbs
]

ANSWERS = [
    ModelAnswer('{"a": "one"}', asked=Asked({"properties": {"a": {"enum": ["one"]}}})),
    ModelAnswer('{"a": [1, 2], "b": "c"}'),
    ModelAnswer("", (ToolCall("save", '{"a": 1}'), ToolCall("mail", "{}")), "tool_calls", streamed=True),
]


@pytest.mark.parametrize("fault", KNOWN.values(), ids=KNOWN.keys())
def test_a_fault_has_a_name_a_sentence_and_a_token(fault: Fault) -> None:
    """Its name is ``family.what_happens``, its documentation a sentence, and its token reads back."""
    family, _, what = fault.name.partition(".")
    assert family.isidentifier()
    assert what.isidentifier()
    assert fault.doc.endswith(".")
    for when in fault.when:
        for lasting in (False, True):
            point = Point("file", "write", "shared/a b#.json", 3)
            injection = Injection(fault.name, point, when, 2, lasting, recovering=lasting)
            assert Schedule.parse(str(injection)).injections == (injection,)


@pytest.mark.parametrize("fault", KNOWN.values(), ids=KNOWN.keys())
def test_a_fault_strikes_somewhere_and_always_alike(fault: Fault) -> None:
    """There is a point where it strikes, and it yields the same strikes each time: a fault never chooses."""
    effects = [Effect(point, 100, answer, by) for point in POINTS for answer in ANSWERS for by in ("main", "task")]
    strikes = [[repr(s) for s in fault.strikes(effect)] for effect in effects if fault.applies(effect)]
    again = [[repr(s) for s in fault.strikes(effect)] for effect in effects if fault.applies(effect)]
    assert any(strikes)
    assert strikes == again


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.name)
def test_an_invariant_is_a_promise_with_an_agent_that_breaks_it(invariant: Invariant) -> None:
    """Its name reads after "it must hold that", its documentation is a sentence, and a seeded bug names it."""
    assert invariant.name.isidentifier()
    assert invariant.doc.endswith(".")
    assert any(invariant.name in agent(name).BREAKS for name in WRONG)


def test_the_same_seed_gives_the_same_exploration(tmp_path: Path) -> None:
    """Two explorations with one seed agree in everything but time and memory addresses."""

    def facts(result: Exploration) -> tuple[object, ...]:
        return result.statement, result.cells, [(f.schedule, f.invariants) for f in result.violations]

    name = "wrong_half_of_a_set"
    selected = only("process.kill", "process.cancel", "storage.full")
    first = explored(agent(name), tmp_path / "one", **selected)
    second = explored(agent(name), tmp_path / "two", **selected)
    assert facts(first) == facts(second)
