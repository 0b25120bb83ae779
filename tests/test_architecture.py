"""What ARCHITECTURE.md promises of the code: directions of imports, sizes, free to load."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rollproof

ROOT = Path(__file__).parent.parent
ROOMS = {
    "values": set(),
    "boundary": {"values"},
    "world": {"values"},
    "twins": {"values"},
    "network": {"values", "boundary", "guard"},
    "guard": {"values", "world"},
    "engine": {"values", "boundary", "world", "twins", "network", "guard"},
    "faults": {"values"},
    "invariants": {"values"},
    "reports": {"values"},
    "commands": {"values", "reports"},
    "runtime": set(),
    "testing": {"values"},
    "declarations": {"values", "twins", "boundary", "network"},
    "chaos": {"values", "declarations", "engine", "world", "twins", "boundary", "network", "reports", "guard"},
    "plugin": {"values", "chaos", "reports", "network", "guard", "boundary"},
}
FOLDERS = {room: ROOT / "harness" / room for room in ROOMS} | {
    room: ROOT / room for room in ("faults", "invariants", "reports")
}
MAX_MODULE, MAX_FUNCTION = 400, 50
# A function or module that may be longer, with its reason.
EXCEPTIONS: dict[str, str] = {}


def modules(room: str) -> list[Path]:
    """Return the files of one room."""
    folder = FOLDERS[room]
    return sorted(folder.glob("**/*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def imported_rooms(path: Path, room: str) -> set[str]:
    """Return the rooms of ours that a module imports from, type-checking imports included."""
    depth = len(path.relative_to(FOLDERS[room]).parts) if FOLDERS[room].is_dir() else 0
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        elif isinstance(node, ast.ImportFrom) and node.level > depth:
            parents = [node.module] if node.module else [alias.name for alias in node.names]
            names = [f"rollproof.{name}" for name in parents]
        found |= {name.split(".")[1] for name in names if name.startswith("rollproof.")}
    return {name for name in found - {room} if name in ROOMS}


# What is no threshold in real time: virtual seconds, and what decides nothing of an exploration.
NO_THRESHOLDS = {
    "clock": {"_STEP_S", "_YIELD_S"},
    "aiohttp_seam": {"_SOON_S"},
    "http": {"IDLE_S", "ANSWER_S"},
    "transport": {"FOR_EVER_S"},
    "preemption": {"_PATIENCE_S"},
    "process_runs": {"RESTART_S"},
    "sqlite": {"_TIMEOUT_S"},
    "observe": {"_SECOND_RUN_LATER_S", "_THIRD_RUN_LATER_S"},
    "tracer": {"_SIGN_OF_LIFE_S"},
    "guardian": {"_PATIENCE_S", "_LOOK_EVERY_S"},
    "launching": {"_START_S", "_END_S"},
    "behaviours": {"_FOREVER_S"},
    "sides": {"_TRICKLED_S"},
    "orphans": {"_LOOK_EVERY_S"},
    "api": {"_TIMEOUT_S"},
    "twin_server": {"_STEP_S", "_PATIENCE_S"},
    "idleness": {"_TICKS_PER_S", "SLICE_S"},
    "kept_times": {"_AHEAD_S"},
}


@pytest.mark.parametrize("room", ["boundary", "engine", "network"])
def test_thresholds_in_real_time_stand_in_one_place(room: str) -> None:
    """Each is a name of `values.real_time`, so that one factor scales them all."""
    for path in modules(room):
        named = {
            name.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Assign)
            for name in ast.walk(node)
            if isinstance(name, ast.Name)
            and isinstance(name.ctx, ast.Store)
            and name.id.isupper()
            and name.id.endswith("_S")
            and name.id != "_S"
        }
        assert named <= NO_THRESHOLDS.get(path.stem, set()), path


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room: str) -> None:
    """Each room imports only what stands to its right in the architecture."""
    for path in modules(room):
        assert imported_rooms(path, room) <= ROOMS[room], path


def test_values_need_the_standard_library_only() -> None:
    """Values can be used anywhere, at no cost."""
    for path in modules("values"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert (node.module or "").split(".")[0] in sys.stdlib_module_names, path
            if isinstance(node, ast.Import):
                assert all(a.name.split(".")[0] in sys.stdlib_module_names for a in node.names), path


@pytest.mark.parametrize("path", [p for room in ROOMS for p in modules(room)], ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    """A module is read in one sitting, a function at one glance."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_MODULE or path.name in EXCEPTIONS
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= MAX_FUNCTION or node.name in EXCEPTIONS, node.name


MAX_METHODS, MAX_ATTRIBUTES, MAX_PARAMETERS = 15, 10, 6
# What may be larger, with its reason.
LARGE = {
    "Declarations": "the fixture: a method for each thing that a test can declare",
    "Gate": "the one place that every effect passes: the wrappers call it by these names",
    "Tracer": "one method for each message of a process, its relays and the twins' servers",
    "RelayPoints": "one method for each moment of a connection",
    "ProcessRun": "the record of a process, filled while that runs",
}


def attributes(node: ast.ClassDef) -> set[str]:
    """Return what an object keeps and changes; a frozen dataclass or a protocol is a record, of any size."""
    declared = " ".join(map(ast.unparse, [*node.decorator_list, *node.bases]))
    found = set()
    if "dataclass" in declared and "frozen=True" not in declared:
        found = {ast.unparse(statement.target) for statement in node.body if isinstance(statement, ast.AnnAssign)}
    stores = [n for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
    return found | {store.attr for store in stores if ast.unparse(store.value) == "self"}


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many parameters a function has, the object itself not counted.

    Nor are the keyword-only ones of a public declaration: each is an option with a default, which users name.
    """
    named = [*function.args.posonlyargs, *function.args.args]
    named += function.args.kwonlyargs if function.name not in rollproof.__all__ else []
    return sum(argument.arg not in ("self", "cls") for argument in named)


def too_large(kind: str) -> dict[str, int]:
    """Return what is larger than it should be of all that is in `harness`, and how large it is."""
    found = {}
    for path in sorted((ROOT / "harness").rglob("*.py")):
        tree, where = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT).as_posix()
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        within = {id(one): f"{node.name}." for node in classes for one in functions(node)}
        for node in classes if kind != "parameters" else ():
            methods = sum(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) for one in node.body)
            count, most = (methods, MAX_METHODS) if kind == "methods" else (len(attributes(node)), MAX_ATTRIBUTES)
            if count > most and node.name not in LARGE:
                found[f"{where} {node.name}"] = count
        for function in functions(tree) if kind == "parameters" else ():
            if parameters(function) > MAX_PARAMETERS:
                found[f"{where} {within.get(id(function), '')}{function.name}"] = parameters(function)
    return found


@pytest.mark.parametrize("kind", ["methods", "attributes", "parameters"])
def test_classes_and_signatures_stay_small(kind: str) -> None:
    """A class has so few methods and attributes, and a function so few parameters, that a reader keeps them in mind."""
    assert too_large(kind) == {}
    assert len(LARGE) <= 5


# Whose fields a module may set, though it neither defines nor makes the object, with its reason.
FILLED = {
    "tracer": ("ProcessRun", "what is known of a process is filled by those who serve it"),
    "looking": ("ProcessRun", "what is known of a process is filled by those who serve it"),
    "answering": ("ProcessRun", "what is known of a process is filled by those who serve it"),
}


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return all functions below a node."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def fields(tree: ast.AST, *names: str) -> set[str]:
    """Return the fields of the dataclasses in a module that are not frozen; of those of these names where some are."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (not names or node.name in names):
            declared = [d for d in map(ast.unparse, node.decorator_list) if d.startswith("dataclass")]
            if declared and "frozen=True" not in declared[0]:
                found |= {ast.unparse(s.target) for s in node.body if isinstance(s, ast.AnnAssign)}
    return found


def assigned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.Attribute]:
    """Return the attributes that a function assigns to, but for its own object's and those of what it has just made."""
    made = {
        ast.unparse(target)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(node.value.func, ast.Name) and node.value.func.id[:1].isupper()
    }
    attributes = [n for n in ast.walk(function) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
    return [attribute for attribute in attributes if ast.unparse(attribute.value) not in {"self", *made}]


@pytest.mark.parametrize("path", modules("engine"), ids=lambda path: path.stem)
def test_nobody_assigns_to_anothers_attribute(path: Path) -> None:
    """What the engine learns is returned, or its owner is asked to keep it: nobody's attributes are a blackboard."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    owned = fields(tree)
    if path.stem in FILLED:
        lives = ast.parse((FOLDERS["engine"] / "process_runs.py").read_text(encoding="utf-8"))
        owned |= fields(lives, FILLED[path.stem][0])
    foreign = [a for function in functions(tree) for a in assigned(function) if a.attr not in owned]
    assert [f"line {a.lineno}: {ast.unparse(a)}" for a in foreign] == []
    assert not [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "setattr"]


def test_assigning_to_anothers_attribute_is_seen() -> None:
    """The check sees what it is for, and lets pass what an object does to itself or to what it has just made."""
    body = ("self.a = 1", "mine = Made()", "mine.b = 2", "other.c, other.d = 3, 4", "other.e.f += 5")
    (function,) = functions(ast.parse(f"def f(self, other): {'; '.join(body)}"))
    assert sorted(ast.unparse(attribute) for attribute in assigned(function)) == ["other.c", "other.d", "other.e.f"]
    assert len(FILLED) <= 5


def way_of_a_schedule() -> list[tuple[str, str]]:
    """Return the files and functions of the drawing in ARCHITECTURE, in its order."""
    drawn = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## The way of a schedule")[2]
    lines = drawn.partition("\n## ")[0].splitlines()
    return [(file, name) for file, name in re.findall(r"^ {4}(\S+\.py) +(\S+) ", "\n".join(lines), re.MULTILINE)]


def called(function: ast.AST) -> set[str]:
    """Return the bare names of what a function calls."""
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {ast.unparse(callee).rpartition(".")[2] for callee in calls}


def test_the_way_of_a_schedule_is_drawn_as_it_is() -> None:
    """Every function of the drawing is there, and is called in one that stands above it."""
    way, above = way_of_a_schedule(), set[str]()
    table = (ROOT / "harness" / "plugin" / "table.py").read_text(encoding="utf-8")
    assert len(way) > 20
    for number, (file, name) in enumerate(way):
        of, _, bare = name.rpartition(".")
        tree: ast.AST = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        if of:
            tree = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == of)
        (function,) = [one for one in functions(tree) if one.name == bare]
        asked_for_by_the_test = number == 0 or name == "Chaos.explore"
        in_the_table = file == "harness/plugin/readers.py" and f"readers.{bare}" in table
        assert asked_for_by_the_test or in_the_table or bare in above, f"{file} {name} is called in none above it"
        above |= called(function)


# Where a kind of point may be written out: its medium, and what brings the effects of that medium to the gate.
ADAPTERS = {
    "clock": {"clock"},
    "file": {"files"},
    "sqlite": {"sqlite"},
    "mail": {"mail"},
    "process": {"programs"},
    "http": {"rest", "oauth"},
    "llm": {"llm"},
    "mcp": {"mcp"},
    "stdio": {"mcp"},
    "webhook": {"webhooks"},
}


def kinds_written(path: Path, kinds: set[str]) -> set[str]:
    """Return the kinds of points that a module compares with, or passes to the gate or to a point, as text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare) and _is_kind_of_a_point(node.left):
            parts = [one for place in node.comparators for one in ast.walk(place)]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in _NAMING:
            parts = list(node.args[:1])
        elif isinstance(node, ast.Assign) and any(getattr(one, "id", "") == "kind" for one in node.targets):
            parts = [node.value]
        else:
            continue
        found |= {one.value for one in parts if isinstance(one, ast.Constant) and one.value in kinds}
    return found


_NAMING = {
    "Point",
    "arrive",
    "crossing",
    "blocking_effect",
    "holding_token",
    "before_await",
    "token",
    "medium_of",
    "_arrive",
    "_passed",
}


def _is_kind_of_a_point(node: ast.expr) -> bool:
    owner = getattr(node, "value", None)
    name = getattr(owner, "id", getattr(owner, "attr", ""))
    return (
        isinstance(node, ast.Attribute) and node.attr == "kind" and name in ("p", "point", "origin", "medium", "twin")
    )


@pytest.mark.parametrize("room", ["values", "boundary", "engine", "network", "twins", "chaos", "plugin", "reports"])
def test_a_kind_of_point_is_written_in_its_own_medium_only(room: str) -> None:
    """All others ask the medium: a new one is a file of `values.media`, and changes none of them."""
    from rollproof.values.media import media

    kinds = set(media())
    for path in modules(room):
        allowed = {
            kind
            for kind in kinds
            if path.stem in ADAPTERS.get(kind, set()) or path.parent == FOLDERS["values"] / "media"
        }
        assert kinds_written(path, kinds) <= allowed, path


# Private by name, and documented: of os, sys, named tuples and ctypes.
DOCUMENTED = {"_exit", "_getframe", "_current_frames", "_replace", "_name"}
ASKING = {"getattr", "setattr", "hasattr", "delattr", "replace"}


def own_names(tree: ast.Module) -> set[str]:
    """Return the names that a module defines itself."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            found.add(node.attr)
    return found


def private_names(tree: ast.Module) -> set[str]:
    """Return the private names that a module asks of objects, or imports, and does not define itself."""
    asked: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            asked.add(node.attr)
        elif isinstance(node, ast.Import):
            asked |= {part for alias in node.names for part in alias.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            asked |= {part for alias in node.names for part in (*(node.module or "").split("."), alias.name)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ASKING:
            asked |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    private = {name for name in asked if name[:1] == "_" and name[1:2] not in ("", "_") and name.isidentifier()}
    return private - own_names(tree) - DOCUMENTED


@pytest.mark.parametrize("room", ROOMS)
def test_private_names_of_others_stand_in_the_adapters(room: str) -> None:
    """Everybody else uses what stands there: a name that a release takes away is missed in one place."""
    for path in modules(room):
        if path.parent.name != "adapters":
            assert private_names(ast.parse(path.read_text(encoding="utf-8"))) == set(), path


def test_private_names_are_seen() -> None:
    """However they are asked for."""
    code = "import _io\nfrom a._b import _c\na._d\ngetattr(a, '_e')\nself._f = self._f\nos._exit\nself._g"
    assert private_names(ast.parse(code)) == {"_io", "_b", "_c", "_d", "_e", "_g"}


def test_loading_the_plugin_is_free() -> None:
    """Importing the plugin imports no Hypothesis, no twin, no SDK, no HTTP client."""
    heavy = ("hypothesis", "rollproof.twins", "rollproof.engine", "httpx", "respx", "openai", "faker", "sqlite3")
    code = f"import rollproof.plugin, sys; print([m for m in {heavy!r} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_the_public_names_exist() -> None:
    """Every name that ``from rollproof import …`` promises can be had."""
    assert all(getattr(rollproof, name) is not None for name in rollproof.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = rollproof.nonsense
