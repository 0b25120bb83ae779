"""Private names of other libraries: all are there, all are probed, and the statement says what is lost with each.

The canary of new releases: run this file alone on the newest versions and on pre-releases.
"""

import importlib
import json
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest
import urllib3
from rollproof.boundary import adapters
from rollproof.boundary.adapters import urllib3_connections
from rollproof.boundary.adapters.listing import listing
from rollproof.boundary.adapters.part import Adapter, Changed, Part, find
from rollproof.boundary.process import preparing
from rollproof.values.errors import ChaosError

from ..exploring import causes, explored, only
from ..test_architecture import ROOT

PARTS = {f"{name}-{number}": part for name, one in adapters.every().items() for number, part in enumerate(one.parts)}
NAMES = [(key, name) for key, part in PARTS.items() for name in part.names if not name.endswith("?")]
# Of C, where nothing can be taken away: the probe of a name that is not there is the same as for all others.
FIXED = ("_thread:RLock.", "asyncio:Task.", "_asyncio:")
OF_SESSION = ("execnet_workers", "pytest_session")


@pytest.fixture(autouse=True)
def probed_again() -> Iterator[None]:
    """Probe every part anew before a test, and after it."""
    for part in PARTS.values():
        part.forget()
    yield
    for part in PARTS.values():
        part.forget()


@pytest.mark.parametrize("key", PARTS)
def test_all_names_do_what_is_relied_on(key: str) -> None:
    """With the versions that are installed here: the canary."""
    if not PARTS[key].adapter.version():
        pytest.skip(f"{PARTS[key].adapter.library} is not installed")
    assert PARTS[key].failure == ""


@contextmanager
def without(name: str) -> Iterator[None]:
    """Take a private name away, as a release does that renames it."""
    module, _, rest = name.partition(":")
    path, _, local = rest.partition("(")
    path, _, attribute = path.partition("#")
    owner_path, _, last = path.rpartition(".")
    if inner := local.removesuffix(")") or attribute:
        with _renamed(find(f"{module}:{path}"), inner):
            yield
        return
    owner = find(f"{module}:{owner_path}") if owner_path else find(module)
    with pytest.MonkeyPatch.context() as patch:
        if not rest:
            patch.setitem(sys.modules, module, None)  # which makes importing it fail
        for holder in getattr(owner, "__mro__", [owner]) if rest else ():
            if last in vars(holder):
                patch.delattr(holder, last)
        yield


@contextmanager
def _renamed(owner: Any, name: str) -> Iterator[None]:
    """Rename an attribute, a variable or a parameter in the code of a function, or of all functions of a class."""
    classes = owner.__mro__ if isinstance(owner, type) else ()
    held = [value for kind in classes for value in vars(kind).values()] or [owner]
    functions = [getattr(getattr(f, "__func__", f), "__wrapped__", getattr(f, "__func__", f)) for f in held]
    before = [(f, f.__code__) for f in functions if isinstance(f, FunctionType)]
    for function, code in before:
        fields = ("co_names", "co_varnames", "co_cellvars")
        renamed = {field: tuple(f"{n}_" if n == name else n for n in getattr(code, field)) for field in fields}
        function.__code__ = code.replace(**renamed)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for function, code in before:
            function.__code__ = code


@pytest.mark.parametrize(("key", "name"), [one for one in NAMES if not one[1].startswith(FIXED)])
def test_a_name_that_is_missing_is_noticed(key: str, name: str) -> None:
    """The part that needs it is not used, and is told with what is lost."""
    part = PARTS[key]
    if not part.adapter.version():
        pytest.skip(f"{part.adapter.library} is not installed")
    with without(name):
        assert not part.works
    assert "missing" in part.failure
    assert bool(part.told) == bool(part.loses)
    part.forget()
    assert part.works


def test_a_part_without_a_loss_says_what_it_costs() -> None:
    """So that nobody has to ask why a missing name is not told."""
    assert all(bool(part.loses) != bool(part.costs) for part in PARTS.values())


def test_versions_that_no_probe_can_judge_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the names are there, but might do something else: the statement says which versions were tested."""
    part = next(part for part in PARTS.values() if part.strictly and part.loses)
    monkeypatch.setattr(Adapter, "version", lambda self: "3.1.0rc1")
    assert part.told == "cancellation inside mcp 3.1 is not tried: tested below 3"


def test_an_error_inside_a_probe_stops_nothing() -> None:
    """Whatever a changed library does there."""

    def probe() -> None:
        raise RuntimeError("all is new")

    part = Adapter("pytest", "1", "2").part("nothing of {library} is tried", probe=probe)
    assert part.told.endswith(" is tried: all is new (tested below 2)")


def _called_done_first(shared: Path) -> None:
    if not (shared / "done").exists():
        (shared / "done").touch()
        with ThreadPoolExecutor(1) as pool:
            pool.submit((shared / "report").write_text, "whole\n").result(timeout=60)


def _replaced_at_once(shared: Path) -> None:
    (shared / "report.tmp").write_text("whole\n")
    (shared / "report.tmp").replace(shared / "report")


def _agent(run: Any) -> Any:
    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)
        chaos.explore(run=lambda: run(shared))

    return SimpleNamespace(explore=explore)


GROUPS = {
    "threads and tasks": ("python_threads", "python_asyncio", "python_bytecode", "anyio_tasks", "aiosqlite"),
    "the system": ("python_exit", "python_files", "python_paths", "python_processes", "python_random", "python_sqlite"),
    "clients": (
        "python_http",
        "python_smtp",
        "mcp_sdk",
        "model_sdks",
        "respx_mocks",
        "urllib3_connections",
        "aiohttp_connections",
    ),
    "time, and names": ("time_machine_clock", "langgraph_nodes"),
}


def test_every_adapter_is_in_a_group() -> None:
    """All of them are tried with failing parts."""
    assert sorted(name for group in GROUPS.values() for name in group) == sorted({*adapters.every()} - {*OF_SESSION})


@pytest.mark.parametrize("group", GROUPS)
def test_the_statement_says_what_is_not_tried(group: str, tmp_path: Path) -> None:
    """With all parts of some libraries failing, an agent is explored to its end, and what is lost is said."""
    parts = [part for name in GROUPS[group] for part in adapters.every()[name].parts]
    for library in ("aiohttp", "aiosqlite", "anyio", "mcp", "openai", "urllib3"):
        if find_spec(library) is not None:
            importlib.import_module(library)  # what is not loaded is not lost
    for part in parts:
        part.fail("was renamed")
    result = explored(_agent(_replaced_at_once), tmp_path / "e", **only("process.kill"))
    lost = sorted(part.told for part in parts if part.told and part.adapter.version())
    assert list(result.not_explored) == lost
    assert all(text in result.statement for text in lost)
    assert "exhaustive" not in result.statement
    assert causes(result) == []


def test_a_library_that_one_test_replaced_is_whole_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out for one exploration is forgotten at its end."""
    with monkeypatch.context() as replaced:
        replaced.setattr(smtplib, "SMTP", object)
        put_back = preparing.prepare(real_network=False)
        found = adapters.failures()
        put_back()
    assert len(found) == 1
    assert adapters.failures() == []


def test_no_verdict_changes(tmp_path: Path) -> None:
    """Without any private name, a wrong agent is as wrong as with all."""
    agent = _agent(_called_done_first)
    usual = explored(agent, tmp_path / "with", **only("process.kill"))
    for part in PARTS.values():
        part.fail("was renamed")
    bare = explored(agent, tmp_path / "without", **only("process.kill"))
    assert causes(bare) == causes(usual) != []
    assert [cell.verdict for cell in bare.cells] == [cell.verdict for cell in usual.cells]


def test_a_part_that_is_first_used_in_the_middle_of_a_run_is_told(tmp_path: Path) -> None:
    """Its library was imported there: nobody could probe it before."""

    def probe() -> None:
        raise Changed("all is new")

    part = Adapter("pytest", "9", "10").part("what comes late is not tried", probe=probe)

    def run(shared: Path) -> None:
        if not part.works:
            _replaced_at_once(shared)

    result = explored(_agent(run), tmp_path / "e", **only("process.kill"))
    assert result.not_explored == ("what comes late is not tried: all is new",)
    assert "exhaustive" not in result.statement


def test_a_run_that_fails_for_want_of_a_name_says_so(tmp_path: Path) -> None:
    """No twin answers its client: the error is nobody's who reads the agent."""
    part = urllib3_connections.CONNECTING

    def explore(chaos: Any, folder: Path) -> None:
        chaos.watch(folder)
        chaos.api("https://orders.example")
        chaos.explore(run=lambda: urllib3.request("GET", "https://orders.example/orders/1", retries=False))

    part.fail("was renamed")
    with pytest.raises(ChaosError) as error:
        explored(SimpleNamespace(explore=explore), tmp_path / "e")
    assert part.told in str(error.value)


# What a release would do: the names are others in the library's own source, wherever it uses them.
RENAMED = {
    "threading": ("_shutdown", "_allocate_lock", "_active_limbo_lock", "_time"),
    "asyncio": ("_GatheringFuture", "_scheduled", "_process_exited", "_UnixSubprocessTransport"),
    "concurrent": ("_worker",),
    "random": ("_urandom",),
    "tempfile": ("_RandomNameSequence", "_name_sequence"),
    "uuid": ("_last_timestamp",),  # the others time-machine uses, too
    "shutil": ("_USE_CP_SENDFILE", "_USE_CP_COPY_FILE_RANGE"),
    "http": ("_tunnel_host",),
    "smtplib": ("_get_socket",),
    "aiohttp": ("_create_connection",),
    "urllib3": ("_new_conn", "_WrappedAndVerifiedSocket"),
    "_pytest": ("_current_line", "_inidict", "_global_capturing", "determine_setup"),
    "argparse": ("_option_string_actions",),
}
RENAMING = r"""
import json, re, sys
from importlib.abc import Loader
from importlib.machinery import PathFinder, SourceFileLoader

renamed = json.loads(sys.argv.pop(1))

class Renaming(SourceFileLoader):
    def get_data(self, path):
        data = super().get_data(path)
        for name in renamed[self.name.partition(".")[0]] if path.endswith(".py") else ():
            alone = rb"(?<![A-Za-z0-9_])(?<!_thread\.)" + name.encode() + rb"(?![A-Za-z0-9_])"
            data = re.sub(alone, name.encode() + b"2", data)
        return data

    def get_code(self, fullname):  # not what was compiled before, where that has other names
        data = self.get_data(self.path)
        same = data == super().get_data(self.path)
        return super().get_code(fullname) if same else self.source_to_code(data, self.path)

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name.partition(".")[0] in renamed else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Renaming(spec.loader.name, spec.loader.path)
            return spec

for name in [name for name in sys.modules if name.partition(".")[0] in renamed]:
    del sys.modules[name]
sys.meta_path.insert(0, Finder)
import os, pytest
code = pytest.main(sys.argv[1:])
sys.stdout.flush()
os._exit(code)
"""
AGENT = """
import aiohttp
import urllib3

def test_it(chaos, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    chaos.watch(shared)

    def run():
        (shared / "report.tmp").write_text("whole")
        (shared / "report.tmp").replace(shared / "report")

    chaos.explore(run=run)
"""


def test_pytest_runs_with_libraries_whose_names_are_others(tmp_path: Path) -> None:
    """In all of them at once: an agent is explored, and the header and the statement say what is left out."""
    (tmp_path / "test_it.py").write_text(AGENT)
    plugins = ["-p", "no:faker", "-p", "no:hypothesispytest", "-p", "no:cacheprovider"]
    command = [sys.executable, "-c", RENAMING, json.dumps(RENAMED), "--chaos", "--chaos-faults=process.kill"]
    shown = subprocess.run([*command, *plugins, "test_it.py"], cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    lost = [part.loses for one in adapters.every().values() for part in one.parts if _touched(part)]
    assert len(lost) > 15
    for text in lost:
        assert text.partition("{")[0] in shown.stdout
    assert "exhaustive" not in shown.stdout


def _touched(part: Part) -> bool:
    return bool(part.loses) and any(
        name.partition(":")[0].partition(".")[0] == library and any(one in name for one in renamed)
        for name in part.names
        for library, renamed in RENAMED.items()
        if not name.endswith("?")
    )


def test_the_list_in_the_docs_is_the_adapters_own() -> None:
    """It is written by ``python -m rollproof.boundary.adapters > docs/adapters.md``."""
    assert (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8") == listing()


def test_every_module_of_the_folder_is_known() -> None:
    """An adapter that nobody asks is never probed."""
    folder = Path(importlib.import_module("rollproof.boundary.adapters").__file__ or "").parent
    found = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__", "listing", "part"}
    assert found == set(adapters.every())
