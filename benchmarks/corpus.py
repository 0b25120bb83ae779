"""Print what the corpus of small agents costs and yields.

Executions until a first finding, those for crashes after errors, and findings per cause.

python benchmarks/corpus.py [first | causes]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rollproof.engine.firing import Firing  # noqa: E402
from rollproof.values.exploration import Exploration  # noqa: E402

from tests.exploring import explored  # noqa: E402
from tests.test_mutants import NAMES, WRONG, agent, settings  # noqa: E402

ABOUT_20_POINTS = range(14, 27)


def main() -> None:
    """Run all measurements, or the one that is named."""
    wanted = sys.argv[1:] or ["first", "causes", "crashes"]
    for name, measure in (("first", first_finding), ("causes", per_cause), ("crashes", crashes_after_errors)):
        if name in wanted:
            measure()


def first_finding() -> None:
    """Count executions until a first finding is confirmed, for each wrong agent."""
    found = [(name, _explored(name, first=True)) for name in WRONG]
    counts = {name: result.executions for name, result in found if result.violations}
    about_20 = [counts[name] for name, result in found if name in counts and result.points in ABOUT_20_POINTS]
    print(
        f"executions until a first finding is confirmed, {len(counts)} of {len(found)} wrong agents: "
        f"median {statistics.median(counts.values()):.0f}, most {max(counts.values())}"
    )
    print(f"  {len(about_20)} agents of about 20 points: median {statistics.median(about_20):.0f} (goal: 30)")


def per_cause() -> None:
    """Count findings for each cause that an agent names, and the schedules that each of them stands for."""
    found = [(agent(name).CAUSES, _explored(name)) for name in WRONG]
    findings, causes = sum(len(result.violations) for _, result in found), sum(len(causes) for causes, _ in found)
    schedules = sum(finding.cells for _, result in found for finding in result.violations)
    print(
        f"findings per cause, {len(found)} wrong agents: {findings} findings of {schedules} failing schedules, "
        f"{causes} causes: {findings / causes:.2f} (goal: 1.0)"
    )


def crashes_after_errors() -> None:
    """Compare depth 1 with and without crashes after an error."""
    with_them = _all()
    with _without_crashes_after_errors():
        without = _all()
    executions, seconds = with_them[0] / without[0], with_them[1] / without[1]
    print(
        f"depth 1 with crashes after errors, {len(NAMES)} agents: {with_them[0]} executions, without {without[0]}: "
        f"{executions:.2f} times, {seconds:.2f} times the processor time"
    )


def _all() -> tuple[int, float]:
    began = time.process_time()
    executions = sum(_explored(name).executions for name in NAMES)
    return executions, time.process_time() - began


@contextmanager
def _without_crashes_after_errors() -> Iterator[None]:
    kept = Firing._crashes_after
    Firing._crashes_after = lambda self, schedule, resolved, process: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Firing._crashes_after = kept  # type: ignore[method-assign]


def _explored(name: str, **changed: Any) -> Exploration:
    with tempfile.TemporaryDirectory() as folder:
        return explored(agent(name), Path(folder) / "explored", **{**settings(name), **changed})


if __name__ == "__main__":
    main()
