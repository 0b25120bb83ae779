"""Run processes with a change."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ...boundary.resolved import ResolvedInjection
from ...values.history import Role
from ...values.points import Point
from ...values.schedule import Injection
from ..execute import How, Runner
from ..process_runs import ProcessRun, RawState
from .remedy import Change, Plain, Where
from .spans import Span, spans

_PLAINLY = How()
Which = tuple[str, ...]
"""Which process it is: its random stream, and whether it is traced or what is planned in it."""


class NoTime(Exception):
    """Raised if another process is needed when the share of a case is used up."""


class Treated:
    """Runs processes with a remedy's change: to their requests, and to the state where a fault ends them.

    Equal processes run once: the random stream of a process names the state that it starts from.

    Args:
        known: returns the first recovery from a state, by its fingerprint, where the exploration knows it.
        seen: processes without a fault by what they are; grows. Those that no change reaches are shared by all trials.
        reaches: says whether what a process leaves that dies there is changed.
        may_go_on: says whether another process may be run.
    """

    def __init__(
        self,
        executor: Runner,
        change: Change,
        known: Callable[[str], ProcessRun | None],
        seen: dict[Which, ProcessRun],
        reaches: Callable[[Where, Point], bool],
        may_go_on: Callable[[], bool],
    ) -> None:
        self._executor, self._change, self._known, self._seen = executor, change, known, seen
        self._reaches, self._may_go_on = reaches, may_go_on
        self._struck: dict[Which, ProcessRun] = {}
        self._spans: dict[int, list[Span]] = {}

    def run_process(
        self, role: Role, start: RawState, stream: str, plan: Sequence[ResolvedInjection] = (), how: How = _PLAINLY
    ) -> ProcessRun:
        """Run one process from the state `start`, and return its record."""
        how = replace(how, treatment=self._change)
        if plan or how.earlier:
            return self._run_struck(role, start, stream, plan, how)
        # What is only asked what comes next is judged by its end alone: nobody has to look on.
        traced = role in ("run", "recover")
        which, looked_at = (stream, "traced" if traced else ""), (stream, "traced")
        if looked_at not in self._seen and which not in self._seen:
            known = self._known(stream.partition("/")[2]) if role == "recover" else None
            process = known or self._really(role, start, stream, (), replace(how, trace=traced))
            self._seen[which] = process
        return self._seen.get(looked_at) or self._seen[which]

    def _run_struck(
        self, role: Role, start: RawState, stream: str, plan: Sequence[ResolvedInjection], how: How
    ) -> ProcessRun:
        planned = (f"{one.injection} {one.already_active}" for one in plan)
        which = (stream, str(how.trace), *planned, *map(str, how.earlier))
        if which in self._struck and how.again is None:  # one that is called again is told by its memory, too
            return self._struck[which]
        process = self._really(role, start, stream, plan, how)
        if plan and process.outcome.kind != "returned" and self._changes_ends:
            # What it would have done is seen in one without this fault.
            onwards = replace(how, trace="once fired", again=None)
            whole = self.run_process(role, start, stream, plan[:-1], onwards if plan[:-1] else _PLAINLY)
            process.leaves(self.left(whole, process.end, plan[-1].injection))
        self._struck[which] = process
        return process

    def _really(
        self, role: Role, start: RawState, stream: str, plan: Sequence[ResolvedInjection], how: How
    ) -> ProcessRun:
        if not self._may_go_on():
            raise NoTime
        process = self._executor.run_process(role, start, stream, plan, how)
        process.leaves(self._change.kept(process.end))
        return process

    def left(self, whole: ProcessRun, end: RawState, at: Injection) -> RawState:
        """Return the changed state that a process leaves where a fault ends it; `whole` is the same process without
        that fault.
        """
        end = self._change.kept(end)
        # The process counts: a fault that lasts is one of the run, also where it ends the recovery.
        here: Where = "recovery" if whole.role != "run" else "handler" if whole.planned else "run"
        if not self._changes_ends or not self._reaches(here, at.point):
            return end
        if id(whole) not in self._spans:
            self._spans[id(whole)] = spans(whole)
        found = self._spans[id(whole)]
        return self._change.left(end, _at_a_change(whole, at, found), found)

    @property
    def _changes_ends(self) -> bool:
        return not isinstance(self._change, Plain) or type(self._change).left is not Plain.left


def _at_a_change(whole: ProcessRun, at: Injection, found: Sequence[Span]) -> Injection:
    """Return a death at a point that changes nothing as one before the next point that does."""
    changing = [point for span in found for point in span.points]
    if at.point in changing or at.point not in whole.points:
        return at
    behind = whole.points[whole.points.index(at.point) :]
    following = next((point for point in behind if point in changing), None)
    return at if following is None else replace(at, point=following, when="before")
