"""The table of ``--chaos-durations=N``: the time of the slowest explorations, by part."""

from collections.abc import Sequence

from rollproof.values.durations import PARTS
from rollproof.values.report import ReportedExploration

from .layout import aligned

_HEAD = ("seconds", *PARTS, "processes", "exploration")
_MEANING = (
    "fork: starting and ending processes; learn: finding what is volatile; compare: naming states and their differences"
)


def durations(explorations: Sequence[ReportedExploration], count: int) -> list[str]:
    """Return a table of the `count` slowest explorations, 0 for all, in seconds of real time."""
    timed = sorted((one for one in explorations if one.get("spent")), key=lambda one: -one["seconds"])[: count or None]
    if not timed:
        return []
    rows = [_HEAD, *(_row(one) for one in timed)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = [
        "  ".join([*(aligned(*one, right=True) for one in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    return [f"chaos durations ({f'slowest {count}' if count else 'all'}; {_MEANING})", *lines]


def _row(one: ReportedExploration) -> tuple[str, ...]:
    label = f" [{one['label']}]" if one["label"] else ""
    parts = (f"{one['spent'].get(part, 0.0):.2f}" for part in PARTS)
    return f"{one['seconds']:.2f}", *parts, str(one["executions"]), f"{one['test']}{label}"
