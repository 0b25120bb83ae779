"""The kind of each wrong agent's bug, as the table in ``docs/kinds.md`` has it.

CI explores a few of those for which a cure was found; with ROLLPROOF_WHOLE all are explored, and the table is written
anew.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rollproof.values.exploration import Exploration

from .brute_forcing import WHOLE, tried
from .exploring import explored
from .kinds_of_mutants import KINDS
from .test_mutants import WRONG, agent, settings

TABLE = Path(__file__).parent.parent / "docs" / "kinds.md"
EACH = 10
_ROW = "| {name} | {meant} | {found} | {cure} |"
_FIGURE = re.compile(r"\*\*\d+ of \d+\*\*")
Rows = dict[str, str]


def written() -> Rows:
    """Return the rows of the table, by the name of the agent."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return {name: line for line in lines if (name := line.partition("|")[2].partition("|")[0].strip()) in KINDS}


def cells(row: str) -> list[str]:
    """Return what stands in the columns of a row: the agent, the kinds that are right, those found, the cure."""
    return [cell.strip() for cell in row.strip("|").split("|")]


def row(name: str, result: Exploration) -> str:
    """Return the row of an agent: the kinds of all its findings, and what cured the first that was cured."""
    found = dict.fromkeys(finding.kind or "–" for finding in result.violations)
    cure = next((finding.cure.tried for finding in result.violations if finding.cure.helps), "")
    return _ROW.format(name=name, meant=" or ".join(KINDS[name]), found=", ".join(found), cure=cure)


def right(table: Rows) -> list[str]:
    """Return the agents of which each finding has one of the kinds that a reader would call right."""
    return [name for name, line in table.items() if set(cells(line)[2].split(", ")) <= set(KINDS[name])]


def figure(table: Rows) -> str:
    """Return for how many agents the kind is right, as the docs say it."""
    return f"**{len(right(table))} of {len(table)}**"


def in_ci() -> list[str]:
    """Return the agents that are explored: all, or a few of those that have a cure."""
    cured = [name for name, line in written().items() if cells(line)[3]]
    return list(KINDS) if WHOLE else cured[EACH - 1 :: EACH]


@pytest.fixture(scope="module")
def rows() -> Iterator[Rows]:
    """Collect rows; where all agents were explored, write them into the table."""
    found = dict[str, str]()
    yield found
    if WHOLE and found.keys() == KINDS.keys():
        text = TABLE.read_text(encoding="utf-8")
        for line in written().values():
            text = text.replace(f"{line}\n", "")
        text = _FIGURE.sub(figure(found), text)
        TABLE.write_text(text + "".join(f"{found[name]}\n" for name in sorted(found)), encoding="utf-8")


@pytest.mark.parametrize("name", in_ci())
def test_the_table_says_what_is_found(name: str, tmp_path: Path, rows: Rows) -> None:
    """The kinds of an agent's findings, and the change that helps, are those of the table."""
    wrong = f"wrong_{name}"
    narrow = settings(wrong)
    result = explored(agent(wrong), tmp_path / "it", **{"faults": tried(wrong), **narrow})
    rows[name] = row(name, result)
    assert WHOLE or rows[name] == written()[name]


def test_the_kind_is_right_for_nine_of_ten(rows: Rows) -> None:
    """An agent counts where all of its findings have a right kind; the docs say for how many that is so."""
    anew = rows.keys() == KINDS.keys()  # that table is written at the end
    table = rows if anew else written()
    assert len(right(table)) >= 0.9 * len(KINDS), sorted(table.keys() - set(right(table)))
    assert anew or _FIGURE.findall(TABLE.read_text(encoding="utf-8")) == [figure(table)]


def test_every_wrong_agent_has_a_kind() -> None:
    """All are in the list, but for those whose promises are the runtime's own."""
    names = {name.removeprefix("wrong_") for name in WRONG}
    assert names == {*KINDS, *(name for name in names if name.startswith("runtime_"))}
