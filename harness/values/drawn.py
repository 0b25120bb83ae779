"""Sets of faults that were drawn beyond what is enumerated: plain counts, which add up over shards."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TypedDict, cast


class ReportedDrawn(TypedDict):
    """The counts of `DrawnSets`, by the same names."""

    most: int
    least: int
    at_random: int
    edited: int
    failed: int
    led: int


@dataclass(frozen=True, slots=True)
class DrawnSets:
    """Counts of the sets that were drawn, and of which every fault was reached.

    Attributes:
        most: how many faults a set had at most; 0 where none were to be drawn.
        least: how many it had at least: 1 where a model's JSON was edited, which is not enumerated.
        at_random: how many were drawn at random, each by itself; `failed` of them failed in a way that one enumerated
            fault, with crashes or without, does not. In `edited` of them a model's JSON was edited.
        led: how many more Hypothesis drew, led by what it had seen.
    """

    most: int = 0
    at_random: int = 0
    failed: int = 0
    led: int = 0
    least: int = 2
    edited: int = 0


NONE = DrawnSets()


def reported_drawn(drawn: DrawnSets) -> ReportedDrawn:
    """Return the counts as plain data."""
    return cast(ReportedDrawn, asdict(drawn))


def together(parts: Iterable[ReportedDrawn]) -> ReportedDrawn:
    """Return the counts of several parts of an exploration as one."""
    found = reported_drawn(NONE)
    for part in parts:
        found["most"], found["least"] = max(found["most"], part["most"]), min(found["least"], part["least"])
        found["at_random"] += part["at_random"]
        found["edited"] += part["edited"]
        found["failed"] += part["failed"]
        found["led"] += part["led"]
    return found


def in_words(drawn: ReportedDrawn) -> str:
    """Return a sentence on the counts and the bound that they give; "" if no sets were to be drawn.

    Of n sets drawn at random, with replacement, none of which fails, less than 1 - 0.05^(1/n) of all draws do, with
    95 % confidence: the exact bound (Clopper and Pearson, 1934), rounded up.
    """
    if not drawn["most"]:
        return ""
    count = drawn["at_random"]
    sets = f"{count} {'set' if count == 1 else 'sets'} of {drawn['least']} to {drawn['most']} faults drawn at random"
    beyond = "in a way that one fault does not"
    if drawn["least"] == 1:  # which are one fault each
        sets += f", {drawn['edited']} of them with edits of a model's JSON"
        beyond = "in a way that one enumerated fault does not"
    if drawn["failed"]:
        came = f", {drawn['failed']} of {'all' if drawn['least'] == 1 else 'them'} failed {beyond}"
    elif count:
        bound = math.ceil((1 - 0.05 ** (1 / count)) * 10_000) / 10_000
        none = f"none failed {beyond}"
        came = f": {none}, so of all that are drawn like these less than {bound:.2%} do (95 % sure)"
    else:
        came = ""
    return f"{sets}{came}; {drawn['led']} more led by new crash states"
