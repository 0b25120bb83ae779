"""Count what an exploration would try, from its fault-free run alone."""

from collections import Counter
from collections.abc import Iterable

from ..values.dry_run import DryRun
from ..values.points import Point
from ..values.schedule import Injection
from .config import ExplorationConfig
from .interleavings import InterleavingBudget
from .plan import errors
from .process_runs import ProcessRun
from .singles import Share, SingleCrash, SingleError, after, planned


def counted(first: ProcessRun, config: ExplorationConfig, touched: int, each_s: float, pinned: str = "") -> DryRun:
    """Return what would be tried after this fault-free run.

    Args:
        touched: how many of its points touch the outside.
        each_s: seconds of real time that such a run takes.
        pinned: the token of the one schedule that would be carried out; "" where everything selected would.
    """
    mine = Share(config.shard)
    singles = [] if pinned else planned(first, config, mine)[0]
    injections = [injection for single in singles for injection in _injections(single)]
    faults: dict[Point, Counter[str]] = {point: Counter() for point in first.points}
    for injection in injections:
        faults[injection.point][injection.fault] += 1
    orders = [] if pinned else [one for one in InterleavingBudget().plan(first) if mine.has_next("order")]
    second = _second(injections, first, config)
    errors_alone = sum(isinstance(single, SingleError) for single in singles)
    return DryRun(
        test=config.test,
        label=config.label,
        points=touched,
        faults={str(point): dict(sorted(counts.items())) for point, counts in faults.items() if counts},
        orders=len(orders),
        second=second,
        only_at=config.points.told(tuple(map(str, first.points))),
        pinned=pinned,
        executions=errors_alone + len(orders) + (second if config.depth > 1 else 0),
        each_s=each_s,
        draws=config.draws,
        budget_s=config.budget_s,
    )


def _injections(single: SingleCrash | SingleError) -> list[Injection]:
    if isinstance(single, SingleError):
        return [single.resolved.injection]
    return [schedule.injections[0] for schedule in single.schedules]


def _second(injections: Iterable[Injection], first: ProcessRun, config: ExplorationConfig) -> int:
    """Return how many second faults there are: later in the run, where it goes on, and anywhere in a recovery.

    What a recovery does is not known before one is run; it is taken for as long as the run.
    """
    here: Counter[Point] = Counter()
    for injection, _ in errors(config.points.of(first.points), first.effects, config.faults):
        here[injection.point] += 1
    total, count = sum(here.values()), 0
    for injection in injections:
        is_crash = config.kill is not None and injection.fault == config.kill.name
        count += total + (0 if is_crash else sum(here[point] for point in after(first, injection)))
    return count
