"""Print what exploring costs, as ratios against the alternatives, measured in the same run.

    python benchmarks/run.py

Single numbers of seconds are this machine's; the ratios are what is compared.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import agents, network  # noqa: E402
from benchmarks.measured import Measured  # noqa: E402

SAMPLE = 60
INTERPRETERS = 6
ROUNDS = 9


def main() -> None:
    """Run all measurements."""
    print("25-point agent: files, SQLite, HTTP, one model call")
    exploration()
    depth_two()
    plugin()
    network.main()


def exploration() -> None:
    """Compare the crash closure with forked brute force and with one new interpreter for each process."""
    with tempfile.TemporaryDirectory() as folder:
        measured = Measured(agents.SMALL, Path(folder))
        measured.explore()  # warm imports
        result, seconds = measured.explore()
        print(f"  everything: {result.points} points, {result.executions} executions, {seconds:.2f} s (goal: 2 s)")
        print(f"  {result.worlds} distinct worlds for {result.schedules} schedules; closed: {result.closed}")
        space, closure_s, audited = measured.crash_closure()
        made = space.executions
        print(f"  crash closure: {made} executions, and {audited} of its audit, {closure_s:.2f} s")
        one, two = measured.schedules()
        dice = random.Random(0)
        for crashes, schedules, goal in ((1, one, 3), (2, one + two, 10)):
            sample = dice.sample(schedules, min(SAMPLE, len(schedules)))
            executions, spent, _ = measured.brute_force(sample)
            scale = len(schedules) / len(sample)
            print(
                f"  forked brute force, up to {crashes} crashes: {len(schedules)} schedules, "
                f"{executions * scale:.0f} executions, {spent * scale:.1f} s ({len(sample)} run, times {scale:.1f})\n"
                f"    closure: {executions * scale / made:.1f} times fewer executions (goal: {goal}), "
                f"{spent * scale / closure_s:.1f} times less time, audit included"
            )
        spent = measured.interpreters(dice.sample(one, INTERPRETERS)) / INTERPRETERS * len(one)
        print(
            f"  a new interpreter with a real kill for each of {len(one)} single crashes: {spent:.0f} s "
            f"({INTERPRETERS} run); closure is {spent / closure_s:.0f} times faster (goal: 20)"
        )


def depth_two() -> None:
    """Compare depth 2 with forked brute force over the same pairs: one fault, and one more in its recovery."""
    for points, agent, goal in ((25, agents.SMALL, ""), (65, agents.LARGE, " (goal: 10)")):
        with tempfile.TemporaryDirectory() as folder:
            measured = Measured(agent, Path(folder))
            result, seconds = measured.explore(depth=2)
            total, sample = measured.pairs(SAMPLE, random.Random(0))
            executions, spent, broken = measured.brute_force(sample)
            scale = total / len(sample)
            found = {finding.invariants for finding in result.violations}
            print(
                f"{points}-point agent at depth 2: {result.points} points, {result.schedules} schedules in "
                f"{result.executions} executions, {seconds:.1f} s; closed: {result.closed}\n"
                f"  forked brute force of {total} of them: {executions * scale:.0f} executions, {spent * scale:.0f} s "
                f"({len(sample)} run, times {scale:.0f}): {spent * scale / seconds:.1f} times longer{goal}; "
                f"verdicts that differ: {len(broken - found)}"
            )


TESTS = """
import pytest

@pytest.mark.chaos
@pytest.mark.parametrize("n", range(200))
def test_writes(chaos, tmp_path, n):
    chaos.watch(tmp_path / "shared")
    chaos.private(tmp_path / "own")

    def run():
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "report.md").write_text("x" * n)

    chaos.explore(run=run)
"""
STAND_IN = """
import pytest

class StandIn:
    def watch(self, path): pass
    def private(self, path): pass
    def explore(self, run): run()

@pytest.fixture
def chaos():
    return StandIn()
"""


def plugin() -> None:
    """Compare 200 chaos tests without ``--chaos`` with the same tests where the plugin is not loaded."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "test_many.py").write_text(TESTS)
        (project / "stand_in.py").write_text(STAND_IN)
        base = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_many.py"]
        without = [*base, "-p", "no:rollproof", "-p", "stand_in", "-W", "ignore"]

        def spent(command: list[str]) -> float:
            began = time.monotonic()
            subprocess.run(command, cwd=project, check=True, capture_output=True, env=_environment(project))
            return time.monotonic() - began

        ratios = _alternating(lambda: spent(base), lambda: spent(without))
        print(f"pytest without --chaos, 200 chaos tests: {ratios:.3f} times the same without the plugin (goal: 1.05)")


def _environment(project: Path) -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(project)}


def _alternating(one: Callable[[], float], other: Callable[[], float]) -> float:
    """Return the ratio of the fastest of measurements that take turns: what else the machine does only adds to them."""
    pairs = [(one(), other()) for _ in range(ROUNDS)]
    return min(first for first, _ in pairs) / min(second for _, second in pairs)


if __name__ == "__main__":
    main()
