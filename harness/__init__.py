"""Rollproof: chaos-testing of agent recovery. Public names, loaded when they are first used.

`rollproof.testing` has a contract test for each kind of extension.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .boundary.process.steps import step as step
    from .chaos import Chaos as Chaos
    from .twins.fill import Fill as Fill
    from .twins.fill import fill as fill
    from .values.actions import Action as Action
    from .values.actions import Damage as Damage
    from .values.actions import Deliver as Deliver
    from .values.actions import Disconnect as Disconnect
    from .values.actions import Disturb as Disturb
    from .values.actions import Exit as Exit
    from .values.actions import Fail as Fail
    from .values.actions import Kill as Kill
    from .values.actions import Misanswer as Misanswer
    from .values.actions import Respond as Respond
    from .values.actions import Say as Say
    from .values.errors import ChaosError as ChaosError
    from .values.exploration import Exploration as Exploration
    from .values.faults import Fault as Fault
    from .values.faults import fault as fault
    from .values.history import Execution as Execution
    from .values.history import History as History
    from .values.history import Invariant as Invariant
    from .values.history import Outcome as Outcome
    from .values.history import Violation as Violation
    from .values.history import invariant as invariant
    from .values.http import HttpRequest as HttpRequest
    from .values.http import HttpResponse as HttpResponse
    from .values.http import ModelAnswer as ModelAnswer
    from .values.http import ToolCall as ToolCall
    from .values.media.medium import Ability as Ability
    from .values.media.medium import Medium as Medium
    from .values.points import Effect as Effect
    from .values.points import Point as Point
    from .values.report import Report as Report
    from .values.report import ReportedExploration as ReportedExploration
    from .values.report import ReportedViolation as ReportedViolation
    from .values.report import Writer as Writer
    from .values.sources import ModelService as ModelService
    from .values.sources import Service as Service
    from .values.sources import WorldSource as WorldSource
    from .values.world import Change as Change
    from .values.world import Entry as Entry
    from .values.world import Row as Row
    from .values.world import World as World

_HOMES = {
    "Ability": "values.media.medium",
    "Change": "values.world",
    "Chaos": "chaos",
    "ChaosError": "values.errors",
    "Damage": "values.actions",
    "Deliver": "values.actions",
    "Disconnect": "values.actions",
    "Disturb": "values.actions",
    "Effect": "values.points",
    "Entry": "values.world",
    "Execution": "values.history",
    "Exit": "values.actions",
    "Exploration": "values.exploration",
    "Fail": "values.actions",
    "Fault": "values.faults",
    "Fill": "twins.fill",
    "History": "values.history",
    "HttpRequest": "values.http",
    "HttpResponse": "values.http",
    "Invariant": "values.history",
    "Kill": "values.actions",
    "Medium": "values.media.medium",
    "Misanswer": "values.actions",
    "ModelAnswer": "values.http",
    "ModelService": "values.sources",
    "Outcome": "values.history",
    "Point": "values.points",
    "Report": "values.report",
    "ReportedExploration": "values.report",
    "ReportedViolation": "values.report",
    "Respond": "values.actions",
    "Row": "values.world",
    "Say": "values.actions",
    "Service": "values.sources",
    "Action": "values.actions",
    "ToolCall": "values.http",
    "Violation": "values.history",
    "World": "values.world",
    "WorldSource": "values.sources",
    "Writer": "values.report",
    "fault": "values.faults",
    "fill": "twins.fill",
    "invariant": "values.history",
    "step": "boundary.process.steps",
}
__all__ = [
    "Ability",
    "Action",
    "Change",
    "Chaos",
    "ChaosError",
    "Damage",
    "Deliver",
    "Disconnect",
    "Disturb",
    "Effect",
    "Entry",
    "Execution",
    "Exit",
    "Exploration",
    "Fail",
    "Fault",
    "Fill",
    "History",
    "HttpRequest",
    "HttpResponse",
    "Invariant",
    "Kill",
    "Medium",
    "Misanswer",
    "ModelAnswer",
    "ModelService",
    "Outcome",
    "Point",
    "Report",
    "ReportedExploration",
    "ReportedViolation",
    "Respond",
    "Row",
    "Say",
    "Service",
    "ToolCall",
    "Violation",
    "World",
    "WorldSource",
    "Writer",
    "fault",
    "fill",
    "invariant",
    "step",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'rollproof' has no attribute {name!r}")
    return getattr(import_module(f"rollproof.{home}"), name)
