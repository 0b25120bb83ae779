"""Print what an exploration costs, here and at an older commit, in turns: processor time and wall time.

    python benchmarks/against.py [COMMIT] [--rounds=3] [--agents=25,65,129,25@2]

COMMIT is exported into a temporary folder and explored there by the same interpreter, the same tests and the same
options: `pytest --chaos --chaos-json`. Processor time is that of pytest and of all processes below it, an ordinary run
of the same test subtracted; each figure is the median of the rounds. The engine of today tries more than the one of
then, so the time of one execution is printed, too. ``25@2`` is the agent of 25 points at depth 2.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMIT = "12c1ef3"
ROOMS = ("faults", "invariants", "scenarios", "reports")
GOALS = {"25": 0.7, "65": 0.5, "129": 0.5, "25@2": 0.6}
TEST = """
import pytest

import agents


@pytest.mark.chaos(depth={depth})
def test_publishes(chaos, tmp_path):
    agents.Publisher({sections}).explore(chaos, tmp_path)
"""


@dataclass(frozen=True)
class Cost:
    """What one exploration took: seconds of the processor and of the clock, and what was tried meanwhile."""

    busy_s: float
    wall_s: float
    executions: int
    schedules: int


@dataclass(frozen=True)
class Project:
    """A folder with the test of one agent, and the code that explores it."""

    folder: Path
    code: Path

    def explored(self) -> Cost:
        """Explore once; the time of an ordinary run of the same test is subtracted."""
        result = self.folder / "result.json"
        busy, wall = self._spent("--chaos", f"--chaos-json={result}")
        plainly, shortly = self._spent()
        found = json.loads(result.read_text())["explorations"][0]
        return Cost(busy - plainly, wall - shortly, found["executions"], found["schedules"])

    def _spent(self, *options: str) -> tuple[float, float]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "test_agent.py"]
        # What stands here comes before what is installed: the finder of an editable install is asked last.
        environment = {**os.environ, "PYTHONPATH": str(self.code)}
        before, began = os.times(), time.monotonic()
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        wall, after = time.monotonic() - began, os.times()
        if done.returncode:
            raise SystemExit(f"{self.folder.name}: {done.stdout}{done.stderr}")
        busy = after.children_user + after.children_system - before.children_user - before.children_system
        return busy, wall


def packaged(checkout: Path, code: Path) -> Path:
    """Lay out a checkout as the package is when it is installed; returns what belongs on the path."""
    package = code / "rollproof"
    package.mkdir(parents=True)
    for source in [*(checkout / "harness").iterdir(), *(checkout / room for room in ROOMS)]:
        if source.name != "__pycache__":
            (package / source.name).symlink_to(source)
    return code


def exported(commit: str, checkout: Path) -> Path:
    """Put all files of a commit into a new folder, and return it."""
    checkout.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x"], cwd=checkout, check=True, input=archive.stdout)
    return checkout


def project(folder: Path, agent: str, code: Path) -> Project:
    """Make a folder with the test of an agent, given by its points and maybe the depth."""
    points, _, depth = agent.partition("@")
    folder.mkdir(parents=True)
    (folder / "agents.py").write_text((ROOT / "benchmarks" / "agents.py").read_text())
    (folder / "test_agent.py").write_text(TEST.format(sections=(int(points) - 9) // 4, depth=depth or 1))
    return Project(folder, code)


def medians(costs: list[Cost]) -> Cost:
    """Return the median of each figure; what was tried is the same in all rounds."""
    last = costs[-1]
    times = (statistics.median(cost.busy_s for cost in costs), statistics.median(cost.wall_s for cost in costs))
    return Cost(*times, last.executions, last.schedules)


def compared(agent: str, now: Cost, then: Cost) -> str:
    """Say in a line of the table what an agent cost then and now."""
    ms = [1000 * cost.busy_s / cost.executions for cost in (then, now)]
    figures = (
        f"{then.busy_s:.2f} -> {now.busy_s:.2f}",
        f"{now.busy_s / then.busy_s:.2f} (goal: {GOALS[agent]})",
        f"{then.wall_s:.2f} -> {now.wall_s:.2f}",
        f"{then.executions} -> {now.executions}",
        f"{then.schedules} -> {now.schedules}",
        f"{ms[0]:.1f} -> {ms[1]:.1f}, {ms[1] / ms[0]:.2f}",
    )
    return f"| {agent} | {' | '.join(figures)} |"


def main() -> None:
    """Explore each agent here and there in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default=COMMIT)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--agents", default=",".join(GOALS), metavar="POINTS[@DEPTH],…")
    given = parser.parse_args()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = name
        folder = Path(name)
        now = packaged(ROOT, folder / "now")
        then = packaged(exported(given.commit, folder / "checkout"), folder / "then")
        print(f"{given.commit} -> now, medians of {given.rounds}")
        print("| points | processor s | ratio | wall s | executions | schedules | processor ms an execution |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for agent in given.agents.split(","):
            sides = [project(folder / f"{agent}-{code.name}", agent, code) for code in (now, then)]
            rounds = [[side.explored() for side in sides] for _ in range(given.rounds)]
            print(compared(agent, *(medians([*costs]) for costs in zip(*rounds, strict=True))), flush=True)


if __name__ == "__main__":
    main()
