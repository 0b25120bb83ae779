"""Let one process of an agent live in a small outside, and look at the points it made."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rollproof.boundary.armed import Limits
from rollproof.engine.execute import Executor, How
from rollproof.engine.lives import BIRTH, FIRST_STREAM, Lived
from rollproof.engine.plan import arm
from rollproof.engine.setting import Setting
from rollproof.values.schedule import Schedule
from rollproof.values.sources import Twin, WorldSource
from rollproof.world.disk import Source

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
        self.limits: Limits | None = None
        self.patience_s = 20.0

    def executor(self, run: Agent, recover: Agent | None = None) -> Executor:
        """Return who lets processes live here."""
        sources = (Source(self.shared, "shared", False), Source(self.own, "own", True))
        services = (*self.twins, *self.services)
        setting = Setting(run, recover or run, sources, services, tuple(self.twins), (), options().known, ())
        executor = Executor(setting)
        executor.allowance.agree(patience_s=self.patience_s)
        if self.limits is not None:
            executor.allowance.agree(limits=self.limits)
        return executor

    def live(
        self, run: Agent, token: str = "", *, trace: bool = True, stream: str = FIRST_STREAM, clock: float = BIRTH
    ) -> Lived:
        """Let `run` live once from the outside as it is now; `token` is the schedule of faults that strike it."""
        executor = self.executor(run)
        known = executor.setting.known
        put_back = executor.prepare()
        try:
            start = executor.capture(clock)
            plan: Sequence[Any] = ()
            if token:
                effects = executor.live("run", start, stream, how=How(trace=True)).effects
                plan = arm(Schedule.parse(token), known, effects)
            life = executor.live("run", start, stream, plan, How(trace=trace))
        finally:
            put_back()
        assert not token or life.struck, f"{token} did not strike: {list(map(str, life.points))}"
        return life

    def returned(self, run: Agent, token: str = "", **how: Any) -> Any:
        """Return what `run` returned; fails with its own traceback where it did not."""
        outcome = self.live(run, token, **how).outcome
        assert outcome.kind == "returned", f"{outcome.kind}: {outcome.error}\n{outcome.traceback}"
        return outcome.value

    def points(self, run: Agent) -> list[str]:
        """Return where `run` touches the outside, in its order, where it returned and nothing slipped by."""
        life = self.live(run)
        assert life.outcome.kind == "returned", f"{life.outcome.error}\n{life.outcome.traceback}"
        assert life.unintercepted == []
        return [str(point) for point in life.points if point.kind != "clock"]


def short(points: Sequence[str]) -> list[str]:
    """Return points without their kind and number: ``write shared/a``."""
    return [point.partition(".")[2].rpartition("#")[0].replace(":", " ", 1) for point in points]
