"""Let workers of an outbox overlap, fail, be killed and be paused, again and again, and print what is wrong in the end.

python benchmarks/workers.py [ROUNDS [SEED]]

Each round is 40 messages, three workers (and in every other round a fourth one that is paused), and half of the runs
abandoned meanwhile. Exits with 1 where a message is lost, sent behind its cancellation, or left.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "runtime")]

from workers import fleet  # noqa: E402


def main(rounds: int = 100, seed: int = 0) -> int:
    """Play the rounds, and say how many went wrong."""
    wrong = 0
    for number in range(seed, seed + rounds):
        with tempfile.TemporaryDirectory() as folder:
            found = fleet(Path(folder), number, pausing=bool(number % 2))
        for each in found:
            print(f"seed {number}: {each}")
        wrong += bool(found)
    print(f"{rounds} rounds, {wrong} of them wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
