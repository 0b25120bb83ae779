"""How large the parts of the code are: the table in CONTRIBUTING.md.

python benchmarks/sizes.py            prints it
python benchmarks/sizes.py --write    puts it into CONTRIBUTING.md
"""

import ast
import io
import re
import statistics
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = ("harness", "faults", "invariants", "scenarios", "reports")
TABLE = re.compile(r"(?<=<!-- sizes -->\n).*?(?=<!-- /sizes -->)", re.DOTALL)
_NO_COMMENT = ("noqa", "type:", "!")
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def files(*folders: str) -> list[Path]:
    """Return the modules below these folders."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def parsed(paths: Iterable[Path]) -> list[ast.Module]:
    """Return what stands in these modules."""
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def lines(paths: Iterable[Path]) -> list[int]:
    """Return how many lines each module has."""
    return [path.read_text(encoding="utf-8").count("\n") for path in paths]


def functions(trees: Iterable[ast.Module]) -> list[int]:
    """Return how many lines each function has, its head and its docstring included."""
    found = (node for tree in trees for node in ast.walk(tree) if isinstance(node, _FUNCTION))
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in found]


def classes(trees: Iterable[ast.Module]) -> tuple[list[int], list[int]]:
    """Return how many methods, properties included, and how many attributes each class has."""
    found = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    methods = [sum(isinstance(part, _FUNCTION) for part in one.body) for one in found]
    return methods, [len(set(_attributes(one))) for one in found]


def _attributes(one: ast.ClassDef) -> Iterator[str]:
    """Yield the names that a class declares, or its methods assign to `self`."""
    for part in one.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            yield part.target.id
        elif isinstance(part, ast.Assign):
            yield from (target.id for target in part.targets if isinstance(target, ast.Name))
        elif isinstance(part, _FUNCTION):
            for node in ast.walk(part):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    yield from [node.attr] if isinstance(node.value, ast.Name) and node.value.id == "self" else []


def comments(paths: Iterable[Path]) -> float:
    """Return how many comments there are in a hundred lines; what is said to a tool is none."""
    count = total = 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        total += text.count("\n")
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            told = token.string.lstrip("# ")
            count += token.type == tokenize.COMMENT and not told.startswith(_NO_COMMENT)
    return 100 * count / total


def imported() -> dict[str, set[str]]:
    """Return for each module of the harness those that it imports, in functions, too; not what is for types only."""
    names = {_name(path): path for path in files("harness")}
    return {name: set(_imports(path, names)) - {name} for name, path in names.items()}


def _name(path: Path) -> str:
    parts = ("rollproof", *path.relative_to(ROOT / "harness").with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, names: dict[str, Path]) -> Iterator[str]:
    package = _name(path).split(".") if path.name == "__init__.py" else _name(path).split(".")[:-1]
    for node in _loaded(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            inner = [f"{module}.{alias.name}" for alias in node.names]
            yield from (one if one in names else module for one in inner if one in names or module in names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)


def _loaded(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is carried out: not what stands below ``if TYPE_CHECKING``."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _loaded(child)


def largest_cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of the largest import cycle, those that reach each other; empty for none."""
    reached = {name: _reached(graph, name) for name in graph}
    cycles = [sorted(other for other in reached[name] if name in reached[other]) for name in graph]
    return max(cycles, key=len, default=[])


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    work = [start]
    while work:
        for one in graph[work.pop()] - found:
            found.add(one)
            work.append(one)
    return found


def spread(numbers: Sequence[int]) -> str:
    """Say the median, the 90th percentile and the most."""
    tenth = sorted(numbers)[min(len(numbers) - 1, len(numbers) * 9 // 10)]
    return f"{statistics.median(numbers):g}, {tenth}, {max(numbers)}"


def table() -> str:
    """Return all figures as a table."""
    paths = files(*CODE)
    trees = parsed(paths)
    methods, attributes = classes(trees)
    cycle = largest_cycle(imported())
    rooms = ("harness/engine", "harness/boundary")
    tests, code = sum(lines(files("tests"))), sum(lines(paths))
    rows = [
        ("modules, lines of code", f"{len(paths)}, {code:,}"),
        ("lines a module: median, 90th percentile, most", spread(lines(paths))),
        ("lines a function: the same", spread(functions(trees))),
        ("methods a class", spread(methods)),
        ("attributes a class", spread(attributes)),
        ("largest import cycle, imports in functions included", f"{len(cycle)}{': ' * bool(cycle)}{', '.join(cycle)}"),
        ("comments a hundred lines: engine, boundary", ", ".join(f"{comments(files(one)):.1f}" for one in rooms)),
        ("lines of tests a line of code", f"{tests / code:.2f}"),
    ]
    return "\n".join(["| figure | now |", "| --- | --- |", *(f"| {what} | {number} |" for what, number in rows), ""])


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        page = ROOT / "CONTRIBUTING.md"
        page.write_text(TABLE.sub(lambda _: table(), page.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table(), end="")
