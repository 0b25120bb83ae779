"""The lines of the agent behind a story: which, in which order, with which code and which names."""

from pathlib import Path

import pytest
from rollproof.engine.blamed_lines import Seen, blamed_lines, five_lines
from rollproof.values.causes import Cause
from rollproof.values.story import Blamed, Fate, SourceLine, Step

CODE = (SourceLine(1, "code", marked=True),)


def made(point: str, line: int, fate: Fate, *within: str, file: str = "agent.py") -> Step:
    """Return a step of a story that made an effect."""
    return Step("run", "before the fault", point, "done", 0.0, file, line, "act", within, fate)


def lines(story: list[Step], cause: Cause | None = None, *seen: Seen) -> tuple[Blamed, ...]:
    """Return the blamed lines; all code is alike."""
    return blamed_lines(story, cause, seen, lambda file, line: CODE)


def at(line: int, *callers: str) -> Cause:
    """Return a cause with a place."""
    return Cause("all_or_nothing", "twice", "", "agent.py", line, "act", callers=callers)


def test_the_line_of_the_cause_comes_first_and_what_is_kept_last() -> None:
    """All others stand in the order of the story, and what changed nothing is no effect."""
    story = [made("a", 1, "kept"), made("b", 2, ""), made("c", 3, "repeated"), made("d", 4, "kept")]
    story += [made("e", 5, "torn"), made("f", 4, "undone"), made("g", 6, "kept"), made("h", 0, "kept")]
    found = lines(story, at(6))
    assert [one.line for one in found] == [6, 3, 4, 5, 1]
    assert [one.effects for one in found] == [
        ((6, "kept"),),
        ((2, "repeated"),),
        ((3, "kept"), (5, "undone")),
        ((4, "torn"),),
        ((0, "kept"),),
    ]
    assert all(one.source == CODE for one in found)


def test_without_a_story_the_line_of_the_cause_is_there() -> None:
    """It has its code and its names, and no effect that anybody knows of; a cause without a place has none."""
    seen = Seen("file.write:a#1", "agent.py", 6, "act", within=("trip", "book"))
    assert lines([], at(6), seen) == (Blamed("agent.py", 6, "act", (), CODE, (), ("trip", "book")),)
    assert lines([], at(0)) == lines([], None) == ()


def test_call_sites_are_told_apart_by_their_callers() -> None:
    """Where they are needed; a line of a helper is two places where two lines call it."""
    first, second = "agent.py:20 in hotel", "agent.py:10"
    seen = [Seen("a", "agent.py", 3, "act", (second,), ("flight",)), Seen("b", "agent.py", 3, "act", ("agent.py:20",))]
    found = lines([made("a", 3, "kept", "flight"), made("b", 3, "repeated")], at(3, first), *seen)
    assert [(one.callers, one.effects, one.within) for one in found] == [
        (("agent.py:20",), ((1, "repeated"),), ()),
        (("agent.py:10",), ((0, "kept"),), ("flight",)),
    ]


def test_a_line_has_the_names_that_all_of_its_effects_are_inside_of() -> None:
    """The outermost ones, as far as they are the same."""
    story = [made("a", 3, "kept", "trip", "hotel"), made("b", 3, "kept", "trip", "flight"), made("c", 4, "kept")]
    assert [one.within for one in lines(story)] == [("trip",), ()]


def test_no_more_than_six_lines_are_shown() -> None:
    """A reader looks at the first ones."""
    assert [one.line for one in lines([made(f"p{n}", n, "kept") for n in range(1, 9)])] == [1, 2, 3, 4, 5, 6]


SOURCE = "import os\n\ndef act():\n    send(\n        one,\n        two,\n        three,\n    )\n    end()".splitlines()


@pytest.mark.parametrize(
    ("line", "shown", "marked"),
    [(4, range(2, 7), 4), (6, range(2, 7), 4), (7, range(5, 10), 7), (9, range(5, 10), 9), (1, range(1, 6), 1)],
)
def test_the_first_line_of_a_statement_is_marked(tmp_path: Path, line: int, shown: range, marked: int) -> None:
    """Five lines are around it; of a long statement it is the line itself, which would not be seen else."""
    file = tmp_path / "agent.py"
    file.write_text("\n".join(SOURCE))
    code = five_lines(str(file), line)
    assert [(one.number, one.text) for one in code] == [(number, SOURCE[number - 1]) for number in shown]
    assert [one.number for one in code if one.marked] == [marked]


def test_a_file_that_cannot_be_read_has_no_source(tmp_path: Path) -> None:
    """Nor has a line that is not there; a short file is shown whole."""
    (tmp_path / "short.py").write_text("a = 1\nb = 2\n")
    assert five_lines(str(tmp_path / "none.py"), 3) == five_lines(str(tmp_path / "short.py"), 9) == ()
    assert five_lines(str(tmp_path / "short.py"), 2) == (SourceLine(1, "a = 1"), SourceLine(2, "b = 2", marked=True))
