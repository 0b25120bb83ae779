"""What is found repeats: a part of `benchmarks/nightly.py`. Each tenth agent of the corpus tries another seed, too."""

import subprocess
import sys
from pathlib import Path

NIGHTLY = Path(__file__).parent.parent / "benchmarks" / "nightly.py"


def test_tokens_end_alike_under_each_hash_seed() -> None:
    """In new processes, in other folders, in whatever order sets are gone through."""
    arguments = ("tokens", "--agents=mutants/*", "--every=80", "--tokens=8", "--jobs=1")
    done = subprocess.run([sys.executable, str(NIGHTLY), *arguments], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "8 tokens of 2, hash seeds [0, 1, 2]: 0 that end otherwise" in done.stdout
