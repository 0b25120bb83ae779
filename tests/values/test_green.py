"""What green means, in sentences for a stranger: what was proved, and each thing that was not looked at."""

from typing import Any

import pytest
from rollproof.values import green
from rollproof.values.exploration import Cell, Exploration
from rollproof.values.replaying import ReplayCommand
from rollproof.values.report import ReportedExploration, reported
from rollproof.values.schedule import Schedule

POINTS = ("file.write:shared/a#1", "file.replace:shared/a#1")


def cell(fault: str, point: str = POINTS[0], count: int = 1, merged: int = 0, verdict: str = "holds") -> Cell:
    """Return a row of the table."""
    return Cell(point, fault, verdict, (), Schedule.parse(f"{fault}@{point}:after"), count, merged)


def told(**known: Any) -> ReportedExploration:
    """Return an exploration that was closed, but for what is known otherwise."""
    whole: dict[str, Any] = {
        **{"points": 2, "schedules": 6, "executions": 9, "worlds": 3, "closed": True},
        "cells": (cell("process.kill", count=4, merged=3), cell("storage.full", POINTS[1])),
        "model": "every single fault and any number of crashes (closed)",
        "places": POINTS,
        "firing": {"process.kill": POINTS, "storage.full": POINTS[1:], "http.timeout": ()},
    }
    return reported(Exploration(**{**whole, **known}), ReplayCommand("test_it"))


def test_what_was_proved_under_which_model() -> None:
    """Places, faults, schedules; how crashes were tried; what held."""
    found = told(verdicts={"no_leftovers": "holds", "clean_retry": "vacuous"}, audited=2)
    assert found["proved"] == [
        "2 places where the agent touches the outside were hit by 2 faults: 6 schedules in 9 executions; "
        "each was carried out, or is the same to every recovery as one that was.",
        "Tried was every single fault and any number of crashes (closed).",
        "The process was killed at each of these places, and again in each recovery, "
        "until no new state of the outside came: 3 states to recover from.",
        "These promises held each time: no_leftovers.",
        "Merged schedules that were carried out by themselves as well, to see that they end alike: 2.",
    ]
    assert found["not_proved"] == [
        "Promises that had nothing to judge: clean_retry.",
        "Not applicable, as the agent does nothing where they could be put: faults of models and services.",
    ]
    assert green.is_exhaustive(found)


@pytest.mark.parametrize("known", [{"interrupted": "Ctrl-C"}, {"schedules": 0}])
def test_nothing_is_proved_where_nothing_came_to_its_end(known: dict[str, Any]) -> None:
    """Never green by chance."""
    assert told(**known)["proved"] == []


def test_a_replay_proves_no_more_than_itself() -> None:
    """It has no model and no grid."""
    found = told(model="", places=(), firing={}, schedules=1)
    assert found["proved"] == ["One schedule was carried out, truly, and nothing else."]
    assert found["grid"] == {"families": [], "points": []}


@pytest.mark.parametrize(
    ("known", "sentence", "is_gap"),
    [
        ({"interrupted": "Ctrl-C"}, "Interrupted by Ctrl-C: all that comes after that.", True),
        ({"skipped": {"budget": 2}}, "2 schedules left out: --chaos-budget ran out.", True),
        ({"skipped": {"first_finding": 1}}, "1 schedule left out: it ended at its first finding.", True),
        ({"skipped": {"max_worlds": 1}}, "1 crash state left out: only so many are followed.", True),
        ({"skipped": {"a_rule": 3}}, "3 schedules left out by a_rule.", True),
        ({"not_tried": {"faults of storage": (3, 40)}}, "Faults of storage: 3 of 40 tried.", False),
        ({"closed": False}, "Further crashes: new states of the outside still came (not closed).", True),
        ({"drifted": ("a",)}, "1 schedule whose point was not reached.", True),
        ({"unintercepted": ("a",)}, "1 effect of the agent that nothing saw coming: no fault was tried there.", True),
        ({"unwatched": ("/a", "/b")}, "Written and not watched, so not compared: /a, /b.", False),
        ({"masked": ("a: time",)}, "Masked, as it differs between two runs without a fault: a: time.", False),
        ({"not_explored": ("x.py:3 starts a process",)}, "x.py:3 starts a process.", True),
        ({"verdicts": {"mine": "unknown"}}, "Promises that could not be judged: mine.", False),
        ({"errors": ("oh",)}, "1 error of the harness or of a check, each told in full.", True),
        ({"flaky": ("a", "b")}, "2 failures that did not repeat.", True),
        (
            {"not_selected": ("llm.timeout",), "firing": {"process.kill": POINTS}},
            "Not selected: faults of models and services.",
            False,
        ),
        ({"concurrent": ("tasks",)}, "Side by side, and tried in one order only: tasks.", True),
        (
            {"inside": ("process.spawn:git#1",)},
            "A program that changed what is watched was not looked into: process.spawn:git#1.",
            True,
        ),
        (
            {"asked": ("pypi.org\nx.py:3",)},
            'The agent asked pypi.org (x.py:3) and was refused: chaos.offline("pypi.org") says that this is meant.',
            True,
        ),
        (
            {"permitted": ("api.test",)},
            "A real host may be reached directly, without faults, and is not put back: api.test.",
            True,
        ),
        ({"unheld": ("git",)}, "Not held back from the network: git.", True),
        ({"unordered": ("a lock",)}, "Left to the machine, and perhaps otherwise the next time: a lock.", True),
        ({"growing": ("log",)}, "log grows with each restart, so further crashes were not tried.", True),
        ({"on_request": ("storage.bit_flip",)}, "Tried only where they are selected by name: storage.bit_flip.", False),
    ],
)
def test_each_thing_that_was_not_looked_at_has_its_sentence(known: dict[str, Any], sentence: str, is_gap: bool) -> None:
    """Once; and what makes a statement not exhaustive does so here."""
    found = told(**known)
    assert found["not_proved"].count(sentence) == 1, found["not_proved"]
    assert green.is_exhaustive(found) is not is_gap


def test_an_order_that_cannot_come_was_tried() -> None:
    """It is counted, and left out of what is missing."""
    assert told(skipped={"held_in_vain": 4})["not_proved"] == told()["not_proved"]


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"skipped": {"budget": 5}}, "1 of 4 tried: --chaos-budget ran out"),
        ({"skipped": {"first_finding": 5}}, "1 of 4 tried: it ended at its first finding"),
        ({"drifted": ("x",)}, "1 of 4 tried"),
    ],
)
def test_a_family_that_was_not_tried_says_why(known: dict[str, Any], why: str) -> None:
    """In the result and in the sentence."""
    found = told(not_tried={"crashes": (1, 4)}, **known)
    assert found["not_tried"] == {"crashes": why}
    assert f"Crashes: {why}." in found["not_proved"]


def test_the_grid_counts_points_and_faults() -> None:
    """Each cell of it once: tried, merged, cannot be, or left."""
    cells = (
        cell("process.kill", count=4, merged=3),
        cell("process.kill", verdict="violated"),
        cell("process.kill", POINTS[1], 2, 2),
        cell("storage.full", POINTS[1], verdict="unknown"),
        cell("order.swap"),
    )
    rows = {row["name"]: row for row in told(cells=cells)["grid"]["families"]}
    nothing = {"tried": 0, "merged": 0, "not_applicable": 0, "not_tried": 0, "violated": 0, "unknown": 0}
    assert rows == {
        "crashes": {**nothing, "name": "crashes", "tried": 1, "merged": 1, "violated": 1},
        "faults of storage": {**nothing, "name": "faults of storage", "tried": 1, "not_applicable": 1, "unknown": 1},
        "faults of models and services": {**nothing, "name": "faults of models and services", "not_applicable": 2},
    }
    points = {row["name"]: row for row in told(cells=cells)["grid"]["points"]}
    assert points[POINTS[0]] == {**nothing, "name": POINTS[0], "tried": 1, "not_applicable": 2, "violated": 1}
    assert points[POINTS[1]]["merged"] == 1
