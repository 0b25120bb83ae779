"""The ends of the runs that a fault struck: plain counts, which add up over shards.

What is counted, and how, stands in `engine/struck.py`.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

ENDS = ("done", "rolled back", "handed over", "stuck", "wrong")
"""As a fault-free run ends; as it was before; as `allow` accepts; no end, or a recovery that failed; another promise
is broken. Each struck run that could be judged has one of them."""


class RecoverySeconds(TypedDict):
    """Virtual seconds from a fault to the end of the last recovery; all 0 where no end came."""

    median: float
    p95: float
    max: float


class ReportedStruck(TypedDict):
    """How the struck runs ended, how long they took from the fault on, and what of models was spent again.

    `times` has each virtual time, in seconds to three digits, and how many took it: shards are joined by it.
    """

    ends: dict[str, int]
    recovery_s: RecoverySeconds
    model_calls_again: int
    tokens_again: int
    times: dict[str, int]


@dataclass(frozen=True, slots=True)
class Struck:
    """The struck runs of an exploration, schedule by schedule; `times` counts them by virtual seconds.

    `model_calls_again` and `tokens_again` are sums over all of them.
    """

    ends: Mapping[str, int] = field(default_factory=dict)
    times: Mapping[float, int] = field(default_factory=dict)
    model_calls_again: int = 0
    tokens_again: int = 0


def reported_struck(struck: Struck) -> ReportedStruck:
    """Return struck runs as plain data, with all ends."""
    return {
        "ends": {end: struck.ends.get(end, 0) for end in ENDS},
        "recovery_s": _seconds(struck.times),
        "model_calls_again": struck.model_calls_again,
        "tokens_again": struck.tokens_again,
        "times": {str(time): count for time, count in sorted(struck.times.items())},
    }


def together(parts: Iterable[ReportedStruck]) -> ReportedStruck:
    """Return the struck runs of several shards as one: all counts are sums, and the percentiles those of the whole."""
    ends: Counter[str] = Counter()
    times: Counter[float] = Counter()
    calls = tokens = 0
    for part in parts:
        ends.update(part["ends"])
        times.update({float(time): count for time, count in part["times"].items()})
        calls += part["model_calls_again"]
        tokens += part["tokens_again"]
    return reported_struck(Struck(ends, times, calls, tokens))


def in_digits(seconds: float) -> float:
    """Return a time to three digits, so that there are not too many different ones; the rest is below what it says."""
    return float(f"{seconds:.3g}")


def _seconds(times: Mapping[float, int]) -> RecoverySeconds:
    return {"median": _share(times, 50), "p95": _share(times, 95), "max": max(times, default=0.0)}


def _share(times: Mapping[float, int], percent: int) -> float:
    """Return the shortest time within which this share of all ended (the nearest rank)."""
    rank = math.ceil(sum(times.values()) * percent / 100)
    for time, count in sorted(times.items()):
        rank -= count
        if rank <= 0:
            return time
    return 0.0
