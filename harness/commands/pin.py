"""``rollproof pin TOKEN``: write a plain pytest test that carries out one schedule, beside the test that found it."""

import ast
import json
import keyword
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..reports.files import write_text, written
from ..values.earlier import FAILED
from ..values.errors import ChaosError
from ..values.schedule import Schedule
from .project import Case, project
from .words import Parser

_HEAD = '''"""Schedules that once broke the agent, a test each, written by `rollproof pin`.

They need no option: each carries out its schedule, truly, and nothing else.
"""

import pytest
'''
_LONGEST = 80
_PARAMETERS = "pytest.mark.parametrize"
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def main(arguments: Sequence[str]) -> int:
    """Write the test of a schedule; returns 0."""
    parser = Parser("rollproof pin", description="Write a pytest test that carries out one schedule, and nothing else.")
    parser.add_argument("token", help="the schedule, as --chaos-replay takes it")
    parser.add_argument("--test", metavar="ID", help="the test that explores: tests/test_it.py::test_it")
    parser.add_argument("--name", help="what the new test is called")
    given = parser.parse_args(arguments)
    schedule = Schedule.parse(given.token)
    root, test = Path(), given.test
    if test is None:
        here = project()
        root, test = here.root, _test_of(here.kept(FAILED) or {}, str(schedule))
    path, text, name = pinned(schedule, test, given.name, root)
    if text:
        written(str(path), "rollproof pin", partial(write_text, str(path), text))
        print(f"{path}::{name} carries out {schedule}")
    else:
        print(f"{path}::{name} does so already")
    return 0


@dataclass(frozen=True, slots=True)
class _Explored:
    """The test that explores: its file, its class or "", its function, and the fixtures that its module defines.

    `case` is the mark that gives it the parameters of one case, as text; "" for a test that has none.
    """

    path: Path
    within: str
    function: _Function
    fixtures: tuple[str, ...]
    case: str = ""

    @property
    def imported(self) -> str:
        """Return the name in its module by which the test is reached."""
        return self.within.partition("::")[0] or self.function.name

    @property
    def module(self) -> str:
        """Return the name by which a module beside it imports it."""
        package = (self.path.parent / "__init__.py").exists()
        return f".{self.path.stem}" if package else self.path.stem


def pinned(schedule: Schedule, test: str, name: str | None = None, root: Path = Path()) -> tuple[Path, str, str]:
    """Return the file of a schedule's test, all that it is to contain, and the test's name.

    The text is "" where a test of this schedule stands there already. The file in `test` is below `root`.

    Raises:
        ChaosError: ``bad-pin`` for a test that is not there, or that cannot be called from another module.
    """
    explored = _explored(root, test)
    path = explored.path.with_name(f"{explored.path.stem}_pinned.py")
    before = _read(path) if path.exists() else _HEAD
    functions = [node for node in _parsed(path, before).body if isinstance(node, _Function)]
    (wanted,) = ast.parse("\n".join(_test(explored, schedule, "wanted"))).body
    for function in functions:
        if _does(function) == _does(wanted):
            return path, "", function.name
    chosen = _free(name or _name_of(schedule), [function.name for function in functions])
    head, body = _split(before)
    head += [line for line in _imports(explored) if line not in head]
    return path, "\n".join([*head, *body, "", "", *_test(explored, schedule, chosen), ""]), chosen


def _test_of(failed: Mapping[str, Mapping[str, Sequence[str]]], token: str) -> str:
    """Return the only test in which this schedule failed, or the only one that failed, as pytest's cache has it."""
    # An exploration may tell of one schedule as soon as it is found, and keep another one that ends alike.
    found = [test for test, known in failed.items() if any(token in each for each in known.values())] or list(failed)
    if len(found) == 1:
        return found[0]
    shown = "\n".join(f"  {test}" for test in found)
    why = f"it may be that of one of these:\n{shown}" if found else "no test of the last session here has found it"
    raise ChaosError("bad-pin", f"whose schedule is {token}? {why}", "name the test: --test tests/test_it.py::test_it")


def _explored(root: Path, test: str) -> _Explored:
    base, _, case = test.partition("[")
    file, *names = base.split("::")
    path = Path(os.path.relpath(root / file)) if root.parts else Path(file)
    if not names or not path.is_file():
        raise ChaosError(
            "bad-pin", f"{test} is no test in a file here", "its id, as pytest prints it: --test FILE::TEST"
        )
    module = _parsed(path, _read(path))
    body: Sequence[ast.stmt] = module.body
    for outer in names[:-1]:
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == outer), ())
    function = next((n for n in body if isinstance(n, _Function) and n.name == names[-1]), None)
    if function is None:
        raise ChaosError("bad-pin", f"{path} has no test {'::'.join(names)}", "its id, as pytest prints it")
    if not case and any("parametrize" in ast.unparse(mark) for mark in function.decorator_list):
        text = f"{test} has parameters, and a schedule is that of one case"
        raise ChaosError("bad-pin", text, f"name the case, as pytest prints it: --test '{base}[…]'")
    mark = _mark_of("::".join([str(path), *names]), case.removesuffix("]")) if case else ""
    return _Explored(path, "::".join(names[:-1]), function, tuple(_fixtures(module.body)), mark)


def _mark_of(test: str, case: str) -> str:
    """Return the mark that gives a test the parameters of one case, and nothing else."""
    found, shown = Case(f"{test}[{case}]"), f"'{test}[{case}]'"
    if found.values is None:
        raise ChaosError("bad-pin", f"pytest collects no test {shown}", f"look: pytest --collect-only '{test}'")
    for name, value in found.values.items():
        if not _can_be_written(value):
            text = f"{shown} has a parameter that cannot be written into another file: {name}={value!r}"
            raise ChaosError("bad-pin", text, f"carry it out: pytest --chaos {shown} --chaos-replay=TOKEN")
    names, values = ", ".join(found.values), tuple(found.values.values())
    told = f"{names!r}, [{values if len(values) > 1 else values[0]!r}], ids=[{case!r}]"
    indirect = f", indirect={sorted(found.fixtures)}" if found.fixtures else ""
    return f"pytest.mark.parametrize({told}{indirect})"


def _can_be_written(value: object) -> bool:
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError, TypeError):
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ChaosError("bad-pin", f"{path} cannot be read: {problem}", "a module in UTF-8") from None


def _parsed(path: Path, text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as problem:
        raise ChaosError("bad-pin", f"{path}:{problem.lineno}: {problem.msg}", "mend that first") from None
    except ValueError as problem:  # a null byte
        raise ChaosError("bad-pin", f"{path}: {problem}", "mend that first") from None


def _fixtures(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names of the fixtures of a module: the new test needs those of its model's."""
    for node in body:
        if isinstance(node, _Function) and any("fixture" in ast.unparse(one) for one in node.decorator_list):
            yield node.name


def _does(test: ast.stmt) -> tuple[list[str], str]:
    """Return the work of a pinned test: the marks of its schedule and its case, and the call of the test."""
    assert isinstance(test, _Function)
    marks = [ast.unparse(mark) for mark in test.decorator_list]
    return [mark for mark in marks if "replay=" in mark or mark.startswith(_PARAMETERS)], ast.unparse(test.body[-1])


def _imports(explored: _Explored) -> Iterator[str]:
    for fixture in explored.fixtures:
        yield f"from {explored.module} import {fixture}  # noqa: F401"
    yield f"from {explored.module} import {explored.imported} as {_alias(explored.imported)}"


def _alias(name: str) -> str:
    """Return another name for a test: under its own, pytest would take it for a test of this module, too."""
    return f"explored_{name.removeprefix('test_')}" if name.startswith("test") else f"Explored{name}"


def _test(explored: _Explored, schedule: Schedule, name: str) -> Iterator[str]:
    function, alias = explored.function, _alias(explored.imported)
    arguments, by_name = _fixtures_of(function.args)
    if explored.within:
        inner = "".join(f".{part}" for part in explored.within.split("::")[1:])
        alias, arguments = f"{alias}{inner}().{function.name}", arguments[1:]
    begin, wait = ("async ", "await ") if isinstance(function, ast.AsyncFunctionDef) else ("", "")
    yield f'@pytest.mark.chaos(replay="{_escaped(str(schedule))}")'
    yield from (f"@{mark}" for mark in filter(None, (explored.case, *_marks(function))))
    yield f"{begin}def {name}({', '.join([*arguments, *by_name])}):"
    yield f'    """{_escaped("; then ".join(one.describe() for one in schedule.injections))}."""'
    yield f"    {wait}{alias}({', '.join([*arguments, *(f'{one}={one}' for one in by_name)])})"


def _fixtures_of(given: ast.arguments) -> tuple[list[str], list[str]]:
    """Return the arguments that pytest takes for fixtures, those without a default; the second ones by name only."""
    in_order = [argument.arg for argument in given.args[: len(given.args) - len(given.defaults)]]
    by_name = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return in_order, [argument.arg for argument, default in by_name if default is None]


def _escaped(text: str) -> str:
    """Return a text as it stands between double quotes in a module; the name of a file may have any characters."""
    # JSON's escapes are Python's, but for letters beyond 16 bits, which stay as they are.
    return json.dumps(text, ensure_ascii=False)[1:-1].encode(errors="backslashreplace").decode()


def _marks(function: _Function) -> Iterator[str]:
    """Yield the marks that mean the same in another module; not ours, which says how to explore."""
    for mark in map(ast.unparse, function.decorator_list):
        names = {node.id for node in ast.walk(ast.parse(mark)) if isinstance(node, ast.Name)}
        ours = ("pytest.mark.chaos", "pytest.mark.rollproof", _PARAMETERS)
        if names == {"pytest"} and not mark.startswith(ours):
            yield mark


def _name_of(schedule: Schedule) -> str:
    words = re.sub(r"\W+", "_", str(schedule), flags=re.ASCII).strip("_").lower()
    return f"test_{words[:_LONGEST].rstrip('_')}"


def _free(name: str, taken: Sequence[str]) -> str:
    if not name.isidentifier() or keyword.iskeyword(name) or not name.startswith("test"):
        raise ChaosError("bad-pin", f"pytest would not find a test called {name!r}", "e.g. --name test_one_mail_only")
    number = 1
    while (free := name if number == 1 else f"{name}_{number}") in taken:
        number += 1
    return free


def _split(text: str) -> tuple[list[str], list[str]]:
    """Return the lines of a module to the end of its imports, and those behind them."""
    imports = (node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom))
    last = max((node.end_lineno or 0 for node in imports), default=0)
    lines = text.rstrip().splitlines()
    return lines[:last], lines[last:]
