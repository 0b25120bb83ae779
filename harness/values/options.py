"""The options, as the command line, the ini file and the mark set them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .leftovers import LEFTOVER_NAMES
from .runs import Runs
from .selection import PointSelection

if TYPE_CHECKING:
    from pathlib import Path

    from .faults import Fault
    from .history import Invariant
    from .replaying import ReplayCommand
    from .schedule import Schedule
    from .sources import Recognizer, ServiceMaker


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of one test.

    `schedule` is set for a replay. `faults` are those selected out of `known`, `points` where they
    are placed. With `dry_run` what would be tried is counted, and nothing is. `projects` are the folders that the
    session belongs to: where pytest was started, and its root. `records` are the places where what is
    watched may be recorded, the best first; `controller` is the pid of the one that a worker must not outlive, or 0.
    `failed_before` has for each exploration, by its label, what failed in the last session and is tried first.
    `outlets` has the descriptors by which the session writes to the terminal, besides the standard ones.
    `replay` is how its schedules are replayed; None where nobody can start the test by its id.
    `runs` has what an earlier run found in the test, and what is known.
    `sources` and `twins` say, when they are needed, what plugins know of objects that are watched and of twins.
    `converse` shows what a debugger has printed, and returns a line that the person types; None without a debugger.
    `keep` is the folder for states of findings; None where none are kept.
    `record` says of cassettes whether the real provider may be asked: "once", where there is no file yet; "missing",
    for what the file has no answer to; or "never".
    """

    active: bool = False
    faults: "Sequence[Fault]" = ()
    known: "Mapping[str, Fault]" = field(default_factory=dict)
    invariants: "Sequence[Invariant]" = ()
    seed: int = 0
    schedule: "Schedule | None" = None
    reduce: bool = True
    reuse: bool = False
    first: bool = False
    depth: int = 1
    minutes: float | None = None
    points: PointSelection = field(default_factory=PointSelection)
    dry_run: bool = False
    budget_s: float | None = None
    shard: tuple[int, int] = (1, 1)
    leftover_names: tuple[str, ...] = LEFTOVER_NAMES
    toxiproxy: str | None = None
    projects: "tuple[Path, ...]" = ()
    records: "Sequence[Path]" = ()
    controller: int = 0
    failed_before: "Mapping[str, Sequence[Schedule]]" = field(default_factory=dict)
    outlets: "Callable[[], Sequence[int]]" = tuple
    replay: "ReplayCommand | None" = None
    sources: "Callable[[], Sequence[Recognizer]]" = tuple
    twins: "Callable[[], Mapping[str, ServiceMaker]]" = dict
    keep: "Path | None" = None
    converse: "Callable[[str, bool], str] | None" = None
    runs: Runs = field(default_factory=Runs)
    record: Literal["never", "once", "missing"] = "never"
