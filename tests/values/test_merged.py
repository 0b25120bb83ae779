"""Results joined: in any order, in any grouping, and each key of a whole is what its shards say together."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollproof.values.causes import Cause
from rollproof.values.errors import ChaosError
from rollproof.values.exploration import Cell, Exploration, Finding
from rollproof.values.merged import merged
from rollproof.values.replaying import ReplayCommand
from rollproof.values.report import Report, ReportedExploration, reported
from rollproof.values.schedule import Schedule
from rollproof.values.struck import ENDS, Struck

POINTS = ("file.write:shared/a#1", "http.post:api.mail.test/mails#1")
FAULTS = ("process.kill", "storage.full", "http.timeout")
CAUSES = (Cause("all_or_nothing", "torn", "file.write:shared/a", "agent.py", 12), Cause("no_leftovers", "left over"))
WORDS = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(0, 9)


def schedule(fault: str, point: str, when: str = "after") -> Schedule:
    """Return a schedule of one fault."""
    return Schedule.parse(f"{fault}@{point}:{when}")


def report(*explorations: ReportedExploration, seed: int = 0) -> Report:
    """Return a report of these."""
    return {"version": 2, "seed": seed, "explorations": list(explorations)}


def told(**known: Any) -> ReportedExploration:
    """Return an exploration of which this is known, as JSON has it."""
    whole = {"test": "test_it", "points": 2, "schedules": 5, "executions": 9, "closed": True, "model": "every fault"}
    return reported(Exploration(**{**whole, **known}), ReplayCommand("test_it"))


def shards(*known: dict[str, Any]) -> list[tuple[str, Report]]:
    """Return a report for each shard of one exploration, with the name of its file."""
    parts = [told(shard=(number, len(known)), **one) for number, one in enumerate(known, 1)]
    return [(f"{number}.json", report(part)) for number, part in enumerate(parts, 1)]


def whole_of(*known: dict[str, Any]) -> ReportedExploration:
    """Return what these shards are together."""
    (found,) = merged(shards(*known))["explorations"]
    return found


def kill(when: str, **known: Any) -> Finding:
    """Return a finding of a crash."""
    return Finding(("all_or_nothing",), schedule("process.kill", POINTS[0], when), "half", cause=CAUSES[0], **known)


SCHEDULES = st.builds(schedule, st.sampled_from(FAULTS), st.sampled_from(POINTS), st.sampled_from(["before", "after"]))
FINDINGS = st.builds(
    Finding,
    st.just(("all_or_nothing",)),
    SCHEDULES,
    WORDS,
    cells=st.integers(1, 4),
    cause=st.sampled_from(CAUSES),
    severity=st.sampled_from(["", "critical", "minor"]),
    also=st.lists(SCHEDULES, max_size=2).map(tuple),
)
CELLS = st.builds(
    lambda point, fault, verdict, count: Cell(point, fault, verdict, (), schedule(fault, point), count, count - 1),
    st.sampled_from(POINTS),
    st.sampled_from(FAULTS),
    st.sampled_from(["holds", "violated", "unknown"]),
    st.integers(1, 3),
)
TIMES = st.dictionaries(st.sampled_from([0.0, 1.01, 31.0, 86400.0]), st.integers(1, 9))
TEXTS = st.lists(WORDS, unique=True, max_size=2).map(tuple)
EXPLORATIONS = st.fixed_dictionaries(
    {
        **dict.fromkeys(("points", "schedules", "executions", "worlds", "audited"), NUMBERS),
        **dict.fromkeys(("masked", "unwatched", "unheld", "unordered", "errors", "flaky", "on_request"), TEXTS),
        **dict.fromkeys(("drifted", "unintercepted", "not_explored", "notes"), TEXTS),
        "closed": st.booleans(),
        "seconds": st.integers(0, 10**6).map(lambda number: number / 1000),
        "skipped": st.dictionaries(st.sampled_from(["budget", "grows", "held_in_vain"]), NUMBERS, max_size=2),
        "not_tried": st.dictionaries(st.sampled_from(["crashes", "faults of storage"]), st.just((1, 3)), max_size=2),
        "verdicts": st.dictionaries(WORDS, st.sampled_from(["vacuous", "holds", "unknown", "violated"]), max_size=2),
        "interrupted": st.sampled_from(["", "", "Ctrl-C", "SIGTERM"]),
        "model": st.sampled_from(["every fault (closed)", "some faults"]),
        "cells": st.lists(CELLS, max_size=3, unique_by=lambda cell: (cell.point, cell.fault, cell.verdict)).map(tuple),
        "places": st.sampled_from([(), POINTS]),
        "firing": st.dictionaries(st.sampled_from(FAULTS), st.sampled_from([(), POINTS[:1], POINTS]), max_size=3),
        "not_selected": TEXTS,
        "struck": st.builds(Struck, st.dictionaries(st.sampled_from(ENDS), NUMBERS), TIMES, NUMBERS, NUMBERS),
        "violations": st.lists(FINDINGS, max_size=2, unique_by=lambda finding: finding.cause).map(tuple),
    }
)
EARLIER = st.fixed_dictionaries(
    {"known": st.booleans(), "new": st.sampled_from([None, True, False]), "reason": st.sampled_from(["", "a reason"])}
)


@st.composite
def sessions(draw: st.DrawFn) -> list[tuple[str, Report]]:
    """Return three reports, each with some of the shards of a few tests."""
    reports = [report() for _ in range(3)]
    for test in range(draw(st.integers(1, 2))):
        parts = draw(st.integers(1, 4))
        for part in draw(st.lists(st.integers(1, parts), unique=True, min_size=1)):
            found = told(test=f"test_{test}", shard=(part, parts), **draw(EXPLORATIONS))
            for violation in found["violations"]:
                violation.update(draw(EARLIER))
            found["resolved"] = draw(st.lists(WORDS, unique=True, max_size=3))
            fixed: Any = [{"id": id, "title": "", "schedule": "", "replayed": draw(st.booleans())} for id in "abc"]
            reasons = st.sampled_from(["not looked at, this is shard 1 of 4", "its schedule still fails"])
            found["unresolved"] = draw(st.dictionaries(WORDS, reasons, max_size=3))
            found["fixed"] = [one for one in fixed if one["id"] in found["resolved"]]
            draw(st.sampled_from(reports))["explorations"].append(found)
    return [(f"{number}.json", one) for number, one in enumerate(reports)]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(sessions())
def test_order_and_grouping_do_not_matter(three: list[tuple[str, Report]]) -> None:
    """What was merged may be merged with more; of one result it is that result."""
    first, second, third = three
    whole = merged(three)
    assert merged([third, first, second]) == whole
    assert merged([("m.json", merged([first, second])), third]) == whole
    assert merged([first, ("m.json", merged([third, second]))]) == whole
    assert merged([first]) is first[1]


def test_struck_runs_are_those_of_all_shards() -> None:
    """Counts are sums; a percentile is that of all times, which no percentiles of shards would give."""
    one = Struck({"done": 8, "stuck": 1}, {1.0: 8}, 3, 120)
    two = Struck({"done": 10, "wrong": 2}, {1.0: 2, 31.0: 9, 400.0: 1}, 1, 5)
    assert whole_of({"struck": one}, {"struck": two})["struck"] == {
        "ends": {"done": 18, "rolled back": 0, "handed over": 0, "stuck": 1, "wrong": 2},
        "recovery_s": {"median": 1.0, "p95": 31.0, "max": 400.0},
        "model_calls_again": 4,
        "tokens_again": 125,
        "times": {"1.0": 10, "31.0": 9, "400.0": 1},
    }


def test_a_shard_of_an_older_result_has_no_struck_runs() -> None:
    """The others are told."""
    parts = shards({"struck": Struck({"done": 8}, {1.0: 8})}, {})
    del parts[1][1]["explorations"][0]["struck"]  # type: ignore[misc]
    (found,) = merged(parts)["explorations"]
    assert found["struck"]["ends"]["done"] == 8


def test_counts_are_added_where_shards_are_disjoint() -> None:
    """What each shard sees of the same run is not; a shard that took part of the work is no slower for it."""
    one = {
        "schedules": 5,
        "executions": 9,
        "points": 4,
        "unintercepted": ("x",),
        "seconds": 1.25,
        "skipped": {"grows": 1},
    }
    found = whole_of(one, {**one, "points": 3, "skipped": {"grows": 2, "budget": 1}})
    assert (found["schedules"], found["executions"], found["seconds"]) == (10, 18, 2.5)
    assert (found["points"], found["unintercepted"]) == (4, 1)
    assert found["skipped"] == {"budget": 1, "grows": 3}
    assert found["statement"].startswith("4 points, 10 schedules judged in 18 executions; ")


@pytest.mark.parametrize(("other", "closed"), [({}, True), ({"closed": False}, False)])
def test_a_whole_is_closed_where_each_shard_was(other: dict[str, Any], closed: bool) -> None:
    """It says exhaustive then, which no shard does of itself."""
    found = whole_of({}, other, {})
    assert found["closed"] is closed
    assert found["shards"] == {"1/3": True, "2/3": closed, "3/3": True}
    assert "exhaustive: all 3 shards of every fault" in found["statement"]


def test_a_part_says_that_it_is_one() -> None:
    """Until the last shard is there nothing is closed or exhaustive."""
    first, second, third = shards({}, {}, {})
    (found,) = merged([third, first])["explorations"]
    assert not found["closed"]
    assert "2 of 3 shards of every fault" in found["statement"]
    assert "exhaustive" not in found["statement"]
    assert (
        "Parts of the same tests that are not in this result: 2/3 (rollproof merge joins them)." in found["not_proved"]
    )
    assert merged([("m.json", merged([third, first])), second]) == merged([first, second, third])


def test_what_one_shard_has_noticed_keeps_the_whole_from_exhaustive() -> None:
    """Its sentence is there, once."""
    found = whole_of({"unheld": ("git",)}, {"unheld": ("git",)})
    assert found["not_proved"].count("Not held back from the network: git.") == 1
    assert "exhaustive" not in found["statement"]
    assert "Not held back from the network: git" in found["statement"]


def test_each_violation_is_there_once_with_its_smallest_schedule() -> None:
    """The others are counted; it is known where each shard knows it."""
    two = Schedule((*schedule("storage.full", POINTS[0]).injections, *kill("after").planned.injections))
    larger = Finding(("all_or_nothing",), two, "half", cells=4, cause=CAUSES[0])
    first, second = shards({"violations": (larger,)}, {"violations": (kill("before", cells=2),)})
    first[1]["explorations"][0]["violations"][0]["known"] = True
    (violation,) = merged([first, second])["explorations"][0]["violations"]
    assert violation["schedule"] == str(kill("before").planned)
    assert violation["also"] == {"schedules": [str(two)], "number": 5}
    assert not violation["known"]


def test_what_another_shard_has_found_is_not_resolved() -> None:
    """Each shard misses what belongs to the others; of an earlier finding the one counts that looked for it."""
    first, second = shards({}, {"violations": (kill("before"),)})
    (mine,), (other,) = first[1]["explorations"], second[1]["explorations"]
    id = other["violations"][0]["id"]
    mine["resolved"] = [id, "gone"]
    mine["fixed"] = [{"id": one, "title": "", "schedule": "", "replayed": True} for one in (id, "gone")]
    mine["unresolved"] = {"same": "not looked at, this is shard 1 of 2"}
    elsewhere = dict.fromkeys((id, "gone", "left"), "not looked at, this is shard 2 of 2")
    other["unresolved"] = {**elsewhere, "same": "its schedule still fails, as another finding"}
    (found,) = merged([first, second])["explorations"]
    assert found["resolved"] == ["gone"]
    assert [one["id"] for one in found["fixed"]] == ["gone"]
    assert found["unresolved"] == {
        "left": "not looked at, this is shard 2 of 2",
        "same": "its schedule still fails, as another finding",
    }


def test_the_worst_verdict_counts() -> None:
    """A promise that had nothing to judge in one shard had something in another."""
    found = whole_of({"verdicts": {"a": "vacuous", "b": "holds"}}, {"verdicts": {"a": "holds", "b": "violated"}})
    assert found["verdicts"] == {"a": "holds", "b": "violated"}
    assert not any("nothing to judge" in sentence for sentence in found["not_proved"])


def test_families_that_were_left_out_are_added() -> None:
    """With each reason once."""
    one = {"not_tried": {"crashes": (1, 4)}, "skipped": {"budget": 3}}
    assert whole_of(one, one)["not_tried"] == {"crashes": "2 of 8 tried: --chaos-budget ran out"}


def test_the_grid_is_that_of_the_whole() -> None:
    """What one shard leaves to the other is tried then."""
    cells = [(Cell(point, "process.kill", "holds", (), schedule("process.kill", point)),) for point in POINTS]
    plan = {"places": POINTS, "firing": {"process.kill": POINTS, "http.timeout": POINTS[1:]}}
    first = told(cells=cells[0], shard=(1, 2), **plan)
    assert [(r["name"], r["tried"], r["not_tried"]) for r in first["grid"]["families"]] == [
        ("crashes", 1, 1),
        ("faults of models and services", 0, 1),
    ]
    found = whole_of({"cells": cells[0], **plan}, {"cells": cells[1], **plan})
    assert [(r["name"], r["tried"], r["not_applicable"], r["not_tried"]) for r in found["grid"]["families"]] == [
        ("crashes", 2, 0, 0),
        ("faults of models and services", 0, 1, 1),
    ]


def test_tests_of_other_sessions_stand_side_by_side() -> None:
    """In the order of their names, each as it was."""
    a, b = told(test="test_a"), told(test="test_b", label="second")
    assert merged([("1", report(b)), ("2", report(a))]) == report(a, b)


def two(first: ReportedExploration, second: ReportedExploration, seed: int = 0) -> Callable[[], Report]:
    """Return what merges two results."""
    return lambda: merged([("a.json", report(first)), ("b.json", report(second, seed=seed))])


@pytest.mark.parametrize(
    ("merge", "code", "said"),
    [
        (two(told(), told(test="test_b"), seed=3), "seeds-differ", "0 in a.json, 3 in b.json"),
        (two(told(), told()), "explored-twice", "test_it is in a.json and in b.json"),
        (two(told(), told(shard=(1, 2))), "explored-twice", "test_it is in a.json and in b.json"),
        (two(told(shard=(1, 2)), told(shard=(1, 2))), "explored-twice", "shard 1/2 of test_it is in a.json and"),
        (two(told(shard=(1, 2)), told(shard=(2, 3))), "shards-differ", "was cut into 2 and into 3 shards"),
    ],
)
def test_what_would_count_twice_is_refused(merge: Callable[[], Report], code: str, said: str) -> None:
    """Or what is not one plan."""
    with pytest.raises(ChaosError, match=said) as refused:
        merge()
    assert refused.value.code == code
