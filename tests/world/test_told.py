"""A difference is told as a person would tell it: what is missing, what is too much, what has become what."""

import json
import re
from ast import literal_eval
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollproof.values.world import Entry, World
from rollproof.world.comparing.compare import Masks, difference, learn

from .worlds import law, text_file

NO_MASKS = Masks()
NAMES = ("log.txt", "a.json", "a.jsonl")
RUN = "run {} of bob\nmail sent\n{}\nend\n"
RUNS = learn([World({"s/log.txt": text_file(RUN.format(key, key))}) for key in ("3f2a81", "77ab01", "12cd34")])


def told(right: str, found: str, name: str = "log.txt", masks: Masks = NO_MASKS) -> list[str]:
    """Return what is told of one file, without its name."""
    worlds = (World({f"s/{name}": text_file(content)}) for content in (right, found))
    changes = difference(*worlds, masks)
    assert {change.sign for change in changes} <= {"~"}
    assert {change.name for change in changes} <= {f"s/{name}"}
    return [change.detail for change in changes]


@pytest.mark.parametrize(
    ("right", "found", "details"),
    [
        ("Solar\na\nb\n", "a\nb\n", ["line 1: 'Solar' is missing"]),
        ("a\nb\nc\n", "a\nc\n", ["line 2: 'b' is missing"]),
        ("a\nb\nc\n", "a\nb\n", ["line 3: 'c' is missing"]),
        ("a\nb\nc\n", "a\nb\nx\nc\n", ["line 3: 'x' is too much"]),
        ("a\n", "a\nb\n", ["line 2: 'b' is too much"]),
        ("a\nb\nc\nd\ne\nf\n", "a\nf\n", ["lines 2 to 5 are missing: 'b', 'c', 'd', 'e'"]),
        ("a\nb\n", "a\nc\nb\n", ["line 2: 'c' is too much"]),
        ("a\nb\n", "a\nb\nb\n", ["line 3: 'b' is too much (it stands in line 2 too)"]),
        ("a\nb\nc\n", "a\na\nb\nc\n", ["line 2: 'a' is too much (it stands in line 1 too)"]),
        ("a\nb\n", "a\nb\na\nb\n", ["lines 3 to 4 are too much (they stand in lines 1 to 2 too): 'a', 'b'"]),
        ("a\n\nb\n", "a\n\n\nb\n", ["line 3: '' is too much"]),
        (
            "1\n2\n3\n4\n5\n",
            "2\n3\nfour\n5\n",
            ["line 1: '1' is missing", "line 3 (4 of the right text): 'four' instead of '4'"],
        ),
        ("a\nb\nc\n", "c\na\nb\n", ["line 1: 'c' is too much", "line 3 of the right text: 'c' is missing"]),
        (
            "head\ntotal: 5\n",
            "total: 6\n",
            ["line 1: 'head' is missing", "line 1 (2 of the right text): 'total: 6' instead of 'total: 5'"],
        ),
    ],
)
def test_lines(right, found, details):
    """What is missing has the number of the right text, everything else that of what was found."""
    assert told(right, found) == details


@pytest.mark.parametrize(
    ("right", "found", "details"),
    [
        ("a\nb", "a\nb\n", ["a newline at its end is too much"]),
        ("a\nb\n", "a\nb", ["the newline at its end is missing"]),
        ("a\nb\n", "a\nc", ["line 2: 'c' instead of 'b'", "the newline at its end is missing"]),
        ("a\nbcd\n", "a\nbc", ["first 4 of 6 bytes"]),
        ("a\nb", "a\nbcd", ["2 bytes more at its end: 'cd'"]),
        ("a\nb\n", "", ["empty instead of 4 bytes"]),
        ("", "a\nb\n", [r"4 bytes instead of none: 'a\nb\n'"]),
        ("a\nb\nc\n", "a\r\nb\r\nc\r\n", [r"lines 1 to 3 end in \r\n instead of \n"]),
        ("a\r\nb\r\nc\r\n", "a\r\nb\nc\r\n", [r"line 2 ends in \n instead of \r\n"]),
        ("a \nb\n", "a\nb\n", ["line 1: 'a' instead of 'a '"]),
        ("a\nb\n", "\0binary", ["other content: 7 instead of 4 bytes"]),
    ],
)
def test_ends(right, found, details):
    """Ends of files and of lines, and white space, which nobody sees unless it is said."""
    assert told(right, found) == details


def test_a_long_line_is_shown_where_it_differs():
    """Not by the many characters that are alike."""
    (detail,) = told(f"{'x' * 1000}abc{'y' * 90}\nz\n", f"{'x' * 1000}abd{'y' * 90}\nz\n")
    assert detail.startswith("line 1: from character 1003 on …'xx")
    assert "abdyy" in detail
    assert "abcyy" in detail
    assert len(detail) <= 160


def test_a_long_line_is_shown_where_it_differs_behind_its_mask():
    """What a mask hides is no place to look at."""
    line = f"{'head ' * 20}{{}} {'tail ' * 20}total {{}}\nz\n"
    masks = learn([World({"s/log.txt": text_file(line.format(key, 5))}) for key in ("3f2a81", "77ab01")])
    (detail,) = told(line.format("3f2a81", 5), line.format("999999", 6), masks=masks)
    assert "tail total 6' instead of" in detail
    assert "tail total 5'" in detail
    assert "999999" not in detail


@pytest.mark.parametrize(
    ("change", "details"),
    [
        (lambda text: text, []),
        (lambda text: "new\n" + text, ["line 1: 'new' is too much"]),
        (lambda text: text.replace("mail sent\n", ""), ["line 2: 'mail sent' is missing"]),
        (
            lambda text: text.replace("mail sent\n", "mail sent\nmail sent\n"),
            ["line 3: 'mail sent' is too much (it stands in line 2 too)"],
        ),
        (
            lambda text: "run 012345 of bob\n" + text,
            ["line 2: 'run 999999 of bob' is too much (it stands in line 1 too)"],
        ),
        (
            lambda text: "new\n" + text.replace("bob", "eve"),
            [
                "line 1: 'new' is too much",
                "line 2 (1 of the right text): 'run 999999 of eve' instead of 'run 3f2a81 of bob'",
            ],
        ),
        (lambda text: text.removesuffix("end\n"), ["line 4: 'end' is missing"]),
        (lambda text: text.removesuffix("nd\n"), ["first 36 of 39 bytes"]),
        (
            lambda text: text + text,
            [
                "lines 5 to 8 are too much (they stand in lines 1 to 4 too): "
                "'run 999999 of bob', 'mail sent', '999999', 'end'"
            ],
        ),
    ],
)
def test_a_line_that_moved_keeps_its_mask(change, details):
    """A mask is of a line by its number; the line is known where others before it are missing or too much."""
    right, found = RUN.format("3f2a81", "3f2a81"), RUN.format("999999", "999999")
    assert told(right, change(found), masks=RUNS) == details


@pytest.mark.parametrize(
    ("right", "found", "details"),
    [
        ({"x": ["Solar", 1, 2]}, {"x": [1, 2]}, [".x[0]: 'Solar' is missing"]),
        ({"x": [1, 2]}, {"x": [1, 2, 2]}, [".x[2]: 2 is too much (it stands at [1] too)"]),
        ([1, 2, 3, 4, 5, 6], [1, 6], ["[1] to [4] are missing: 2, 3, 4, 5"]),
        (
            [{"n": 1, "s": "a"}, {"n": 2}, {"n": 3, "s": "k"}],
            [{"n": 2}, {"n": 3, "s": "l"}],
            ["[0]: {'n': 1, 's': 'a'} is missing", "[1].s: 'l' instead of 'k' ([2] of the right list)"],
        ),
        ([1, 2], [2, 1], ["[0]: 2 is too much", "[1] of the right list: 2 is missing"]),
        ({"x": []}, {"x": [0]}, [".x[0]: 0 is too much"]),
        ({"x": [1]}, {"x": {"a": 1}}, [".x: {'a': 1} instead of [1]"]),
        ({"x": '{"a": [1, 2]}'}, {"x": '{"a": [2]}'}, [".x.a[0]: 1 is missing"]),
    ],
)
def test_items_of_lists(right, found, details):
    """An item that is missing at the front is one that is missing, not a list of other items."""
    assert told(json.dumps(right), json.dumps(found), "a.json") == details


def test_lines_of_json():
    """A line that was appended twice is told as such, also where there was one only."""
    one, two = '{"a": 1}\n', '{"a": 2}\n'
    assert told(one + two, one + two + two, "a.jsonl") == ["[2]: {'a': 2} is too much (it stands at [1] too)"]
    assert told(one, one + one, "a.jsonl") == ["[1]: {'a': 1} is too much (it stands at [0] too)"]
    assert told(one + two, two, "a.jsonl") == ["[0]: {'a': 1} is missing"]


def test_a_long_text_in_json_is_shown_where_it_differs():
    """A mail that begins with the same greeting."""
    mail = "Dear Ada, " * 30 + "{} EUR" + " bye" * 30
    for name in NAMES[1:]:
        (detail,) = told(*(json.dumps({"body": mail.format(n)}) for n in (5, 6)), name)
        assert re.search(r"body: from character 301 on .*Dear Ada, 6 EUR.* instead of .*Dear Ada, 5 EUR", detail)


def test_a_long_text_in_a_row_is_shown_where_it_differs():
    """The same in a table and in a collection, and in JSON that is held as a text."""
    mail = "Dear Ada, " * 30 + "{} EUR"
    payload = json.dumps({"greeting": "Dear Ada, " * 20, "cents": "{}"}).replace('"{}"', "{}")
    for form, words in (
        (mail, "body: from character 301 on …' Ada, Dear Ada, 6 EUR' instead of"),
        (payload, "body: .cents: 6 instead of 5"),
    ):
        worlds = (World(resources={"h/mails": [{"id": "m-1234", "n": 1, "body": form.replace("{}", n)}]}) for n in "56")
        (change,) = difference(*worlds, NO_MASKS)
        assert words in str(change)


def test_a_generated_id_in_a_long_text_is_no_difference():
    """What differs is shown, not the id before it, which each run has of its own."""
    body = "Dear Ada, your order {} is " + "very " * 20 + "late: {} days"

    def world(order: str, days: int) -> World:
        content = json.dumps({"body": body.format(order, days)})
        orders = [{"id": order, "item": "book"}]
        return World({"s/a.json": text_file(content)}, resources={"h/orders": orders})

    (change,) = difference(world("ord-aaaa1111", 5), world("ord-bbbb2222", 6), NO_MASKS)
    assert "late: 6 days' instead of" in change.detail
    assert "ord-" not in change.detail


def test_items_that_moved_keep_their_masks():
    """Lists of plain values are masked by number, keys that each run has of its own by their place."""
    masks = learn([World({"s/a.json": text_file(json.dumps(["a", key, "c"]))}) for key in ("3f2a81bc", "77ab01de")])
    right = json.dumps(["a", "3f2a81bc", "c"])
    assert told(right, json.dumps(["99999999", "c"]), "a.json", masks) == ["[0]: 'a' is missing"]
    assert told(right, json.dumps(["a", "99999999", "x", "c"]), "a.json", masks) == ["[2]: 'x' is too much"]
    keyed = [json.dumps({"runs": {key: {"s": 1}}, "n": 1}) for key in ("3f2a81bc", "77ab01de", "12cd34ef")]
    masks = learn([World({"s/a.json": text_file(text)}) for text in keyed[:2]])
    other = json.dumps({"runs": {"12cd34ef": {"s": 2}}, "n": 1})
    assert told(keyed[0], other, "a.json", masks) == [".runs.12cd34ef.s: 2 instead of 1"]
    more = json.dumps({"runs": {"12cd34ef": {"s": 1}, "aa00bb11": {"s": 1}}, "n": 1})
    assert told(keyed[0], more, "a.json", masks) == [".runs.aa00bb11: {'s': 1} is too much"]


def test_many_differing_lines_are_counted():
    """Thousands of them are not compared each with each."""
    right = [f"line {n}" for n in range(9000)]
    assert told("\n".join(right), "\n".join(right[1:])) == ["line 1: 'line 0' is missing"]
    (detail,) = told("\n".join(right), "\n".join(f"{line}!" for line in right))
    assert detail == "9000 lines from line 1 on are others, the first of them 'line 0!' instead of 'line 0'"
    (detail,) = told("\n".join(right), "\n".join(["line 0", *(f"{line}!" for line in right[2:])]))
    assert detail == "8998 lines from line 2 on instead of 8999, the first of them 'line 2!' instead of 'line 1'"
    few = [f"{line}!" if n in (5, 8000) else line for n, line in enumerate(right)]
    assert told("\n".join(right), "\n".join(few)) == [
        "line 6: 'line 5!' instead of 'line 5'",
        "line 8001: 'line 8000!' instead of 'line 8000'",
    ]


def test_lines_that_are_everywhere_take_no_time():
    """Empty lines and braces equal each other a million times, and say nothing of what has become what."""
    right, found = (["x", "", "}"] * 650, ["", "}", "y"] * 620)
    assert len(told("\n".join(right), "\n".join(found))) == 4


WORDS = st.lists(st.text("abc", min_size=1, max_size=2), max_size=9)
MISSING = re.compile(r"lines? (\d+)(?: to (\d+))?(?: of the right text)?(?:: .*| are missing.*)")


def lines_of(numbers: re.Match[str]) -> range:
    """Return the lines, from 0, that a detail names."""
    return range(int(numbers[1]) - 1, int(numbers[2] or numbers[1]))


@law
@given(lines=st.lists(st.text("abcdef", min_size=2, max_size=4), min_size=4, unique=True), data=st.data())
def test_a_text_with_lines_removed_is_told_by_these(lines, data):
    """By exactly these, each by its number in the right text."""
    gone = data.draw(
        st.sets(st.integers(0, len(lines) - 1), min_size=1, max_size=3).filter(lambda g: len(g) < len(lines))
    )
    left = [line for number, line in enumerate(lines) if number not in gone]
    details = told("".join(f"{line}\n" for line in lines), "".join(f"{line}\n" for line in left))
    assert all("missing" in detail for detail in details)
    named = [number for detail in details for number in lines_of(re.match(r"lines? (\d+)(?: to (\d+))?", detail))]
    assert named == sorted(gone)


@law
@given(right=WORDS.filter(bool), found=WORDS.filter(bool))
def test_what_is_told_makes_one_text_the_other(right, found):
    """Take away what is missing and what is too much, change what has become another: nothing else differs."""
    texts = ["".join(f"{line}\n" for line in lines) for lines in (right, found)]
    details = told(*texts)
    assert bool(details) == (right != found)
    if len(details) > 3:
        return
    missing, much, became = set(), set(), {}
    for detail in details:
        numbers = lines_of(re.match(r"lines? (\d+)(?: to (\d+))?", detail))
        if "missing" in detail:
            missing.update(numbers)
        elif "too much" in detail:
            much.update(numbers)
        else:
            new, old = re.fullmatch(r".*: ('.*') instead of ('.*')", detail).groups()
            assert literal_eval(new) == found[numbers[0]]
            became[numbers[0]] = literal_eval(old)
    kept = [became.get(number, line) for number, line in enumerate(found) if number not in much]
    assert kept == [line for number, line in enumerate(right) if number not in missing]


KEYS = st.text("0123456789abcdef", min_size=6, max_size=6)


@law
@given(key=KEYS, other=KEYS, data=st.data())
def test_what_is_masked_is_never_told(key, other, data):
    """A run of its own with lines of its own around the masked ones: only these are told."""
    right, found = RUN.format("3f2a81", "3f2a81").splitlines(), RUN.format(key, other).splitlines()
    more = data.draw(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["new one", "new two"])), max_size=2))
    for place, line in sorted(more, reverse=True):
        found.insert(place, line)
    details = told("".join(f"{line}\n" for line in right), "".join(f"{line}\n" for line in found), masks=RUNS)
    assert bool(details) == bool(more)
    assert all("too much" in detail for detail in details)


@law
@given(right=st.lists(st.integers(0, 3), max_size=7), found=st.lists(st.integers(0, 3), max_size=7))
def test_lists_are_told_like_lines(right, found):
    """As few items as a difference of the two needs, or fewer; none where they are equal."""
    details = told(json.dumps({"x": right}), json.dumps({"x": found}), "a.json")
    assert bool(details) == (right != found)
    blocks = SequenceMatcher(None, right, found, autojunk=False).get_opcodes()
    most = sum(max(j - i, m - k) for tag, i, j, k, m in blocks if tag != "equal")
    assert len(details) <= max(most, 0)


def test_bytes_that_are_no_text_are_told_by_size():
    """As ever."""
    worlds = (World({"s/b": Entry("file", 0o644, content)}) for content in (b"\0\1\2", b"\0\1\3\4"))
    assert [change.detail for change in difference(*worlds, NO_MASKS)] == ["other content: 4 instead of 3 bytes"]
