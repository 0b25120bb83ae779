"""What the runtime says of itself is so: every public name is listed, and every example runs."""

from __future__ import annotations

import importlib
import pydoc
import re
import textwrap
from importlib import import_module
from pathlib import Path

import pytest
import rollproof.runtime


def test_help_lists_every_public_name_first() -> None:
    """Within two screens, each with its module and a sentence; nothing is left out, nothing is there twice."""
    screens = pydoc.plain(pydoc.render_doc(rollproof.runtime)).splitlines()[:110]
    listed = re.findall(r"^ {8}(\w+) +(\w+) +\w", "\n".join(screens), re.MULTILINE)
    assert sorted(name for name, _ in listed) == sorted(rollproof.runtime.__all__)
    for name, module in listed:
        own = f"rollproof.runtime.{module}"
        assert vars(import_module(own))[name] is getattr(rollproof.runtime, name)
        assert getattr(getattr(rollproof.runtime, name), "__module__", own) == own  # a constant has none


PARTS = sorted(path.stem for path in Path(rollproof.runtime.__path__[0]).glob("[a-z]*.py"))


def examples(module: str) -> list[str]:
    """Give the indented blocks of a module's docstring that begin with an import of the runtime."""
    text = importlib.import_module(f"rollproof.runtime.{module}").__doc__ or ""
    blocks = re.findall(r"^(?: {4}.*\n|\n(?= {4}))+", text, re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks if "from rollproof.runtime import" in block]


@pytest.mark.parametrize("module", [part for part in PARTS if examples(part)])
def test_the_example_of_a_part_runs(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, in an empty folder, and in fifteen lines."""
    monkeypatch.chdir(tmp_path)
    (example,) = examples(module)
    assert len([line for line in example.splitlines() if line]) <= 15
    exec(compile(example, f"the docstring of {module}", "exec"), {})


INNER = {"by_hand", "calls", "canonical", "carried_run", "carrier", "claims", "current", "definition"} | {
    "execution",
    "files",
    "message_table",
    "rollback",
    "step_calls",
    "takeover",
}
"""What other parts are made of, and nobody uses by itself."""


def test_every_part_has_an_example() -> None:
    """Whoever copies a part begins with its first lines."""
    assert {part for part in PARTS if not examples(part)} == INNER


@pytest.mark.parametrize("module", PARTS)
def test_a_part_says_what_holds_with_several_processes(module: str) -> None:
    """Before its example, so that nobody has to look for it."""
    text = importlib.import_module(f"rollproof.runtime.{module}").__doc__ or ""
    first_lines = text.partition("\n    ")[0]
    assert re.search("process|worker", first_lines), first_lines
