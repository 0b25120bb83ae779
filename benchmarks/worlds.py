"""Print what exploring one agent costs by what lies around it: 10 files, 10,000 files, 100,000 rows, and a million.

    python benchmarks/worlds.py [ROUNDS [FAULTS]]

Each exploration is measured in an interpreter of its own, in turns, without the start of Python and the making of the
world, and an ordinary run of the agent in such a world is subtracted. Ratios are of the least of each: what else the
machine does only adds to it.
"""

import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import agents  # noqa: E402
from benchmarks.measured import Measured  # noqa: E402

ROUNDS, FAULTS = 3, "*"
MOST = 4
WORLDS = {"10 files": (10, 0), "10,000 files": (10_000, 0), "100,000 rows": (10, 100_000)}
LARGEST = {"1,000,000 rows": (10, 1_000_000)}
WARM = "llm.timeout"
"""The fault that is explored once before, so that all imports are done."""


@dataclass
class Surrounded:
    """The 25-point agent among so many files that it does not touch, and so many rows in the table that it writes.

    Attributes:
        began: processor and wall seconds when the world was made.
    """

    files: int
    rows: int
    began: tuple[float, float] = (0, 0)

    def explore(self, chaos: Any, tmp_path: Path) -> Any:
        """Make the world, and explore the agent in it."""
        for number in range(self.files):
            folder = tmp_path / "shared" / "archive" / f"{number // 100}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.md").write_text(f"# Report {number}\n\nNothing new.\n")
        (tmp_path / "agent").mkdir()
        with closing(agents.connect(tmp_path / "agent")) as connection:
            _fill(connection, self.rows)
        self.began = _clocks()
        return agents.SMALL.explore(chaos, tmp_path)


def _fill(connection: sqlite3.Connection, rows: int) -> None:
    """Note steps of other jobs, which this one never asks for."""
    connection.execute("BEGIN")
    steps = ((f"~{number}", f"page {number}") for number in range(rows))
    connection.executemany("INSERT INTO steps VALUES (?, ?)", steps)
    connection.execute("COMMIT")


def main(rounds: int, faults: str) -> None:
    """Measure all worlds in turns, and the largest once."""
    print(f"25-point agent by what lies around it, faults {faults}")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WORLDS}
    for _ in range(rounds):
        for name in WORLDS:
            found[name].append(_measured(name, faults))
    least = {name: {key: min(one[key] for one in each) for key in each[0]} for name, each in found.items()}
    base = least["10 files"]
    for name, one in least.items():
        ratios = f"{one['cpu_s'] / base['cpu_s']:.2f} and {one['wall_s'] / base['wall_s']:.2f} times 10 files"
        print(f"  {name}: {_told(one)}: {ratios} (goal: {MOST})", flush=True)
    for name in LARGEST:
        print(f"  {name}: {_told(_measured(name, faults))}")


def _told(one: dict[str, float]) -> str:
    return (
        f"{one['executions']:.0f} executions, {one['worlds']:.0f} worlds, {one['cpu_s']:.1f} s of processor, "
        f"{one['wall_s']:.1f} s, {one['peak_mb']:.0f} MB"
    )


def _measured(name: str, faults: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", name, faults]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def one(name: str, faults: str) -> None:
    """Explore in one world and print the figures as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        Measured(agents.SMALL, Path(folder) / "warm").explore(WARM)
        agent = Surrounded(*{**WORLDS, **LARGEST}[name])
        result, _ = Measured(agent, Path(folder)).explore(faults)
        spent = [end - start for start, end in zip(agent.began, _clocks(), strict=True)]
        Measured(agent, Path(folder) / "ordinary").ordinary()
        ordinary = [end - start for start, end in zip(agent.began, _clocks(), strict=True)]
        cpu_s, wall_s = (explored - once for explored, once in zip(spent, ordinary, strict=True))
    figures = {
        "executions": result.executions,
        "worlds": result.worlds,
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def _clocks() -> tuple[float, float]:
    """Return the processor seconds of this process and of its children that ended, and the wall clock's."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used), time.monotonic()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS, sys.argv[2] if sys.argv[2:] else FAULTS)
