"""Differences are seen, whatever masks hide; what may differ is not seen."""

import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollproof.values.world import Entry, TableShape, World
from rollproof.world.comparing.compare import Masks, difference, learn

from .worlds import NOW, finished, law, text_file

NO_MASKS = Masks()
END = finished(1)
MASKS = learn([END, finished(2), finished(3, first_key=4)])


def said(expected: World, found: World, masks: Masks = NO_MASKS) -> list[str]:
    """Return a difference as text."""
    return [str(change) for change in difference(expected, found, masks)]


def files(**contents: str) -> World:
    """Return a world of files below `s`, with `__` for a dot."""
    return World({f"s/{name.replace('__', '.')}": text_file(content) for name, content in contents.items()})


def rows(*given: dict, shape: TableShape | None = None) -> World:
    """Return a world with one table."""
    return World(tables={"a.db:t": list(given)}, shapes={"a.db:t": shape or TableShape("id")})


def test_what_is_masked_is_printed():
    """One line for each place, in the notation of the contract."""
    assert MASKS.lines() == (
        "shared/report-*.md: name",
        "api.mail.test/mails.at",
        "app.db:orders.payload.run",
        "app.db:orders.token",
        "shared/report-*.md: line 2",
        "shared/report.json: .items[*].id",
        "shared/report.json: .meta.created_at",
        "shared/report.json: .meta.run",
        "shared/report.json: .meta.ts",
    )


@law
@given(seed=st.integers(4, 1000), first_key=st.integers(1, 50))
def test_a_run_of_its_own_stream_is_equal(seed, first_key):
    """Ids are renamed, keys skipped, volatile values others: no difference, in either direction."""
    other = finished(seed, first_key)
    assert said(END, other, MASKS) == []
    assert said(other, END, MASKS) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab{1é", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)
ROW = st.fixed_dictionaries(
    {"id": st.integers(1, 9), "a": JSON.map(json.dumps), "b": st.none() | st.binary(max_size=3)}
)
ROWS = st.lists(ROW, max_size=5, unique_by=lambda row: row["id"])
CONTENT = st.binary(max_size=30) | JSON.map(lambda value: json.dumps(value).encode())
WORLDS = st.builds(
    lambda contents, table, resources: World(
        entries={f"s/{name}": Entry("file", 0o644, content) for name, content in contents.items()},
        tables={"a.db:t": table},
        resources={"h/r": [{**row, "id": f"id-{row['id']:04}"} for row in resources]},
        shapes={"a.db:t": TableShape("id")},
    ),
    st.dictionaries(st.sampled_from(["a.txt", "b.json", "c"]), CONTENT, max_size=3),
    ROWS,
    ROWS,
)


@law
@given(world=WORLDS, other=WORLDS)
def test_a_world_equals_itself(world, other):
    """Whatever is in it and whatever is masked."""
    tables = {table: list(rows) for table, rows in world.tables.items()}
    same = replace(world, entries=dict(world.entries), tables=tables)
    assert difference(world, same, learn([world, other])) == ()


@law
@given(world=WORLDS, order=st.randoms(use_true_random=False))
def test_the_order_and_the_keys_of_rows_do_not_count(world, order):
    """Rows and resources are multisets, and generated ids are no values."""
    table, resources = list(world.tables["a.db:t"]), list(world.resources["h/r"])
    order.shuffle(table)
    order.shuffle(resources)
    keys = order.sample(range(100, 200), len(table))
    table = [{**row, "id": key} for row, key in zip(table, keys, strict=True)]
    resources = [{**row, "id": f"new-{key:04}"} for row, key in zip(resources, range(len(resources)), strict=True)]
    other = replace(world, tables={"a.db:t": table}, resources={"h/r": resources})
    assert difference(world, other, NO_MASKS) == ()


@law
@given(world=WORLDS, content=st.binary(min_size=1, max_size=20), data=st.data())
def test_any_unmasked_byte_counts(world, content, data):
    """One byte more, less or other in a file without a mask is a difference."""
    place = data.draw(st.integers(0, len(content) - 1))
    changed = content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
    expected = replace(world, entries={**world.entries, "s/x": Entry("file", 0o644, content)})
    for other in (changed, content[:place], content + b"\0"):
        found = replace(expected, entries={**expected.entries, "s/x": Entry("file", 0o644, other)})
        assert {change.name for change in difference(expected, found, NO_MASKS)} == {"s/x"}


@law
@given(world=WORLDS, more=ROW)
def test_a_row_more_or_less_counts(world, more):
    """Also where an equal one is there already: never twice."""
    longer = replace(world, tables={"a.db:t": [*world.tables["a.db:t"], {**more, "id": 77}]})
    assert [change.sign for change in difference(world, longer, NO_MASKS)] == ["+"]
    assert [change.sign for change in difference(longer, world, NO_MASKS)] == ["-"]


def with_row(**changes: object) -> World:
    """Return the end of another run with a changed first order."""
    other = finished(9)
    first, *rest = other.tables["app.db:orders"]
    return replace(other, tables={**other.tables, "app.db:orders": [{**first, **changes}, *rest]})


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (with_row(token=None), "~ app.db:orders: item 'book': token: None instead of"),
        (with_row(token=""), "~ app.db:orders: item 'book': token: '' instead of"),
        (with_row(token=5), "~ app.db:orders: item 'book': token: 5 instead of"),
        (with_row(item="boo"), "item: 'boo' instead of 'book'"),
        (with_row(payload='{"run": "x", "k": 2}'), "payload: "),
        (with_row(payload='{"run": null, "k": 1}'), "payload: "),
        (with_row(mail="nothing sent"), "mail: 'nothing sent' instead of"),
        (finished(9, total=4), "~ shared/report.json: .total: 4 instead of 5"),
    ],
)
def test_a_mask_hides_a_value_only(found, words):
    """Never a presence, a type, NULL, an empty value, nor what stands beside it."""
    changes = said(END, found, MASKS)
    assert len(changes) == 1
    assert words in changes[0]


@law
@given(seed=st.integers(4, 99), data=st.data())
def test_a_mask_never_hides_presence_count_or_null(seed, data):
    """Leave anything out, double any row, set anything to NULL: it is seen through all masks, from both sides."""
    other = finished(seed)
    where = data.draw(st.sampled_from(["entries", "tables", "resources"]))
    things = dict(getattr(other, where))
    name = data.draw(st.sampled_from([name for name, thing in sorted(things.items()) if thing]))
    if where == "entries":
        del things[name]
    else:
        rows = list(things[name])
        place = data.draw(st.integers(0, len(rows) - 1))
        column = data.draw(st.sampled_from([key for key, value in rows[place].items() if value is not None]))
        changes = {
            "drop": rows[:place] + rows[place + 1 :],
            "double": [*rows, {**rows[place], "id": 9999}],
            "null": [*rows[:place], {**rows[place], column: None}, *rows[place + 1 :]],
        }
        things[name] = changes[data.draw(st.sampled_from(["drop", "double", "null"]))]
    changed = replace(other, **{where: things})
    assert said(END, changed, MASKS)
    assert said(changed, END, MASKS)


def test_a_masked_time_stays_a_time():
    """In the same rough format; fractions and the name of the zone may differ."""
    runs = [files(a__json='{"at": "2026-01-01T00:00:00Z"}'), files(a__json='{"at": "2026-01-02T00:00:00.5Z"}')]
    masks = learn(runs)
    assert said(runs[0], files(a__json='{"at": "2027-03-04T05:06:07+00:00"}'), masks) == []
    assert said(runs[0], files(a__json='{"at": "yesterday"}'), masks) == [
        "~ s/a.json: .at: 'yesterday' instead of '2026-01-01T00:00:00Z'"
    ]
    assert said(runs[0], files(a__json='{"at": 1795476000}'), masks) != []


def test_only_the_differing_words_of_a_line_are_masked():
    """The rest of the line counts, and so does every other line."""
    runs = [files(log="a\nrun 3f2a81 of user bob\n"), files(log="a\nrun 77ab01 of user bob\n")]
    masks = learn(runs)
    assert masks.lines() == ("s/log: line 2",)
    assert said(runs[0], files(log="a\nrun 000000 of user bob\n"), masks) == []
    assert said(runs[0], files(log="a\nrun 000000 of user eve\n"), masks) == [
        "~ s/log: line 2: 'run 000000 of user eve' instead of 'run 3f2a81 of user bob'"
    ]
    before = files(log="a\nrun 3f2a81 of user eve\n")
    assert said(before, files(log="a\nrun 111111 of user eve\n"), masks) == []


def test_layout_of_masked_json_counts():
    """White space and the order of keys are bytes like any others."""
    runs = [files(a__json='{"x": 1, "t": "abc"}'), files(a__json='{"x": 1, "t": "def"}')]
    masks = learn(runs)
    assert said(runs[0], files(a__json='{"x": 1, "t": "xyz"}'), masks) == []
    assert said(runs[0], files(a__json='{"x":1, "t": "xyz"}'), masks) != []
    assert said(runs[0], files(a__json='{"t": "xyz", "x": 1}'), masks) != []


def test_json_lines_are_compared_line_by_line():
    """Each line is an object of its own; their number counts."""
    runs = [files(a__jsonl=f'{{"t": {t}, "x": 1}}\n{{"t": {t + 1}, "x": 2}}\n') for t in (1, 3)]
    masks = learn(runs)
    assert masks.lines() == ("s/a.jsonl: [*].t",)
    assert said(runs[0], files(a__jsonl='{"t": 8, "x": 1}\n{"t": 9, "x": 2}\n'), masks) == []
    assert said(runs[0], files(a__jsonl='{"t": 8, "x": 1}\n{"t": 9, "x": 3}\n'), masks) != []
    assert said(runs[0], files(a__jsonl='{"t": 8, "x": 1}\n'), masks) != []


def test_objects_by_generated_keys():
    """Keys that no two runs share are names; their number and what is below them counts."""
    keys = ("3f2a81bc", "77ab01de", "12cd34ef")
    runs = [files(a__json=f'{{"runs": {{"{key}": {{"s": 1}}}}, "n": 1}}') for key in keys]
    masks = learn(runs[:2])
    assert masks.lines() == ("s/a.json: .runs names",)
    assert said(runs[0], runs[2], masks) == []
    assert said(runs[0], files(a__json='{"runs": {"12cd34ef": {"s": 2}}, "n": 1}'), masks) != []
    assert said(runs[0], files(a__json='{"runs": {}, "n": 1}'), masks) != []


def generated(dice: Random) -> World:
    """Return a world full of values as generators of all kinds write them."""

    def some(letters: str, count: int) -> str:
        return "".join(dice.choice(letters) for _ in range(count))

    hexadecimal, words = "0123456789abcdef", "0123456789abcdefghijklmnopqrstuvwxyz_"
    key, short, token = some(hexadecimal, 8), some(hexadecimal, 4), some(words + words.upper() + "-", 22)
    now = NOW + dice.random() * 1000
    folder = f"s/run_{int(now * 1000)}"
    line = f"id {key} {short} {token} t={now} took {dice.random():.3f}s pid {dice.randint(2, 99999)}\nend\n"
    document = {"id": key, "token": token, "n": dice.randint(1, 9999), "f": dice.random()}
    return World(
        entries={
            f"s/r-{key}.md": text_file(line),
            f"s/tmp{some(words, 8)}": text_file("x"),
            folder: Entry("dir", 0o755),
            f"{folder}/out.json": text_file(json.dumps(document)),
            f"s/{some(words + '-', 16)}.tok": text_file(token),
        },
        tables={"d:t": [{"id": n, "key": key if n == 1 else some(hexadecimal, 8), "n": n} for n in range(1, 4)]},
        resources={"h/r": [{"id": some(hexadecimal, 6) + "x", "n": n, "at": now} for n in range(3)]},
        shapes={"d:t": TableShape("id")},
    )


@law
@given(seed=st.integers(0, 300))
def test_no_false_alarm_whatever_generators_write(seed):
    """Short hex of digits only, base64 with hyphens, names by tempfile, floats without a fraction."""
    dice = Random(seed)
    one, two = generated(dice), generated(dice)
    masks = learn([one, two])
    assert [said(one, generated(dice), masks) for _ in range(5)] == [[]] * 5


def test_volatile_folders_are_paired():
    """A folder with a name of its own in each run; what lies in it is compared."""

    def run(key: str, content: str = "same") -> World:
        return World({f"s/run-{key}": Entry("dir", 0o755), f"s/run-{key}/out.txt": text_file(content)})

    masks = learn([run("3f2a81bc"), run("77ab01de")])
    assert masks.lines() == ("s/run-*: name",)
    assert said(run("3f2a81bc"), run("99999999"), masks) == []
    assert said(run("3f2a81bc"), run("99999999", "other"), masks) == [
        "~ s/run-99999999/out.txt: line 1: 'other' instead of 'same'"
    ]
    both = World({**run("99999999").entries, **run("00aa00aa").entries})
    assert [line[0] for line in said(run("3f2a81bc"), both, masks)] == ["+", "+"]


def test_what_was_equal_stays_equal():
    """A run id in a name and in a row: another one in the row is a difference."""
    other = finished(9)
    payload = json.dumps({"run": "0123456789abcdef0123456789abcdef", "k": 1})
    first, second = other.tables["app.db:orders"]
    changed = replace(other, tables={**other.tables, "app.db:orders": [{**first, "payload": payload}, second]})
    assert any("app.db:orders.payload.run" in line for line in said(END, changed, MASKS))


def test_what_was_different_stays_different():
    """One token for two rows is a duplicate, whatever it reads."""
    other = finished(9)
    first, second = other.tables["app.db:orders"]
    twice = [{**first, "token": second["token"]}, second]
    assert said(END, replace(other, tables={**other.tables, "app.db:orders": twice}), MASKS)


def test_times_are_never_required_to_be_equal():
    """Two times that were equal by chance may differ."""
    runs = [files(a__json=json.dumps({"a": at, "b": at})) for at in ("2026-01-01T00:00:00", "2026-01-02T00:00:00")]
    found = files(a__json='{"a": "2026-01-01T00:00:00", "b": "2026-01-01T00:00:01"}')
    assert said(runs[0], found, learn(runs)) == []


def test_references_follow_their_row():
    """Rows swapped by a crash with what refers to them are equal; a reference to the other row is not."""

    def world(book: int, pen: int, line: int) -> World:
        orders = [{"id": book, "item": "book"}, {"id": pen, "item": "pen"}]
        shapes = {"d:orders": TableShape("id"), "d:lines": TableShape("", {"order_id": "d:orders"})}
        return World(tables={"d:orders": orders, "d:lines": [{"order_id": line}]}, shapes=shapes)

    assert said(world(1, 2, 1), world(5, 3, 5), NO_MASKS) == []
    wrong = said(world(1, 2, 1), world(5, 3, 3), NO_MASKS)
    assert wrong == ["- d:lines: {'order_id': 1}", "+ d:lines: {'order_id': 3}"]
    assert said(world(1, 2, 1), world(5, 3, 99), NO_MASKS) != []


def test_two_equal_rows_are_told_apart_by_what_refers_to_them():
    """Each of two equal payments belongs to an order; both orders on one payment is another world."""

    def world(*payments: str) -> World:
        orders = [{"id": f"order-{n}", "n": n, "payment": payment} for n, payment in enumerate(payments)]
        return World(resources={"h/payments": [{"id": "pay-aaaa"}, {"id": "pay-bbbb"}], "h/orders": orders})

    assert said(world("pay-aaaa", "pay-bbbb"), world("pay-bbbb", "pay-aaaa")) == []
    assert said(world("pay-aaaa", "pay-bbbb"), world("pay-aaaa", "pay-aaaa")) != []


def test_cycles_end():
    """Rows that refer to each other in a circle, and to themselves."""

    def ring(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> World:
        drawn = [{"id": key, "next": after, "x": x} for x, (key, after) in zip("abc", (a, b, c), strict=True)]
        return rows(*drawn, shape=TableShape("id", {"next": "a.db:t"}))

    assert said(ring((1, 2), (2, 1), (3, 3)), ring((6, 7), (7, 6), (5, 5))) == []
    assert said(ring((1, 2), (2, 1), (3, 3)), ring((6, 7), (7, 6), (5, 6))) != []


def test_a_changed_row_is_one_change():
    """Not everything that refers to it as well."""
    book, pen = END.tables["app.db:orders"]
    found = replace(END, tables={**END.tables, "app.db:orders": [{**book, "item": "boo"}, pen]})
    token = book["token"]
    assert said(found, END, MASKS) == [f"~ app.db:orders: token {token!r}: item: 'book' instead of 'boo'"]


def test_an_empty_table_equals_none():
    """A database without rows equals no database; private state is never compared."""
    bare = replace(
        END,
        tables={k: v for k, v in END.tables.items() if v},
        schemas={},
        private_entries={},
        resources={**END.resources, "h/none": []},
    )
    assert said(END, bare) == said(bare, END) == []


@pytest.mark.parametrize(
    ("expected", "found", "words"),
    [
        (files(), files(__t__tmp="x" * 120), ["+ s/.t.tmp: file, 120 bytes"]),
        (files(a="x"), files(), ["- s/a: file, 1 bytes"]),
        (files(a="x" * 1024), files(a="x" * 512), ["~ s/a: first 512 of 1024 bytes"]),
        (files(a="x" * 1024), files(a=""), ["~ s/a: empty instead of 1024 bytes"]),
        (files(a="one\n"), files(a="one\ntwo\n"), ["~ s/a: line 2: 'two' is too much"]),
        (files(a="a\nb\nc"), files(a="a\nB\nc"), ["~ s/a: line 2: 'B' instead of 'b'"]),
        (files(a='{"x": [1, {"y": 2}]}'), files(a='{"x": [1, {"y": 3}]}'), ["~ s/a: .x[1].y: 3 instead of 2"]),
        (files(a='{"x": 1}'), files(a='{"x": 1, "z": 2}'), ["~ s/a: .z: 2 is too much"]),
        (files(a="x"), World({"s/a": Entry("dir", 0o755)}), ["~ s/a: folder instead of file"]),
        (files(a="x"), World({"s/a": Entry("file", 0o600, b"x")}), ["~ s/a: mode 600 instead of 644"]),
        (
            World({"s/l": Entry("link", 0o777, b"a")}),
            World({"s/l": Entry("link", 0o777, b"b")}),
            ["~ s/l: points to b instead of a"],
        ),
        (rows({"id": 1, "a": 1, "b": 2}), rows({"id": 4, "a": 1, "b": 3}), ["~ a.db:t: b: 3 instead of 2"]),
        (rows(), rows({"id": 1, "item": "book"}), ["+ a.db:t: {'id': 1, 'item': 'book'}"]),
    ],
)
def test_changes_in_words(expected, found, words):
    """As a person at three in the morning wants them."""
    assert said(expected, found) == words


def test_many_changes_of_a_file_are_cut():
    """Three are told, the rest is counted; each is short."""
    changes = said(files(a="\n".join("abcdefgh")), files(a="\n".join("ABCDEFGH" * 40)))
    assert len(changes) == 4
    assert changes[-1].startswith("~ s/a: and ")
    assert all(len(line) < 200 for line in changes)


def test_nothing_to_learn_from():
    """No run, one run, or two equal ones leave nothing masked."""
    assert learn([]) == learn([END]) == Masks()
    assert learn([END, END]).lines() == ()
