"""Explore one agent in several ways, and time each."""

import pickle
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from rollproof.chaos import Chaos
from rollproof.engine import brute
from rollproof.engine import replay as replaying
from rollproof.engine.explore import Explorer
from rollproof.engine.exploring import Exploring
from rollproof.engine.plan import crash, errors, resolve
from rollproof.engine.process_runs import BIRTH
from rollproof.engine.trials import Trials
from rollproof.plugin.installed import Builtins
from rollproof.values.exploration import Exploration
from rollproof.values.faults import with_twins
from rollproof.values.options import Options
from rollproof.values.schedule import Schedule

ONE_PROCESS = """
import sys
from pathlib import Path
from benchmarks.measured import Measured
from benchmarks import agents
Measured(agents.SMALL, Path(sys.argv[1])).carry_out(sys.argv[2], sys.argv[3])
"""


class Measured:
    """An agent and its folder; each measurement starts from an empty one."""

    def __init__(self, agent: Any, folder: Path) -> None:
        self._agent, self._folder, self._count = agent, folder, 0

    def crash_closure(self) -> tuple[Exploration, float, int]:
        """Explore crashes; returns the result, its seconds, and how many executions were its audit's."""
        audit, counts = Exploring._audit, []

        def counted(exploring: Exploring, *args: Any) -> None:
            audit(exploring, *args)
            counts.append(exploring.audit.executions)

        Exploring._audit = counted  # type: ignore[method-assign]
        try:
            result, seconds = self.explore("process.kill")
        finally:
            Exploring._audit = audit  # type: ignore[method-assign]
        return result, seconds, counts[0]

    def explore(self, faults: str = "*", depth: int = 1, seed: int = 0) -> tuple[Exploration, float]:
        """Explore with the selected faults; returns the result and its seconds."""
        results: list[Exploration] = []
        options = replace(self._options(faults), depth=depth, seed=seed)
        self._agent.explore(Chaos(options, "benchmark", results.append), self._new_folder())
        return results[0], results[0].seconds

    def ordinary(self) -> None:
        """Run the agent once, as a test without ``--chaos`` does."""
        self._agent.explore(Chaos(replace(self._options("*"), active=False), "benchmark"), self._new_folder())

    def schedules(self) -> tuple[list[Schedule], list[Schedule]]:
        """Return every schedule of one crash, and every one of two."""
        one: list[Schedule] = []
        two: list[Schedule] = []

        def collect(trials: Trials) -> None:
            for crash_state in trials.baseline.first.crash_states:
                first = Schedule((crash(crash_state, recovering=False),))
                one.append(first)
                process = trials.recovery.restart("recover", crash_state.raw_state, trace=True)
                two.extend(first.then(crash(inner, recovering=True)) for inner in process.crash_states)

        self._with_explorer(collect)
        return one, two

    def pairs(self, sample: int, dice: random.Random) -> tuple[int, list[Schedule]]:
        """Return how many schedules of one fault and of one more in its recovery there are, and a sample of them."""
        found: list[tuple[int, list[Schedule]]] = []

        def collect(trials: Trials) -> None:
            config, first = replace(trials.config, depth=2), trials.baseline.first
            schedules = [Schedule((crash(crash_state, recovering=False),)) for crash_state in first.crash_states]
            schedules += [Schedule((injection,)) for injection, _ in errors(first.points, first.effects, config.faults)]
            total, pool = len(schedules), list(schedules)
            for schedule in schedules:
                processes, missed = replaying.replay(trials, schedule, trace=True)
                if missed or len(processes) == 1:
                    continue
                doubles = [*brute.second_faults(config, processes[1:], schedule)]
                total += len(doubles)
                pool += doubles
            found.append((total, dice.sample(pool, min(sample, len(pool)))))

        self._with_explorer(collect)
        return found[0]

    def brute_force(self, schedules: Sequence[Schedule]) -> tuple[int, float, set[tuple[str, ...]]]:
        """Carry schedules out, each truly and from the start; returns processes, seconds and what broke."""
        spent: list[tuple[int, float, set[tuple[str, ...]]]] = []

        def carry_out(trials: Trials) -> None:
            telling = trials.executor.telling
            before, began = telling.executions, time.monotonic()
            broken = set()
            for schedule in schedules:
                processes, _ = replaying.replay(trials, schedule)
                broken.add(trials.judged(schedule, processes).invariants)
            spent.append((telling.executions - before, time.monotonic() - began, broken - {()}))

        self._with_explorer(carry_out)
        return spent[0]

    def interpreters(self, schedules: Sequence[Schedule]) -> float:
        """Carry schedules out with a new interpreter for the run, killed, and one for the recovery; returns seconds."""
        began = time.monotonic()
        for schedule in schedules:
            folder = self._new_folder()
            for role in ("run", "recover"):
                command = [sys.executable, "-c", ONE_PROCESS, str(folder), role, str(schedule)]
                subprocess.run(command, check=True, cwd=Path(__file__).parent.parent)
        return time.monotonic() - began

    def carry_out(self, role: Literal["run", "recover"], token: str) -> None:
        """Let one process of a schedule live in this interpreter, on what the one before it left in the folder.

        Raises SystemExit where a run that was to be killed was not.
        """

        def run_process(explorer: Explorer) -> None:
            explorer.executor.prepare()
            executor, services = explorer.executor, self._folder / "services"
            start = executor.capture(BIRTH)
            if role == "recover":
                start = replace(start, services=pickle.loads(services.read_bytes()))
            plan = resolve(Schedule.parse(token), explorer.config.known, {}) if role == "run" else []
            process = executor.run_process(role, start, role, plan)
            services.write_bytes(pickle.dumps(process.end.services))
            if plan and (process.outcome.kind != "killed" or not process.fired):
                raise SystemExit(f"{token} did not kill: {process.outcome}")

        self._with_explorer(run_process, self._folder, observe=False)

    def _with_explorer(self, work: Any, folder: Path | None = None, *, observe: bool = True) -> None:
        """Give `work` the trials of an agent that was observed, or else the explorer, instead of letting it explore."""
        kept = Explorer.explore

        def explore(explorer: Explorer, *, reduce: bool = True) -> Exploration:
            def within() -> Exploration:
                work(explorer._observe(merge=False).trials)
                return Exploration()

            if not observe:
                work(explorer)
                return Exploration()
            return explorer._within(within)

        Explorer.explore = explore  # type: ignore[method-assign]
        try:
            self._agent.explore(Chaos(self._options("*"), "benchmark"), folder or self._new_folder())
        finally:
            Explorer.explore = kept  # type: ignore[method-assign]

    def _new_folder(self) -> Path:
        self._count += 1
        folder = self._folder / f"{self._count}"
        folder.mkdir(parents=True)
        return folder

    def _options(self, globs: str) -> Options:
        known = {fault.name: fault for fault in with_twins(Builtins().pytest_chaos_faults())}
        usual = [fault for fault in known.values() if fault.by_default]
        chosen = tuple(fault for fault in usual if fnmatchcase(fault.name, globs))
        return Options(active=True, faults=chosen, known=known, invariants=tuple(Builtins().pytest_chaos_invariants()))
