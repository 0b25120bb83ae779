"""The table of ``--chaos-dry-run``: each point, what would be tried there, and how many schedules that makes."""

from collections.abc import Iterator, Sequence

from rollproof.values.dry_run import DryRun, singles_of
from rollproof.values.exploration import counted

from .layout import wrapped

_ON_TOP = (
    "Nothing was explored. A crash in a recovery comes on top of these, as often as one leaves a new state; "
    "a schedule that no recovery can tell apart from another one is not carried out."
)
_BOUND = "(upper bound, where no recovery has more points than the run)"


def lines(found: Sequence[DryRun], width: int, verbosity: int = 0) -> list[str]:
    """Return the lines of a dry run: for each test its points, then its counts; at the end those of all.

    Args:
        verbosity: as pytest counts it: below 0 there are counts alone.
    """
    told = [line for one in found for line in _of_test(one, width, verbosity)]
    several = len(found) > 1
    total = f"in all: {_counts(found)}"
    totals = [total, *_effort(found)] if several else []
    return [*told, *(line for text in totals for line in wrapped(text, width, further="  ")), *wrapped(_ON_TOP, width)]


def _of_test(found: DryRun, width: int, verbosity: int) -> list[str]:
    name = found["test"] + (f" [{found['label']}]" if found["label"] else "")
    said = [name, *wrapped(f"{counted(found['points'], 'point')}; {_counts([found])}", width, "  ")]
    if found["pinned"]:
        return [*said, f"  pinned: {found['pinned']}"]
    for text in (*_effort([found]), *_limits(found)):
        said += wrapped(text, width, "  ")
    if found["only_at"]:
        said += wrapped(found["only_at"], width, "  ")
    if not found["faults"]:
        said += wrapped("none of the selected faults can strike here", width, "  ")
    return said if verbosity < 0 else [*said, *_points(found, width)]


def _points(found: DryRun, width: int) -> list[str]:
    totals = {point: str(sum(counts.values())) for point, counts in found["faults"].items()}
    column = max(map(len, totals.values()), default=0) + 2
    told = []
    for point, counts in found["faults"].items():
        told.append(f"  {totals[point]:>{column}}  {point}")
        faults = ", ".join(name if count == 1 else f"{name}×{count}" for name, count in counts.items())
        told += wrapped(faults, width, " " * (column + 6))
    return told


def _effort(found: Sequence[DryRun]) -> list[str]:
    """Return how many executions it takes, and how long that is about, at the pace of the fault-free runs."""
    executions = sum(one["executions"] for one in found)
    if not executions:
        return []
    seconds = sum(one["executions"] * one["each_s"] for one in found)
    more = "then up to three more for each state of the outside that they leave"
    return [f"up to {counted(executions, 'execution')}, about {_long(seconds)} here; {more}"]


def _long(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes > 1 else f"{max(1, round(seconds))} s"


def _limits(found: DryRun) -> Iterator[str]:
    if found["draws"] is not None:
        most, seconds = found["draws"]
        yield f"then sets of up to {most} faults are drawn for {_long(seconds)} (--chaos-minutes)"
    if found["budget_s"] is not None:
        yield f"it is ended after {found['budget_s']:g} s (--chaos-budget)"


def _counts(found: Sequence[DryRun]) -> str:
    singles, orders, second = (
        sum(map(count, found)) for count in (singles_of, lambda one: one["orders"], lambda one: one["second"])
    )
    parts = [f"{counted(singles, 'schedule')} of one fault"]
    parts += [counted(orders, "other order")] if orders else []
    drawn = all(one["draws"] is not None for one in found)
    parts += [f"{second} with a second at depth 2 {_BOUND}"] if second and not drawn else []
    return ", ".join(parts)
