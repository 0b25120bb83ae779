"""Show that the memory of the test's process stays flat, however many executions one session makes.

The 25-point agent is explored again and again, each time with another seed, until so many processes of it have run.

python benchmarks/memory.py [--executions=100000]
"""

import argparse
import gc
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import agents  # noqa: E402
from benchmarks.measured import Measured  # noqa: E402

MOST = 1.1
"""So many times the memory after a tenth may be in use in the end."""


def main() -> int:
    """Print the memory after a tenth and in the end; returns 1 where it grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=100_000)
    wanted = parser.parse_args().executions
    with tempfile.TemporaryDirectory() as folder:
        measured = Measured(agents.SMALL, Path(folder))
        count = seed = early_mb = 0
        while count < wanted:
            count += measured.explore(seed=seed)[0].executions
            seed += 1
            if not early_mb and count >= wanted / 10:
                early_mb = resident_mb()
    late_mb = resident_mb()
    print(f"{count} executions in {seed} explorations: {early_mb} MB after a tenth of them, {late_mb} MB in the end")
    return int(late_mb > MOST * early_mb)


def resident_mb() -> int:
    """Return how much memory this process has, in MB, after a collection of garbage."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 >> 20


if __name__ == "__main__":
    sys.exit(main())
