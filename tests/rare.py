"""Whether the suite reached each path that is marked as rare: `make test` ends with it.

    python tests/rare.py FILE

FILE is what `ROLLPROOF_RARE` named while the suite ran.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent


def marks(folder: Path = ROOT / "harness") -> Iterator[tuple[str, str]]:
    """Yield the name of each mark in the code, and where it stands."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "rare":
                (name,) = node.args
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno}"
                yield str(name.value), f"{path.relative_to(folder.parent)}:{node.lineno}"


def main(reached: Path) -> int:
    """Print the marks that were never reached; returns how a program ends."""
    told = set(reached.read_text(encoding="utf-8").splitlines()) if reached.exists() else set()
    known = dict(marks())
    missing = {name: place for name, place in known.items() if name not in told}
    for name, place in missing.items():
        print(f"never reached: {name} ({place})", file=sys.stderr)
    print(f"rare paths: {len(known) - len(missing)} of {len(known)} reached")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
