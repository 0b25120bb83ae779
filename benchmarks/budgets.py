"""Print what large agents, and large surroundings, make of a budget: wall time, memory, and what was left out.

python benchmarks/budgets.py [SECONDS [NAME …]]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUDGET_S = 30
MORE_S = 10
MOST_MB = 1000
TEST = """
import os, sqlite3
from pathlib import Path
import httpx, pytest

def points(shared, own):
    for number in range(100):
        part = own / "next.part"
        part.write_text(f"page {number}")
        os.replace(part, shared / f"page-{number}")

def writes(shared, own):
    with open(shared / "report", "w") as report:
        for number in range(2000):
            report.write(f"line {number}\\n")
            report.flush()

def small(shared, own):
    part = own / "report.part"
    part.write_text("Prices fell.")
    os.replace(part, shared / "report")

def large(shared, own):
    with open(own / "data.part", "wb") as data:
        for number in range(200):
            data.write(bytes([number]) * (1 << 20))
    os.replace(own / "data.part", shared / "data")

def rows(shared, own):
    base = sqlite3.connect(shared / "base.db")
    with base:
        base.execute("INSERT INTO things VALUES (-1, 'new')")
    base.close()

def beside_a_large_file(shared, own):
    (shared / "big").write_bytes(os.urandom(200 << 20))

def beside_many_files(shared, own):
    for number in range(50_000):
        folder = shared / str(number // 500)
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.txt").write_text(str(number))

def many_rows(shared, own):
    base = sqlite3.connect(shared / "base.db")
    with base:
        base.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, text)")
        base.executemany("INSERT INTO things VALUES (?, ?)", ((n, f"thing {n}") for n in range(50_000)))
    base.close()

def nothing(shared, own):
    pass

CASES = {
    "300 points": (nothing, points),
    "2,000 writes": (nothing, writes),
    "beside a file of 200 MB": (beside_a_large_file, small),
    "writes 200 MB": (nothing, large),
    "beside 50,000 files": (beside_many_files, small),
    "a database of 50,000 rows": (many_rows, rows),
}

@pytest.mark.parametrize("case", CASES)
def test_it(chaos, tmp_path, case):
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    own.mkdir()
    prepare, run = CASES[case]
    prepare(shared, own)
    chaos.watch(shared)
    chaos.private(own)
    try:
        chaos.explore(run=lambda: run(shared, own))
    finally:
        status = Path("/proc/self/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        Path(os.environ["PEAK"]).write_text(peak.split()[1])
"""


def main(budget_s: float, names: list[str]) -> None:
    """Explore each of them, in a pytest of its own."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_large.py").write_text(TEST)
        scope: dict[str, object] = {}
        exec(TEST, scope)
        for name in names or list(scope["CASES"]):  # type: ignore[call-overload]
            _measure(Path(folder), name, budget_s)


def _measure(folder: Path, name: str, budget_s: float) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--chaos", f"--chaos-budget={budget_s}", "--chaos-json=it.json"]
    (folder / "it.json").unlink(missing_ok=True)
    began = time.monotonic()
    test = f"test_large.py::test_it[{name}]"
    environment = {**os.environ, "PEAK": str(folder / "peak")}
    result = subprocess.run([*command, test], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    spent_s = time.monotonic() - began
    document = json.loads((folder / "it.json").read_text()) if (folder / "it.json").exists() else {}
    if not document.get("explorations"):
        print(f"{name}: no result after {spent_s:.0f} s\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
        return
    found = document["explorations"][0]
    peak_mb = int((folder / "peak").read_text()) / 1024
    print(
        f"{name}: {found['points']} points, {found['executions']} executions, {found['seconds']:.1f} s of exploring, "
        f"{spent_s:.1f} s in all (goal: {budget_s + MORE_S:.0f}), {peak_mb:.0f} MB (goal: {MOST_MB})"
    )
    left = [*found["not_tried"].items(), *found["skipped"].items()]
    print(f"  {'; '.join(f'{what}: {count}' for what, count in left) or 'nothing left out'}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else BUDGET_S, sys.argv[2:])
