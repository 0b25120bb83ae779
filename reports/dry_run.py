"""The table of ``--chaos-dry-run``: each point, what would be tried there, and how many schedules that makes."""

from collections.abc import Sequence

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
    return [*told, *(wrapped(total, width, further="  ") if several else []), *wrapped(_ON_TOP, width)]


def _of_test(found: DryRun, width: int, verbosity: int) -> list[str]:
    name = found["test"] + (f" [{found['label']}]" if found["label"] else "")
    said = [name, *wrapped(f"{counted(found['points'], 'point')}; {_counts([found])}", width, "  ")]
    if found["pinned"]:
        return [*said, f"  pinned: {found['pinned']}"]
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


def _counts(found: Sequence[DryRun]) -> str:
    singles, orders, second = (
        sum(map(count, found)) for count in (singles_of, lambda one: one["orders"], lambda one: one["second"])
    )
    parts = [f"{counted(singles, 'schedule')} of one fault"]
    parts += [counted(orders, "other order")] if orders else []
    parts += [f"{second} with a second at depth 2 {_BOUND}"] if second else []
    return ", ".join(parts)
