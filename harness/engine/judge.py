"""Ask the questions that need another process, and put every invariant to what came of a schedule."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..boundary.armed import Armed
from ..values.history import Execution, History, Role, Violation
from ..values.points import Point
from ..values.schedule import Injection
from ..values.world import Diff, World
from ..world.compare import matches_value
from ..world.leases import live_leases
from .execute import Again, Executor
from .joining import Joining, Noticing
from .lens import Lens
from .lives import OWN_PROCESSES, RESTART_S, Lived, Snapshot
from .observe import Baseline
from .setting import Setting

_OURS = "rollproof.invariants.outside", "rollproof.invariants.recovery"  # of private files they judge the names
_VERDICTS = ("vacuous", "holds", "unknown", "violated")
_MAX_LEASES = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong after one schedule: for each broken invariant its name and violation; errors of checks apart.

    `told` is what the invariants saw of `executions`, one by one; `earlier` are processes that ran before these, as far
    as they are known. `from_before` and `from_done` are what differs from the two right ends. `symptoms` keeps what is
    wrong by the first injection of a schedule that ends so, and by whether it is the only one. `claims_done` says
    whether the run returned what a fault-free run returns; None where there is nothing to compare.
    """

    broken: tuple[tuple[str, Violation], ...]
    errors: tuple[str, ...]
    end: Snapshot
    executions: tuple[Lived, ...]
    from_before: Diff = ()
    from_done: Diff = ()
    told: tuple[Execution, ...] = ()
    earlier: tuple[Lived, ...] = ()
    claims_done: bool | None = None
    symptoms: dict[tuple[Injection, bool], Any] = field(default_factory=dict, compare=False)

    @property
    def goes_on(self) -> bool:
        """Whether it shows what came of calling again in the process that an error had left."""
        return any(life.goes_on for life in self.executions)

    @property
    def invariants(self) -> tuple[str, ...]:
        """Names of the broken invariants."""
        return tuple(dict.fromkeys(name for name, _ in self.broken))

    def process(self, violation: Violation) -> Lived | None:
        """Return the process that a violation is about; None where it is no certain one."""
        told = zip(self.told, self.executions, strict=True)
        return next((life for execution, life in told if execution is violation.by), None)

    def processes(self, violation: Violation) -> list[Lived]:
        """Return those that made what a violation shows: of the ones that were only asked, the one it is about."""
        about = self.process(violation)
        return [life for life in self.executions if life.role in OWN_PROCESSES or life is about]

    @property
    def diff(self) -> Diff:
        """The differences of all violations, each once."""
        return tuple(dict.fromkeys(change for _, violation in self.broken for change in violation.diff))


class Judge:
    """Judges ends. What a second recovery or a retry does from an end is asked once for each distinct end."""

    def __init__(
        self, setting: Setting, executor: Executor, lens: Lens, baseline: Baseline, *, merge: bool = True
    ) -> None:
        self._merge = merge
        self._setting, self._executor, self._lens, self._baseline = setting, executor, lens, baseline
        self._run_again = setting.run is setting.recover
        self._initial = lens.identity(baseline.initial)
        self._first_change = _first_change(baseline)
        self._joining = Joining(lens)
        self._again: dict[str, list[Lived]] = {}
        self._retries: dict[str, list[Lived]] = {}
        self.private_is_judged = False
        self.verdicts: dict[str, str] = {}

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

    def _after_its_lease(self, life: Lived) -> Snapshot | None:
        """Return the end of a recovery when the lease that it leaves has run out; it was early then. None for none."""
        until = self._leased_until(life.end)
        if until is None:
            return None
        life.role = "recover early"
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
        return self._executor.live(role, start, stream, plan, trace=trace, earlier=earlier)

    def judge(self, lives: Sequence[Lived], earlier: Sequence[Lived] = ()) -> Judgement:
        """Put every invariant to the outside as these processes leave it; `earlier` ones ran before them."""
        end = lives[-1].end
        before, done = self._baseline.initial, self._baseline.done
        from_before, from_done = self._lens.difference(before, end), self._lens.difference(done, end)
        asked = list(lives)
        recovered = lives[-1].role == "recover" and lives[-1].outcome.kind == "returned"
        again = self._recover_again(end) if recovered else None
        rolled_back = not from_before and bool(from_done)
        unchanged = rolled_back and self._lens.identity(end) == self._initial
        retried = self._retry(end) if rolled_back and not unchanged else None
        asked += [life for life in (again, retried) if life is not None]
        errors: list[str] = []
        history = History(
            tuple(life.execution() for life in asked),
            self._lens.world(before),
            self._lens.world(done),
            from_before,
            from_done,
            self._accepts(end, errors),
            self._claims_done(lives[0]) if lives[0].role == "run" else None,
            None if again is None else self._lens.difference(again.start, again.end),
            self._retry_differs(retried, unchanged and self._did_anything((*earlier, *lives))),
            self._baseline.transient,
            {**self._executor.credentials, **self._setting.secrets},
            self._setting.leftover_names,
            self._claims_done(lives[-1]) if lives[-1].role == "recover" and self._run_again else None,
        )
        judgement = self._ask_all(history, end, tuple(asked), errors)
        return replace(judgement, earlier=tuple(earlier), claims_done=history.claims_done)

    def _ask_all(self, history: History, end: Snapshot, asked: tuple[Lived, ...], errors: list[str]) -> Judgement:
        ours, theirs = self._lens.world(end), self._noticed(end)
        broken: list[tuple[str, Violation]] = []
        for invariant in self._setting.invariants:
            world = ours if invariant.check.__module__.startswith(_OURS) else theirs
            try:
                found = list(invariant.check(world, history)) if invariant.applies(world, history) else None
            except AssertionError as problem:
                found = [Violation(str(problem).partition("\n")[0] or f"{invariant.name} does not hold")]
            except Exception as problem:
                errors.append(f"invariant {invariant.name} failed: {type(problem).__name__}: {problem}")
                self._verdict(invariant.name, "unknown")
                continue
            self._verdict(invariant.name, "vacuous" if found is None else "violated" if found else "holds")
            broken += [(invariant.name, violation) for violation in found or ()]
        return Judgement(
            tuple(broken), tuple(errors), end, asked, history.from_before, history.from_done, history.executions
        )

    def _noticed(self, end: Snapshot) -> World:
        """Return an end for a check of somebody's own, which may judge private files by their content."""
        world = self._lens.world(end)
        return replace(world, private_entries=Noticing(world.private_entries, self._private_is_judged))

    def _private_is_judged(self) -> None:
        self.private_is_judged = True

    def _verdict(self, name: str, verdict: str) -> None:
        worst = max(self.verdicts.get(name, "vacuous"), verdict, key=_VERDICTS.index)
        self.verdicts[name] = worst

    def _recover_again(self, end: Snapshot) -> Lived:
        return self._once("recover again", end, self._again)

    def _retry(self, end: Snapshot) -> Lived | None:
        """Run the task again from a rolled-back world."""
        return self._once("retry", end, self._retries) if self._setting.retry else None

    def _retry_differs(self, retried: Lived | None, exactly_undone: bool) -> Diff | None:
        """Return how a retry ends otherwise than a fault-free run; None where nothing was rolled back.

        What was undone to the last bit is the world before: a retry from there is the fault-free run itself.
        """
        if retried is not None:
            return self._lens.difference(self._baseline.done, retried.end)
        return () if exactly_undone and self._setting.retry else None

    def _did_anything(self, lives: Sequence[Lived]) -> bool:
        """Return whether processes that end in the world before had changed it meanwhile, as far as is known."""
        starts = (life.start for life in lives)
        seen = (sighting.world for life in lives for sighting in life.sightings)
        if any(self._lens.identity(world) != self._initial for world in (*starts, *seen)):
            return True
        return any(not life.sightings and self._first_change in life.points[:-1] for life in lives)

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

    def _accepts(self, end: Snapshot, errors: list[str]) -> bool:
        if self._setting.allow is None:
            return False
        try:
            return bool(self._setting.allow(self._noticed(end)))
        except AssertionError:
            return False
        except Exception as problem:
            errors.append(f"allow failed: {type(problem).__name__}: {problem}")
            return False

    def _claims_done(self, run: Lived) -> bool | None:
        """Return whether a run, the first or one that recovers, returned what a fault-free run returns."""
        first, second = self._baseline.first.outcome.value, self._baseline.others[0].outcome.value
        if run.outcome.kind != "returned" or first is None:
            return None
        return matches_value(first, second, run.outcome.value)


def _first_change(baseline: Baseline) -> Point | None:
    """Return the first point of the fault-free run that changes the outside."""
    before = baseline.initial
    changed = (sighting.point for sighting in baseline.first.sightings if not sighting.world.same_state(before))
    return next(changed, None)


def _a_moment_later(world: Snapshot) -> Snapshot:
    return replace(world, clock=world.clock + RESTART_S)
