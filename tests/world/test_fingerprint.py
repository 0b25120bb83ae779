"""Worlds have one identity when no recovery can tell them apart, and two when one could."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollproof.values.world import Entry, World
from rollproof.world.comparing.compare import Masks, learn
from rollproof.world.volatile.fingerprint import Moment, fingerprint
from rollproof.world.volatile.skeletons import NOT_TORN, TornValue
from rollproof.world.volatile.torn_values import TornValues, torn_value_in

from .worlds import NOW, finished, law, text_file

RUNS = [finished(1), finished(2), finished(3)]
MASKS = learn(RUNS)


def name(world: World, clock: float = NOW, masks: Masks = Masks(), pids: tuple[int, ...] = ()) -> str:  # noqa: B008
    """Return the identity of a world at a time."""
    return fingerprint(world, Moment(clock, frozenset(pids)), masks, {"/tmp/x/shared": "shared"})


def text(content: str) -> World:
    """Return a world with one file."""
    return World({"s/a": text_file(content)})


@law
@given(one=st.uuids(version=4), two=st.uuids(version=4), three=st.uuids(version=4), four=st.uuids(version=4))
def test_uuids_are_renamed(one, two, three, four):
    """How they read is nothing, which of them are equal is all; in files, names, rows and private state."""

    def world(first, second, third) -> World:
        return World(
            entries={f"s/{first}.json": text_file(json.dumps({"id": str(first), "other": str(second)}))},
            tables={"d:t": [{"id": 1, "token": third.hex, "same": str(third)}]},
            private_entries={"own/a": text_file(f"run {second}")},
        )

    different = len({one, two, three, four}) == 4
    assert name(world(one, two, three)) == name(world(two, four, one)) or not different
    assert name(world(one, two, three)) != name(world(one, one, three)) or not different
    assert name(world(one, two, three)) != name(world(one, two, one)) or not different


@law
@given(content=st.text(max_size=20), more=st.text("abc 123{}\n", min_size=1, max_size=6))
def test_anything_else_counts(content, more):
    """A changed value that no mask hides is another world, private or not."""
    assert name(text(content)) != name(text(content + "!" + more))
    assert name(World(private_entries={"s/a": text_file(content)})) != name(
        World(private_entries={"s/a": text_file(content + "!" + more)})
    )


def test_message_ids_are_renamed():
    """As the standard library writes them: how they read is nothing, which of them are equal is all."""

    def world(*ids: str) -> World:
        return text("\n".join(f"<{id}@agent.test>" for id in ids))

    one, other = "178500000012.4242.11817287356180942", "178500000987.17.4998133331219908761"
    assert name(world(one)) == name(world(other))
    assert name(world(one, one)) != name(world(one, other))


def test_runs_of_another_stream_have_one_identity():
    """Seen each at its own time, with the same keys."""
    one, two = (replace(run, tables={}, shapes={}) for run in RUNS[:2])
    assert name(one, NOW + 100.5, MASKS) == name(two, NOW + 201, MASKS)
    table = {"app.db:orders": RUNS[0].tables["app.db:orders"]}
    assert name(replace(one, tables=table), NOW, MASKS) != name(one, NOW, MASKS)


def test_masked_values_are_renamed():
    """Whatever they look like: one slot for each value."""
    masks = learn([text('{"n": "ab", "m": "ab"}'), text('{"n": "cd", "m": "cd"}')])
    assert name(text('{"n": "x", "m": "x"}'), masks=masks) == name(text('{"n": "y", "m": "y"}'), masks=masks)
    assert name(text('{"n": "x", "m": "x"}'), masks=masks) != name(text('{"n": "x", "m": "y"}'), masks=masks)
    assert name(text('{"n": null, "m": "x"}'), masks=masks) != name(text('{"n": "y", "m": "x"}'), masks=masks)


@law
@given(one=st.floats(0.1, 0.9), two=st.floats(0.1, 0.9))
def test_fractions_that_only_dice_write_are_renamed(one, two):
    """Such as LangGraph's versions, ``0002.0.7364821902837465``; the number before them counts."""
    first, second = (f"{2:032}.{x:.15f}" for x in (one, two))
    assert name(text(first)) == name(text(second))
    assert name(text(first)) != name(text(second.replace("2.0", "3.0", 1)))
    assert name(text("ratio 0.25")) != name(text("ratio 0.75"))


@law
@given(one=st.floats(0.1, 0.9), two=st.floats(0.1, 0.9))
def test_lengths_before_generated_texts_are_renamed_with_them(one, two):
    """In msgpack a text of 16 and one of 18 characters begin with another byte; in rows and in files."""

    def packed(x: float, step: str = "write") -> bytes:
        version = f"{2:032}.{x!r:0<14}".encode()
        return b"\x82\xa7version\xd9" + bytes([len(version)]) + version + b"\xa4step\xd9" + step.encode()

    def row(content: bytes) -> World:
        return World(private_tables={"d:t": [{"id": 1, "checkpoint": content}]})

    def file(content: bytes) -> World:
        return World(private_entries={"own/a": Entry("file", 0o644, content)})

    for world in (row, file):
        assert name(world(packed(one))) == name(world(packed(two)))
        assert name(world(packed(one))) != name(world(packed(one, "send")))


def iso(moment: float) -> str:
    """Return epoch seconds as ISO text."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


@pytest.mark.parametrize("write", [iso, str, lambda m: str(int(m * 1000)), lambda m: iso(m).replace("T", " ")])
def test_times_are_seen_from_the_clock(write):
    """Past and future in coarse steps, since each restart is later; in any notation."""

    def at(offset_s: float, clock: float = NOW) -> str:
        return name(text(f"at {write(clock + offset_s)} done"), clock)

    assert at(-20) == at(-50) == at(-20, NOW + 1000)
    assert at(-20) != at(-5)
    assert at(-20) != at(-70)
    assert at(-86400 * 2) == at(-86400 * 30)
    assert at(30) == at(30, NOW + 77)
    assert at(30) == at(31)
    assert at(30) != at(90)
    assert at(30) != at(-30)


@pytest.mark.parametrize("write", [lambda m: str(int(m * 1e6)), lambda m: str(int(m * 1e9))])
def test_stamps_are_ordered_among_themselves(write):
    """Which of two fencing tokens is the higher one counts, and which time of a log elsewhere was before it is nothing.

    Beside a time in the same file or table its order counts: a recovery compares what stands there.
    """

    def at(token: float, other: str) -> str:
        return name(World({"s/a": text_file(f"token {write(NOW + token)}"), "s/log": text_file(f"at {other}")}))

    def beside(token: float, other: str) -> str:
        return name(text(f"token {write(NOW + token)} at {other}"))

    assert at(-5, iso(NOW - 4)) == at(-3, iso(NOW - 4))
    assert at(-5, write(NOW - 4)) != at(-3, write(NOW - 4)) == at(-2, write(NOW - 3))
    assert at(-5, write(NOW - 4)) != at(-4, write(NOW - 4))
    assert at(-5, iso(NOW - 4)) != at(-20, iso(NOW - 4))
    assert beside(-5, iso(NOW - 4)) != beside(-3, iso(NOW - 4)) == beside(-2, iso(NOW - 4))


@pytest.mark.parametrize("write", [iso, str, lambda m: str(int(m * 1000))])
def test_times_are_ordered_in_any_notation(write):
    """Which of two times is the later one counts, also where one is a text and the other a number."""

    def at(one: float, other: float) -> str:
        return name(text(f"began {write(NOW + one)} ended {iso(NOW + other)}"))

    assert at(-5, -4) == at(-4, -3) != at(-3, -4)


def test_numbers_that_are_no_times_count():
    """Amounts, counters, and times of another age."""
    assert name(text("total 12345678")) != name(text("total 12345679"))
    assert name(text("at 1000000000")) != name(text("at 1000000001"))


def test_pids_are_renamed():
    """Only those of processes that wrote, and only whole numbers."""
    assert name(text("pid 4711"), pids=(4711, 4712)) == name(text("pid 4712"), pids=(4711, 4712))
    assert name(text("pid 4711"), pids=(4711,)) != name(text("pid 4712"), pids=(4711,))
    assert name(text("x4711"), pids=(4711, 4712)) != name(text("x4712"), pids=(4711, 4712))
    assert name(text("4711 4711"), pids=(4711, 4712)) != name(text("4711 4712"), pids=(4711, 4712))


def test_roots_are_named():
    """Where a source lies on this machine is nothing."""
    moved = fingerprint(text("/tmp/y/shared/a"), Moment(NOW), Masks(), {"/tmp/y/shared": "shared"})
    assert name(text("/tmp/x/shared/a")) == moved


def test_what_only_a_recovery_reads_counts():
    """Modes, empty tables, schemas, resources, and whether something is private."""
    base = World({"s/a": text_file("x")}, tables={"d:t": []}, schemas={"d": "user_version = 1"})
    others = [
        replace(base, entries={"s/a": text_file("x", 0o600)}),
        replace(base, tables={}),
        replace(base, logs={"d": "needed: {'t': 0}"}),
        replace(base, schemas={"d": "user_version = 2"}),
        replace(base, resources={"h/r": [{"id": "a"}]}),
        replace(base, entries={"s/b": text_file("x")}),
        replace(base, entries={"s/a": Entry("link", 0o644, b"x")}),
    ]
    assert len({name(world) for world in [base, *others]}) == len(others) + 1


def test_bytes_count():
    """Files and blobs that are no text."""
    one, two = (World({"s/a": Entry("file", 0o644, b"\xff" + end)}) for end in (b"\0", b"\1"))
    assert name(one) != name(two)
    assert name(World(tables={"d:t": [{"b": b"\0"}]})) != name(World(tables={"d:t": [{"b": b"\1"}]}))


def test_types_count():
    """A number is no text that reads like it."""
    assert name(World(tables={"d:t": [{"b": 1}]})) != name(World(tables={"d:t": [{"b": "1"}]}))
    assert name(World(tables={"d:t": [{"b": None}]})) != name(World(tables={"d:t": [{"b": "None"}]}))


DONE = json.dumps({"night": "2024-05-02", "export": "3f2a81bc-1234-4567-89ab-0123456789ab", "at": NOW, "orders": 1207})


def torn(done: str, size: int) -> str:
    """Return the identity of a world in which the first `size` characters of a file were written."""
    content = done[:size].encode()
    cut = torn_value_in(content, done.encode(), NOW)
    torn_values = TornValues({content: cut.size}, contents={content})
    return fingerprint(text(done[:size]), Moment(NOW), Masks(), {}, torn_values)


@law
@given(other=st.uuids(version=4), size=st.integers(1, len(DONE)))
def test_a_generated_value_that_was_cut_in_two_is_one_too(other, size):
    """Wherever the write was torn: two drafts that differ in a uuid are one world, and in anything else two."""
    renamed = DONE.replace("3f2a81bc-1234-4567-89ab-0123456789ab", str(other))
    assert torn(DONE, size) == torn(renamed, size)
    assert (torn(DONE, size) == torn(DONE.replace("night", "eight"), size)) == (size <= DONE.index("night"))


def test_half_a_value_is_not_a_whole_one():
    """A lock that a crash tore is another thing to recover from than a lock."""
    assert torn("token 7f9a3c1e5d", 11) != name(text("token 7f9a3c1e5d"))
    assert torn("7f9a3c1e5d", 5) != name(text("7f9a3c1e5d"))


def test_half_a_time_still_stands_to_the_clock():
    """As far as it can be read: a lease that is over is another world than one that is not."""
    over, live = f"until {NOW - 60}3456", f"until {NOW + 60}3456"
    assert torn(over, len(over) - 4) != torn(live, len(live) - 4)
    assert torn(live, len(live) - 4) == torn(f"until {NOW + 61}7890", len(live) - 4)


@pytest.mark.parametrize(
    ("kept", "whole", "size"),
    [
        (f'{{"at": {NOW:.0f}'[:-3], f'{{"at": {NOW:.0f}}}', 7),
        ('{"at": 1234567', '{"at": 1234567890123}', 0),
        ('{"count": 12', '{"count": 1207}', 0),
        ("the word extra", "the word extraordinary", 0),
        ("token 7f9a3", "token 7f9a3c1e5d\n", 5),
        ("at 2030-01", "at 2030-01-01", 0),
        ("report", "report", 0),
        ("other", "3f2a81bc-1234", 0),
        ("id 3f2a81bc-1234-4567-89ab-0123456789ab", "id 3f2a81bc-1234-4567-89ab-0123456789ab, and more", 0),
    ],
)
def test_only_what_is_volatile_as_a_whole_is_volatile_in_part(kept, whole, size):
    """A time near the clock and what looks generated are; a number, a word, an old date and a value not cut are not."""
    assert torn_value_in(kept.encode(), whole.encode(), NOW) == TornValue(size)
    assert torn_value_in(b"\xff" + kept.encode(), b"\xff" + whole.encode(), NOW) == NOT_TORN


def test_names_that_tempfile_drew_are_renamed():
    """How they read is nothing, which of them are equal is all; a name that nobody drew counts as it reads."""
    drawn = {"k3j_9x2a", "b0_zzq17"}

    def two(first: str, second: str) -> str:
        world = World({f"s/tmp{first}": text_file(f"see /tmp/x/shared/tmp{second}.lock")})
        return fingerprint(world, Moment(NOW), Masks(), {"/tmp/x/shared": "s"}, drawn=drawn)

    assert two("k3j_9x2a", "k3j_9x2a") == two("b0_zzq17", "b0_zzq17")
    assert two("k3j_9x2a", "k3j_9x2a") != two("k3j_9x2a", "b0_zzq17")
    assert two("k3j_9x2a", "k3j_9x2a") != two("somebody", "somebody")


def torn_pid(pid: int, size: int, shape: str = "{}", *, of: str = "own/lock") -> tuple[TornValues, World]:
    """Return a world in which `size` characters of a file with a pid were written, and what is known of that."""
    whole = shape.format(pid)
    kept = whole[:size].encode()
    cut = torn_value_in(kept, whole.encode(), NOW, {pid})
    assert cut.of_pid
    world = World(private_entries={"own/lock": text_file(whole[:size]), "own/count": text_file("16")})
    return TornValues(pids={(of, kept): cut.size}, contents={kept}), world


@pytest.mark.parametrize(("shape", "size"), [("{}", 2), ('{{"pid": {}}}', 10), ("worker_{}", 9)])
def test_which_half_of_a_pid_a_crash_left_is_nothing(shape, size):
    """Half of 16987 and half of 21012 are one world, and another one than a whole pid."""
    found = set()
    for pid in (16987, 21012):
        torn_values, world = torn_pid(pid, size, shape)
        found.add(fingerprint(world, Moment(NOW, {pid}), Masks(), {}, torn_values))
        whole = replace(world, private_entries={"own/lock": text_file(shape.format(pid))})
        assert name(whole, pids=(pid,)) not in found
    assert len(found) == 1


def test_another_file_that_reads_like_half_of_a_pid_counts():
    """A counter of the agent's is no lock, and 16 of something are not 17."""
    torn_values, world = torn_pid(16987, 2)
    other = replace(world, private_entries={**world.private_entries, "own/count": text_file("17")})
    assert fingerprint(world, Moment(NOW), Masks(), {}, torn_values) != fingerprint(
        other, Moment(NOW), Masks(), {}, torn_values
    )


@pytest.mark.parametrize("text_of", ["worker_{}", "lock.{}", "draft.{}.tmp", "_{}"])
def test_a_pid_behind_a_word_and_a_mark_is_one(text_of):
    """And a number that is no pid counts as it reads."""
    one, two = (name(text(text_of.format(pid)), pids=(pid,)) for pid in (16987, 21012))
    assert one == two
    assert name(text(text_of.format(16987))) != name(text(text_of.format(21012)))
