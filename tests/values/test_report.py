"""Version 2 of the JSON result: what tells violations apart, and what of each is known."""

from dataclasses import replace
from typing import Any

import pytest
from rollproof.testing import sample_report
from rollproof.values.causes import Cause
from rollproof.values.exploration import Exploration, Finding
from rollproof.values.ids import violation_id
from rollproof.values.replaying import ReplayCommand
from rollproof.values.report import ReportedExploration, reported
from rollproof.values.struck import Struck, reported_struck

CAUSE = Cause(
    "all_or_nothing", "torn", "file.write:shared/a", "agent.py", 12, "save", "out.write(text)", ("agent.py:30",)
)
RAISED = Cause("recovery_succeeds", "raised", exception="KeyError at agent.py:3 in resume", raising="known[name]")
TOKEN = "process.kill@file.write:shared/a#1:after"


def found(cause: Cause | None, *invariants: str) -> Finding:
    """Return a finding with this cause."""
    return Finding(invariants or ("all_or_nothing",), TOKEN, "half", (), 3, cause=cause)


def exploration(*findings: Finding) -> ReportedExploration:
    """Return an exploration in which these were found."""
    return reported(Exploration("test_it", violations=findings), ReplayCommand("test_it.py::test_it"))


@pytest.mark.parametrize(
    ("cause", "changed"),
    [
        (CAUSE, {"line": 13, "callers": ("agent.py:31",)}),
        (CAUSE, {"way": "missing"}),
        (CAUSE, {"promise": "recovery_idempotent"}),
        (RAISED, {"exception": "KeyError at agent.py:7 in resume"}),
    ],
)
def test_an_id_stays(cause: Cause, changed: dict[str, Any]) -> None:
    """After edits elsewhere, and however the same cause shows this time."""
    assert violation_id("test_it", found(cause)) == violation_id("test_it", found(replace(cause, **changed)))


@pytest.mark.parametrize(
    ("cause", "changed"),
    [
        (CAUSE, {"statement": "out.write(text[:9])"}),
        (CAUSE, {"function": "keep"}),
        (CAUSE, {"way": "twice"}),
        (CAUSE, {"effect": "file.write:shared/b"}),
        (CAUSE, {"callers": ("other.py:30",)}),
        (RAISED, {"exception": "OSError at agent.py:3 in resume"}),
        (RAISED, {"raising": "known[other]"}),
    ],
)
def test_an_id_is_another_one(cause: Cause, changed: dict[str, Any]) -> None:
    """For another cause, another place, another test."""
    id = violation_id("test_it", found(cause))
    assert id != violation_id("test_it", found(replace(cause, **changed)))
    assert id != violation_id("test_other", found(cause))


def test_ids_of_one_exploration_differ() -> None:
    """Also where nothing is known of the cause."""
    ids = [violation["id"] for violation in exploration(found(None), found(None), found(None, "mine"))["violations"]]
    assert len({*ids}) == 3
    assert ids[1] == f"{ids[0]}-2"


def test_what_is_known_is_told_and_the_rest_is_empty() -> None:
    """The cause, the command, how many others there are; of the right type where a later version fills it."""
    (told,) = exploration(found(CAUSE))["violations"]
    assert told["replay"] == f"pytest --chaos test_it.py::test_it --chaos-replay='{TOKEN}'"
    assert told["cause"] is not None
    assert (told["cause"]["file"], told["cause"]["line"]) == ("agent.py", 12)
    assert told["also"] == {"schedules": [], "number": 2}
    assert (told["title"], told["severity"], told["story"]) == ("", "", [])
    assert told["states"] == {"before": {}, "fault": {}, "end": {}, "right": {}}


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ({}, (0.0, 0.0, 0.0)),
        ({31.0: 1}, (31.0, 31.0, 31.0)),
        ({2.0: 1, 1.0: 1}, (1.0, 2.0, 2.0)),
        ({1.0: 95, 2.0: 4, 60.0: 1}, (1.0, 1.0, 60.0)),
        ({1.0: 94, 2.0: 5, 60.0: 1}, (1.0, 2.0, 60.0)),
    ],
)
def test_recovery_times_are_told_by_rank(times: dict[float, int], told: tuple[float, float, float]) -> None:
    """Each is a time that some recovery took; all are 0 where none came to an end."""
    struck = reported_struck(Struck({"wrong": sum(times.values())}, times))
    assert (*struck["recovery_s"].values(),) == told


def test_every_report_has_all_keys() -> None:
    """Those of the types, whatever was found."""
    explored = sample_report()["explorations"][0]
    assert explored.keys() == ReportedExploration.__annotations__.keys()
    assert explored["cells"][0]["count"] == 2
