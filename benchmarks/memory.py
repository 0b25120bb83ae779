"""Show that the memory of the test's process stays flat, however many executions one session makes.

The 25-point agent is explored again and again, each time with another seed, until so many processes of it have run.
Beside the memory stand Python's own blocks and objects: where these stay and the memory grows, it is free pages that
the system has not got back; where they grow, the kinds of objects that became more are printed.

python benchmarks/memory.py [--executions=100000]
"""

import argparse
import gc
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import agents  # noqa: E402
from benchmarks.measured import Measured  # noqa: E402

MOST = 1.1
"""So many times the memory, or the blocks, after a tenth may be in use in the end."""
_SHOWN = 8


@dataclass(frozen=True)
class Usage:
    """What this process uses after a collection of garbage: memory in MB, Python's blocks, objects by their type."""

    resident_mb: int
    blocks: int
    objects: Counter[str]

    @classmethod
    def now(cls) -> "Usage":
        """Look at this process."""
        gc.collect()
        resident_mb = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20
        objects = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
        return cls(resident_mb, sys.getallocatedblocks(), objects)

    def __str__(self) -> str:
        return f"{self.resident_mb} MB ({self.blocks // 1000} thousand blocks of Python's)"


def main() -> int:
    """Print the memory after a tenth and in the end, and what became more; returns 1 where it grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=100_000)
    wanted = parser.parse_args().executions
    early: Usage | None = None
    with tempfile.TemporaryDirectory() as folder:
        measured = Measured(agents.SMALL, Path(folder))
        count = seed = 0
        while count < wanted:
            count += measured.explore(seed=seed)[0].executions
            seed += 1
            if early is None and count >= wanted / 10:
                early = Usage.now()
                print(f"{count} executions in {seed} explorations: {early}", flush=True)
    late = Usage.now()
    assert early is not None
    print(f"{count} executions in {seed} explorations: {early} after a tenth of them, {late} in the end")
    more = ", ".join(f"{number} {name}" for name, number in (late.objects - early.objects).most_common(_SHOWN))
    print(f"objects that became more: {more or 'none'}")
    return int(late.resident_mb > MOST * early.resident_mb or late.blocks > MOST * early.blocks)


if __name__ == "__main__":
    sys.exit(main())
