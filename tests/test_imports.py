"""What the code imports: packages that are declared, and inside functions only where loading has to stay cheap."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from benchmarks.sizes import imported, largest_cycle

ROOT = Path(__file__).parent.parent
CODE = ("harness", "faults", "invariants", "scenarios", "reports")
# A package that has another name where it is installed from than where it is imported.
DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "_pytest": "pytest",
    "agents": "openai-agents",
    "allure_commons": "allure-python-commons",
    "allure_pytest": "allure-pytest",
    "github": "pygithub",
    "google.adk": "google-adk",
    "google.auth": "google-auth",
    "google.genai": "google-genai",
    "google.oauth2": "google-auth",
    "graphql": "graphql-core",
    "openapi_core": "openapi-core",
    "langgraph.checkpoint.sqlite": "langgraph-checkpoint-sqlite",
    "pydantic_ai": "pydantic-ai-slim",
    "time_machine": "time-machine",
    "toxiproxy": "toxiproxy-python",
    "workflows": "llama-index-workflows",
}
OURS = {
    "rollproof",
    "tests",
    "benchmarks",
    "noteagent",
    "keyvalue",
}  # the last two are written by tests that import them
# Modules whose functions may import, and why; a whole room by its name.
CHEAP_TO_LOAD = {
    "harness/plugin": "every pytest loads it, also one that explores nothing",
    "harness/declarations.py": "every test with the fixture loads it, also one that uses no twin",
    "harness/chaos.py": "every test with the fixture loads it, also one that explores nothing and uses no twin",
    "harness/engine/drawing.py": "Hypothesis is large, and few explorations draw sets of faults",
    "harness/engine/ordinary.py": "every test that explores nothing loads it, also one that uses no twin",
    "harness/boundary/media/seams.py": "a test that explores nothing loads the seams of its own twins alone",
    "harness/boundary/adapters/python_files.py": "the module in C is asked for where it is known to be there",
    "harness/boundary/process/child.py": "Python's debugger is for a replay with --pdb",
    "harness/boundary/process/ordinary.py": "asyncio is for agents that run in a loop",
    "harness/boundary/process/callers.py": "anyio comes with the MCP SDK, of the extra mcp",
    "harness/network/networks.py": "a relay needs neither a twin's server nor an authority, and they need an extra",
    "harness/network/certificates.py": "trustme is of the extra network",
    "harness/twins/applications.py": "httpx is for a service that is a web application",
    "harness/twins/ready/graphql.py": "graphql-core is of the extra graphql",
    "harness/twins/handled.py": "openapi-core is of the extra openapi, and takes a second to load",
    "harness/twins/fill.py": "Faker takes as long to load as all the rest",
    "harness/twins/ready/webhooks.py": "httpx is for a test that delivers; each ready-made twin is loaded to be found",
    "harness/values/errors.py": "every pytest loads it, and difflib is for those that typed something wrong",
}


@cache
def parsed(path: Path) -> ast.Module:
    """Return what stands in a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the absolute name of each module of others that a file imports, with the statement."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, node


def distribution(module: str) -> str:
    """Return the name under which the package of a module is installed."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((DISTRIBUTIONS[name] for name in names if name in DISTRIBUTIONS), parts[0])


def declared() -> dict[str, set[str]]:
    """Return the names of the packages that are declared: as dependencies ("") and for each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {group: {re.split(r"[^\w.-]", one)[0].lower() for one in listed} for group, listed in groups.items()}


def scripts() -> set[str]:
    """Return the modules that tests and benchmarks import by their name alone: their folder is on the path there."""
    return {one.stem for one in (ROOT / "tests" / "runtime").glob("*.py")}


@pytest.mark.parametrize("folder", [*CODE, "tests", "benchmarks"])
def test_every_package_that_is_imported_is_declared(folder: str) -> None:
    """Also one that comes with another today: it may leave, or change, with that other's next release."""
    listed = set().union(*declared().values())
    doors = ROOT / "tests" / "doors"  # its packages declare what they import themselves, and its project imports them
    for path in sorted((ROOT / folder).rglob("*.py")):
        for module, _ in imports(path) if path.parent == doors or doors not in path.parents else ():
            name = module.partition(".")[0]
            if name not in sys.stdlib_module_names | OURS | scripts():
                assert distribution(module).lower() in listed, f"{path.relative_to(ROOT)} imports {module}"


def test_a_user_gets_what_is_loaded_without_an_extra() -> None:
    """The core imports what is a dependency; an extra's packages stand in the modules that this extra is for."""
    groups = declared()
    extras = {
        "harness/twins/graphql_execution.py": "graphql",
        "harness/twins/mail_server.py": "mail",
        "harness/boundary/media/mcp_stdio.py": "mcp",
        "harness/boundary/process/callers.py": "mcp",
        "harness/network/twin_server.py": "network",
        "harness/twins/openapi_checks.py": "openapi",
        "harness/twins/openapi_document.py": "openapi",
        "harness/network/certificates.py": "network",
        "harness/boundary/media/respx_seam.py": "test",  # where httpx2 is installed, its pools are
    }
    for folder in ("harness", "faults", "invariants", "reports"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            shown = str(path.relative_to(ROOT))
            listed = groups[""] | groups.get(extras.get(shown, ""), set())
            for module, _ in imports(path):
                if module.partition(".")[0] not in sys.stdlib_module_names | OURS:
                    assert distribution(module).lower() in listed, f"{shown} imports {module}"


def test_there_is_no_import_cycle() -> None:
    """Not by way of imports in functions either: a reader can begin at the bottom."""
    assert not largest_cycle(imported())


def test_functions_import_only_where_loading_must_stay_cheap() -> None:
    """Elsewhere a reader finds all of a module's imports at its top."""
    inside: set[str] = set()
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            functions = (
                node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            )
            within = (node for function in functions for node in ast.walk(function))
            if any(isinstance(node, ast.Import | ast.ImportFrom) for node in within):
                inside.add(str(path.relative_to(ROOT)))
    reasons = {name: {one for one in inside if one == name or one.startswith(f"{name}/")} for name in CHEAP_TO_LOAD}
    assert not inside - set().union(*reasons.values())
    assert all(reasons.values()), "a reason for nothing"
