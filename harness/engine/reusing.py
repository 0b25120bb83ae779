"""Processes that carry out several schedules: how many runs they had, and a sample of these for the audit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..boundary.resolved import ResolvedInjection
from ..values.points import Point
from .process_runs import ProcessRun

_FIRST, _SAMPLED = 16, 64  # the first runs of used processes, later one of so many, are repeated


@dataclass(frozen=True, slots=True)
class Sample:
    """A run in a used process, and its plan, to be run again in a fresh one."""

    stream: str
    plan: tuple[ResolvedInjection, ...]
    earlier: tuple[Point, ...]
    process: ProcessRun


class Reusing:
    """Says whether a process may carry out another schedule.

    Attributes:
        on: whether a process may.
        reused: how many runs were in used processes.
        samples: a part of these runs.
    """

    def __init__(self) -> None:
        self.on = False
        self.reused = 0
        self.samples: list[Sample] = []

    @contextmanager
    def switched(self, on: bool) -> Iterator[None]:
        """Turn reuse on or off for the block."""
        before, self.on = self.on, on
        try:
            yield
        finally:
            self.on = before

    @contextmanager
    def uncounted(self, on: bool) -> Iterator[None]:
        """Turn reuse on or off for the block, and count nothing there."""
        reused, samples = self.reused, list(self.samples)
        try:
            with self.switched(on):
                yield
        finally:
            self.reused, self.samples = reused, samples

    def count(self, used: Sample) -> None:
        """Count a run in a used process; keep the first ones, and of the later ones each `_SAMPLED`th."""
        self.reused += 1
        if self.reused <= _FIRST or self.reused % _SAMPLED == 0:
            self.samples.append(used)
