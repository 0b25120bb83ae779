"""Let one process of an agent live in a small outside, and look at the points it made."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rollproof.boundary.resolved import Limits
from rollproof.engine.config import ExplorationConfig
from rollproof.engine.execute import Executor, How
from rollproof.engine.plan import resolve
from rollproof.engine.process_runs import BIRTH, FIRST_STREAM, ProcessRun
from rollproof.values.schedule import Schedule
from rollproof.values.sources import Twin, WorldSource
from rollproof.world.storage.disk import Source

from ..exploring import options

Agent = Callable[[], Any]


class Stage:
    """`shared` is watched, `own` is private, `elsewhere` is neither."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared, self.own, self.elsewhere = (folder / name for name in ("shared", "own", "elsewhere"))
        for path in (self.shared, self.own, self.elsewhere):
            path.mkdir()
        self.twins: list[Twin] = []
        self.services: list[WorldSource] = []
        self.hosts: frozenset[str] = frozenset()
        self.limits: Limits | None = None
        self.patience_s = 20.0

    def executor(self, run: Agent, recover: Agent | None = None) -> Executor:
        """Return who lets processes live here."""
        sources = (Source(self.shared, "shared", False), Source(self.own, "own", True))
        services = (*self.twins, *self.services)
        config = ExplorationConfig(run, recover or run, sources, services, tuple(self.twins), (), options().known, ())
        config = replace(config, hosts=self.hosts)
        executor = Executor(config)
        executor.allowance.agree(patience_s=self.patience_s)
        if self.limits is not None:
            executor.allowance.agree(limits=self.limits)
        return executor

    def run_process(
        self, run: Agent, token: str = "", *, trace: bool = True, stream: str = FIRST_STREAM, clock: float = BIRTH
    ) -> ProcessRun:
        """Let `run` live once from the outside as it is now; `token` is the schedule of faults that strike it."""
        executor = self.executor(run)
        known = executor.config.known
        put_back = executor.prepare()
        try:
            start = executor.capture(clock)
            plan: Sequence[Any] = ()
            if token:
                effects = executor.run_process("run", start, stream, how=How(trace=True)).effects
                plan = resolve(Schedule.parse(token), known, effects)
            process = executor.run_process("run", start, stream, plan, How(trace=trace))
        finally:
            put_back()
        assert not token or process.fired, f"{token} did not strike: {list(map(str, process.points))}"
        return process

    def returned(self, run: Agent, token: str = "", **how: Any) -> Any:
        """Return what `run` returned; fails with its own traceback where it did not."""
        outcome = self.run_process(run, token, **how).outcome
        assert outcome.kind == "returned", f"{outcome.kind}: {outcome.error}\n{outcome.traceback}"
        return outcome.value

    def points(self, run: Agent) -> list[str]:
        """Return where `run` touches the outside, in its order, where it returned and nothing slipped by."""
        process = self.run_process(run)
        assert process.outcome.kind == "returned", f"{process.outcome.error}\n{process.outcome.traceback}"
        assert process.unintercepted == []
        return [str(point) for point in process.points if point.kind != "clock"]


def short(points: Sequence[str]) -> list[str]:
    """Return points without their kind and number: ``write shared/a``."""
    return [point.partition(".")[2].rpartition("#")[0].replace(":", " ", 1) for point in points]
