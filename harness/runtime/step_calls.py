"""The functions of a saga's steps, called for a run that this process carries.

With several processes: every act, undo and look is preceded by a look at the lease. A process that was paused, and
whose run another has taken up meanwhile, acts no more when it wakes up. Between that look and the act itself it can
still be paused; what must not happen even then shows the token to what it writes to (`fencing`), and an act of many
parts asks `Run.check` before each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from .calls import Invoker
from .carried_run import CarriedRun
from .current import running
from .definition import Definition
from .reconcile import ForeignState, Found, Reality
from .steps import Run, Step, found_by, learned_by


class StepCalls:
    """The acts, undos and looks of one run."""

    def __init__(self, saga: Definition, run: CarriedRun, invoker: Invoker) -> None:
        """Call them by `invoker`; nothing is called yet."""
        self._run, self._invoker = run, invoker
        self._companions = tuple(saga.companions)
        self.steps = {step.name: step for step in saga.steps}
        self._order = list(self.steps)

    @property
    def entered(self) -> Step:
        """The step that the run entered last."""
        return self.steps[self._run.progress.entered[-1]]

    def following(self) -> str | None:
        """Return the step after the entered one; None behind the last."""
        return next(iter(self._order[self._order.index(self.entered.name) + 1 :]), None)

    async def act(self) -> Mapping[str, Any]:
        """Take the entered step, and return its variables."""
        self._run.check()
        step = self.entered
        with running(step.name):
            return learned_by(step.name, await self._invoker.act(step.act, self._view(step.name)))

    async def look(self, name: str, *, held: bool = True) -> Found | None:
        """Ask the outside whether a step happened; None where the step cannot.

        `held` says that this process carries the run, and makes sure of it; anybody may look else.
        """
        look, view = self.steps[name].look, self._view(name)
        if not look:
            return None
        if held:
            self._run.check()
        else:
            view = replace(view, check=lambda: None)
        with running(name):
            return found_by(name, await self._invoker.call(look, view))

    async def undo(self, name: str) -> None:
        """Undo a step, if it has an undo."""
        undo = self.steps[name].undo
        if undo is not None:
            self._run.check()
            with running(name):
                await self._invoker.call(undo, self._view(name))

    async def undo_what_is_there(self, name: str) -> None:
        """Undo a step unless the outside says that it never happened.

        Raises:
            ForeignState: Something that is not ours is in its place.
        """
        found = await self.look(name)
        if found is not None and found.reality is Reality.FOREIGN:
            raise ForeignState(
                f"step {name!r} of run {self._run.progress.run}: what is there is not ours; nothing is undone"
            )
        if found is None or found.reality is Reality.PRESENT:
            await self.undo(name)

    def _view(self, step: str) -> Run:
        progress, memory = self._run.progress, self._run.memory
        known = MappingProxyType(dict(memory.variables))  # what a step learns it returns, or a crash would lose it
        take, token = progress.takes.count(step), self._run.lease.token
        return Run(progress.run, step, memory.goal, known, token, take, self._run.check, self._companions)
