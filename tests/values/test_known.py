"""``chaos-known.toml``: what is read, what is refused, and what stays when it is changed."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollproof.values.errors import ChaosError
from rollproof.values.known import Known, read, with_one_more, without

FILE = """# Reviewed each month.

# The provider promises keys for spring.
[[known]]
id = "3f2a"
reason = "see ticket 12"
until = 2027-01-31

[[known]]  # ours
id = "77b0"
reason = "a page twice is no harm"  # says Zoë
title = "Page"

# at the end
"""


def test_each_entry_is_read() -> None:
    """An entry holds on its last day; one without a day always."""
    first, second = read(FILE).values()
    assert first == Known("3f2a", "see ticket 12", date(2027, 1, 31))
    assert second == Known("77b0", "a page twice is no harm", None, "Page")
    assert first.holds(date(2027, 1, 31))
    assert not first.holds(date(2027, 2, 1))
    assert second.holds(date.max)
    assert read("") == read("# nothing yet\n") == {}


ENTRY = '[[known]]\nid = "1"\nreason = "r"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[known]]\nid = \n", "chaos-known.toml is no TOML: Invalid value (at line 2"),
        ('[[known]]\nreason = "r"\n', "entry 1 of chaos-known.toml has no id"),
        ('[[known]]\nid = "1"\nreason = "  "\n', "has no reason"),
        ('[[known]]\nid = 5\nreason = "r"\n', "has 5 as id: it is a text"),
        (ENTRY + 'until = "2027-01-31"\n', "without quotes: until = 2027-01-31"),
        (ENTRY + "until = 2027-01-31T10:00:00\n", "as until: it is a day"),
        (ENTRY + "untill = 2027-01-31\n", "nearest: until"),
        (ENTRY + ENTRY, "entry 2 of chaos-known.toml has the id '1', as one above it has"),
        ("[known]\n", "known in chaos-known.toml is no list of entries"),
        ("known = [1]\n", "known in chaos-known.toml is no list of entries"),
        ("[[knwon]]\n", "has 'knwon' at its top"),
    ],
)
def test_a_wrong_file_says_what_to_type(text: str, told: str) -> None:
    """Where it is wrong, and how it is right."""
    with pytest.raises(ChaosError, match="bad-known") as problem:
        read(text)
    assert told in str(problem.value)


def test_an_entry_is_added_behind_all_that_is_there() -> None:
    """As a person would write it."""
    added = with_one_more(FILE, Known("9", 'a "b"\\', date(2027, 3, 1), "", "test_it.py::test_it"))
    assert added == FILE + (
        '\n[[known]]\nid = "9"\ntest = "test_it.py::test_it"\nreason = "a \\"b\\"\\\\"\nuntil = 2027-03-01\n'
    )
    assert with_one_more("", Known("9", "r")) == '[[known]]\nid = "9"\nreason = "r"\n'


def test_an_entry_is_removed_with_the_comments_right_above_it() -> None:
    """All else stays as it is, in its order."""
    above = "# The provider promises keys for spring.\n"
    first = '[[known]]\nid = "3f2a"\nreason = "see ticket 12"\nuntil = 2027-01-31\n\n'
    assert without(FILE, ["3f2a"]) == FILE.replace(above + first, "")
    assert without(FILE, ["77b0"]) == "# Reviewed each month.\n\n" + above + first.rstrip() + "\n"
    assert without(FILE, []) == FILE
    assert without("# about the file\n" + ENTRY, ["1"]) == "# about the file\n"


@pytest.mark.parametrize(
    "text", ['known = [{id = "1", reason = "r"}]\n', '[[known]]\nid = "1"\nreason = """\n[[known]]\n"""\n']
)
def test_a_file_of_another_form_is_left_to_people(text: str) -> None:
    """It is read, and not written."""
    assert [*read(text)] == ["1"]
    with pytest.raises(ChaosError, match="change it by hand"):
        without(text, ["1"])


lines = st.sampled_from(
    [*FILE.splitlines(), "[[known]", "known = []", 'reason = """', '"""', "id = 1", "until = 1", ""]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(lines).map("\n".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    """With our error and no other; what was read can be added to, and taken back, or is left as it is."""
    with suppress(ChaosError):
        before = read(text)
        after = with_one_more(text, Known("new", "a reason"))
        assert read(after) == {**before, "new": Known("new", "a reason")}
        assert read(without(after, ["new"])) == before


words = st.text(min_size=1).filter(str.strip)


@settings(deadline=None)
@given(st.dictionaries(words, st.tuples(words, st.none() | st.dates(), st.text(), st.text()), max_size=4))
def test_what_is_written_reads_back(entries: dict[str, tuple[str, date | None, str, str]]) -> None:
    """Whatever characters stand in it; without one, the others are as they were."""
    known = {id: Known(id, *rest) for id, rest in entries.items()}
    text = ""
    for one in known.values():
        text = with_one_more(text, one)
    assert read(text) == known
    for id in known:
        assert read(without(text, [id])) == {other: one for other, one in known.items() if other != id}
