"""Run what follows a fault: recover, later where a lease is left, recover once more, run the task again.

Nothing is judged here: what ran is handed to `judge`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..boundary.armed import Armed
from ..values.history import Role
from ..values.points import Point
from ..values.rare import rare
from ..world.leases import live_leases
from .execute import Again, Executor, How
from .joining import Joining
from .lens import Lens
from .lives import RESTART_S, Lived, Snapshot
from .session import Baseline
from .setting import Setting

_MAX_LEASES = 3


@dataclass(frozen=True, slots=True)
class Course:
    """The processes of one schedule, and those that tell what would come after them.

    Attributes:
        lives: the schedule's own, in their order.
        again: one more recovery from where they end; None where nothing recovered, or it failed.
        retried: the task run again after a rollback; None where nothing was rolled back, and where it was to the last
            bit: `undone` then.
    """

    lives: tuple[Lived, ...]
    again: Lived | None = None
    retried: Lived | None = None
    undone: bool = False

    @property
    def end(self) -> Snapshot:
        """The outside that the schedule's own processes leave."""
        return self.lives[-1].end

    @property
    def asked(self) -> tuple[Lived, ...]:
        """All of them."""
        return (*self.lives, *(life for life in (self.again, self.retried) if life is not None))


class Recovery:
    """Starts processes from where others ended.

    What a second recovery or a retry does from an end is asked once for each distinct end, with `merge`.
    """

    def __init__(
        self, setting: Setting, executor: Executor, lens: Lens, baseline: Baseline, *, merge: bool = True
    ) -> None:
        self._setting, self._executor, self._lens, self._baseline = setting, executor, lens, baseline
        self._merge, self._joining = merge, Joining(lens)
        self._before = lens.identity(baseline.initial)
        self._again: dict[str, list[Lived]] = {}
        self._retries: dict[str, list[Lived]] = {}

    def recover(self, start: Snapshot, *, trace: bool, plan: Sequence[Armed] = ()) -> list[Lived]:
        """Let a recovery run; where it leaves a live lease, once more after the lease has run out.

        They count as one recovery: points are numbered through, and a plan strikes in the first one that reaches its
        point; after that nobody waits.
        """
        lives = [self.restart("recover", start, trace=trace, plan=plan)]
        while len(lives) <= _MAX_LEASES and not (lives[-1].planned and lives[-1].struck):
            later = self._after_its_lease(lives[-1])
            if later is None:
                break
            earlier = tuple(point for life in lives for point in life.points)
            lives.append(self.restart("recover", later, trace=trace, plan=plan, earlier=earlier))
        return lives

    def again(self) -> Again:
        """Return what says when a process that an error left is called again: at once, and as `recover` does it."""
        calls = 0

        def start(life: Lived) -> Snapshot | None:
            nonlocal calls
            calls += 1
            if calls > _MAX_LEASES + 1:
                return None
            world = life.end if calls == 1 else self._after_its_lease(life)
            return None if world is None else _a_moment_later(world)

        return start

    def is_over(self, life: Lived) -> bool:
        """Return whether nobody starts another recovery after this one.

        One that a fault struck is followed by a healthy one, except where it took what it misread for right, and said
        that all is done.
        """
        struck = life.planned > 0 and not (life.misread and self._leased_until(life.end) is None)
        return life.outcome.kind == "returned" and not struck

    def is_needed(self, life: Lived) -> bool:
        """Say whether a service would start again after this: a crash, or an error that nobody handles."""
        if life.outcome.kind == "returned":
            return life.role == "recover" and not self.is_over(life)
        return life.outcome.kind != "raised" or life.role != "run" or self._setting.errors != "handled"

    def outlasted(self, life: Lived, plan: Sequence[Armed]) -> list[Lived]:
        """Let the recovery after a process meet what struck in it and is not over; empty where nothing outlives it."""
        left = [replace(a, begun=True) for i, a in enumerate(plan) if a.outlives and i in life.struck]
        if not left or not self.is_needed(life):
            return []
        return self.recover(life.end, trace=False, plan=[replace(a, position=i) for i, a in enumerate(left)])

    def _after_its_lease(self, life: Lived) -> Snapshot | None:
        """Return the end of a recovery when the lease that it leaves has run out; it was early then. None for none."""
        until = self._leased_until(life.end)
        if until is None:
            return None
        rare("a recovery waits for a lease to run out")
        life.came_early()
        return replace(life.end, clock=until + 1.0)

    def _leased_until(self, end: Snapshot) -> float | None:
        """Return when the last lease runs out that a fault-free run does not leave too; None where none lives."""
        done = self._baseline.done
        usual = live_leases(self._lens.world(done), done.clock)
        live = live_leases(self._lens.world(end), end.clock)
        return max((until for place, until in live.items() if place not in usual), default=None)

    def restart(
        self,
        role: Role,
        world: Snapshot,
        *,
        trace: bool = False,
        plan: Sequence[Armed] = (),
        earlier: tuple[Point, ...] = (),
    ) -> Lived:
        """Start a new process a moment after the last one ended."""
        start = _a_moment_later(world)
        stream = f"{role.split()[0]}/{self._lens.identity(world)}"
        return self._executor.live(role, start, stream, plan, How(trace=trace, earlier=earlier))

    def followed(self, lives: Sequence[Lived]) -> Course:
        """Ask what would come after these processes: another recovery, and where all is rolled back the task again."""
        end, baseline = lives[-1].end, self._baseline
        recovered = lives[-1].role == "recover" and lives[-1].outcome.kind == "returned"
        again = self._once("recover again", end, self._again) if recovered else None
        rolled_back = not self._lens.difference(baseline.initial, end)
        rolled_back = rolled_back and bool(self._lens.difference(baseline.done, end))
        undone = rolled_back and self._lens.identity(end) == self._before
        asks = rolled_back and not undone and self._setting.retry
        return Course(tuple(lives), again, self._once("retry", end, self._retries) if asks else None, undone)

    def _once(self, role: Role, end: Snapshot, lives: dict[str, list[Lived]]) -> Lived:
        """Let a process start from an end, or return one that started from an end that it cannot tell from this one."""
        if not self._merge:
            return self.restart(role, end)
        fingerprint = self._joining.fingerprint
        alike = lives.setdefault(self._joining.weakest(end), [])
        for known in alike:
            before = replace(known.start, clock=known.start.clock - RESTART_S)
            if fingerprint(before, known.footprint) == fingerprint(end, known.footprint):
                return known
        alike.append(self.restart(role, end))
        return alike[-1]


def _a_moment_later(world: Snapshot) -> Snapshot:
    return replace(world, clock=world.clock + RESTART_S)
