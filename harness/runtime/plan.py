"""Plan, then execute: a model's plan is taken as a whole, checked against rules, and only then does anything happen.

Reading a plan touches nothing, in whatever process.

    from pathlib import Path
    from rollproof.runtime import PlanRejected, Rules, Tool, read_plan

    write = Tool("write", lambda run, given: Path(given["path"]).write_text(given["text"]) and None,
                 {"path": str, "text": str}, paths=("path",), undo=lambda run, given: Path(given["path"]).unlink(True))
    step = '{"tool": "write", "arguments": {"path": "a.md", "text": "x"}}'
    plan = read_plan('{"goal": "g", "steps": [' + step + "]}", "stop", {"write": write}, Rules(Path(".")))
    assert [action.tool for action in plan.actions] == ["write"]
    try:
        read_plan('{"goal": "g", "steps": [' + step, "length", {"write": write}, Rules(Path(".")))
    except PlanRejected as rejected:
        print(rejected.reasons)         # the answer is not complete: length

A plan is JSON of the form `SCHEMA` and nothing else. It is refused, with every reason, if it is cut off, is malformed
(see `answers`), has unknown, missing or wrong arguments, uses a tool that is not allowed, names a path outside the
workspace, exceeds a limit, or has a step without a way back that is not marked irreversible and last. A refused plan
leaves nothing: reading it touches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .answers import AnswerRejected, read_answer
from .canonical import canonical, sha256
from .files import inside
from .reconcile import Found
from .steps import Run, Step, UnknownStep

Arguments = Mapping[str, Any]
KINDS = (str, int, float, bool, list, dict)
"""The types of an argument in JSON."""
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "goal": {"type": "string", "minLength": 1},
        "steps": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"tool": {"type": "string"}, "arguments": {"type": "object"}},
                "required": ["tool", "arguments"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["goal", "steps"],
    "additionalProperties": False,
}
"""The JSON Schema of a plan, for the prompt of a model."""


class PlanRejected(AnswerRejected):
    """The plan is refused whole; `reasons` has every reason."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that a plan may use.

    Attributes:
        name: What plans call it.
        act: Does it; may return variables.
        parameters: The type of each argument (`str`, `int`, `float`, `bool`, `list`, `dict`); all are required, and
            a whole number is a `float` too.
        undo: Takes it back; see `Step.undo`.
        paths: Which arguments are paths; they stay inside the workspace.
        irreversible: There is no way back; allowed as the last step only.
        reads_only: It changes nothing, so it needs no undo.
        look: See `Step.look`.
    """

    name: str
    act: Callable[[Run, Arguments], Mapping[str, Any] | None]
    parameters: Mapping[str, type]
    undo: Callable[[Run, Arguments], None] | None = None
    paths: tuple[str, ...] = ()
    irreversible: bool = False
    reads_only: bool = False
    look: Callable[[Run, Arguments], Found] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits of a plan.

    Attributes:
        workspace: The folder that no path leaves, links followed.
        allowed: Names of tools; all that are given if None.
        max_steps: How long it may be.
        max_characters: How long its text may be.
        checks: Rules of one's own: each yields reasons against a plan.
    """

    workspace: Path
    allowed: frozenset[str] | None = None
    max_steps: int = 20
    max_characters: int = 100_000
    checks: tuple[Callable[[Plan], Iterator[str]], ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One step of a plan."""

    tool: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that was accepted; `digest` names exactly it."""

    goal: str
    actions: tuple[Action, ...]
    digest: str = field(default="", compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as it was written."""
        steps = [{"tool": action.tool, "arguments": dict(action.arguments)} for action in self.actions]
        return {"goal": self.goal, "steps": steps}

    def steps(self, tools: Mapping[str, Tool]) -> list[Step]:
        """Return the steps of a saga that carries it out.

        Raises:
            UnknownStep: A tool that it uses is gone; nothing was done.
        """
        gone = [action.tool for action in self.actions if action.tool not in tools]
        if gone:
            raise UnknownStep(
                f"the plan {self.digest} uses the tool {gone[0]!r}, and there are {', '.join(tools) or 'none'}. "
                "Nothing was done: keep a tool under its name until no run of a plan that uses it is unfinished"
            )
        return [_step(f"{number}-{action.tool}", tools[action.tool], action.arguments)
                for number, action in enumerate(self.actions, 1)]  # fmt: skip


def read_plan(text: str | None, finish_reason: str | None, tools: Mapping[str, Tool], rules: Rules) -> Plan:
    """Accept a plan as a whole, or none of it; nothing is touched.

    Raises:
        PlanRejected: It is refused.
        TypeError: The tools or the rules are none; that is no fault of the model's.
    """
    refuse_wrong_tools(tools)
    _refuse_wrong_rules(rules)
    if not isinstance(text, str):
        raise PlanRejected([f"the answer is no text, but {type(text).__name__}"])
    try:
        document = read_answer(text, finish_reason, SCHEMA, max_characters=rules.max_characters)
    except AnswerRejected as rejected:
        raise PlanRejected(rejected.reasons) from None
    actions = tuple(Action(step["tool"], step["arguments"]) for step in document["steps"])
    plan = Plan(document["goal"], actions, sha256(canonical(document)))
    reasons = [*_against_rules(plan, tools, rules)]
    reasons += [reason for check in rules.checks for reason in check(plan)] if not reasons else []
    if reasons:
        raise PlanRejected(reasons)
    return plan


def refuse_wrong_tools(tools: Mapping[str, Tool]) -> None:
    """Make sure of the tools that the program gives, before the model is blamed.

    Raises:
        TypeError: They are no mapping of names to `Tool`, or one has an argument that JSON does not know.
    """
    if not isinstance(tools, Mapping):
        raise TypeError(f"tools is a {type(tools).__name__}; give a mapping: {{tool.name: tool for tool in tools}}")
    for name, tool in tools.items():
        if not isinstance(tool, Tool):
            raise TypeError(f"tool {name!r} is {tool!r}; give a Tool({name!r}, act, {{'path': str}}, undo=undo)")
        for parameter, kind in tool.parameters.items():
            if kind not in KINDS:
                raise TypeError(
                    f"tool {name!r}: {parameter!r} is of {kind!r}; give str, int, float, bool, list or dict"
                )


def _refuse_wrong_rules(rules: Rules) -> None:
    if not isinstance(rules, Rules):
        raise TypeError(f"rules is a {type(rules).__name__}; give Rules(workspace), with the Path that no path leaves")
    if not isinstance(rules.workspace, Path):
        raise TypeError(f"the workspace of Rules is {rules.workspace!r}; give a Path: Path({rules.workspace!r})")


def _against_rules(plan: Plan, tools: Mapping[str, Tool], rules: Rules) -> Iterator[str]:
    """Yield the reasons against a plan by the rules and the tools."""
    if len(plan.actions) > rules.max_steps:
        yield f"{len(plan.actions)} steps, and {rules.max_steps} are allowed"
    for number, action in enumerate(plan.actions, 1):
        tool = tools.get(action.tool)
        if tool is None or (rules.allowed is not None and action.tool not in rules.allowed):
            yield f"step {number}: the tool {action.tool!r} is not allowed; allowed: {sorted(rules.allowed or tools)}"
            continue
        yield from (f"step {number}: {reason}" for reason in _arguments(tool, action.arguments, rules.workspace))
        if tool.irreversible and number < len(plan.actions):
            yield f"step {number}: {tool.name} is irreversible, and not the last step"
        if not (tool.undo or tool.irreversible or tool.reads_only):
            yield f"step {number}: {tool.name} has no undo, and is not marked irreversible"


def _arguments(tool: Tool, arguments: Arguments, workspace: Path) -> Iterator[str]:
    if arguments.keys() != tool.parameters.keys():
        yield f"{tool.name} takes {sorted(tool.parameters)}, not {sorted(arguments)}"
        return
    for name, kind in tool.parameters.items():
        value = arguments[name]
        right = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not right or (isinstance(value, bool) and kind is not bool):
            yield f"{name} is {type(value).__name__}, not {kind.__name__}"
        elif name in tool.paths and not _is_inside(workspace, str(value)):
            yield f"{name} {value!r} leaves the workspace"


def _is_inside(workspace: Path, path: str) -> bool:
    try:
        return inside(workspace, path).resolve().is_relative_to(workspace.resolve())
    except (ValueError, OSError):
        return False


def _step(name: str, tool: Tool, arguments: Arguments) -> Step:
    undo, look = tool.undo, tool.look
    return Step(
        name,
        lambda run: tool.act(run, arguments),
        (lambda run: undo(run, arguments)) if undo else None,
        tool.irreversible,
        (lambda run: look(run, arguments)) if look else None,
        reads_only=tool.reads_only,
    )
