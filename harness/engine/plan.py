"""Turn what was seen into schedules: which fault, at which point, at which moment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..boundary.armed import Armed
from ..values.errors import ChaosError
from ..values.faults import Fault, check_injection
from ..values.http import ModelAnswer
from ..values.legality import actions
from ..values.points import Effect, Point
from ..values.schedule import SWAP, Injection, Schedule
from ..values.strikes import Hold, Say
from .lives import Sighting

CRASH = "process.kill"


def crash(sighting: Sighting, *, recovering: bool) -> Injection:
    """Return the crash that leaves the outside as it was seen."""
    return Injection(CRASH, sighting.point, sighting.when, recovering=recovering)


def errors(
    points: Iterable[Point], effects: Mapping[Point, Effect], faults: Sequence[Fault]
) -> Iterator[tuple[Injection, Armed]]:
    """Yield every fault that leaves the process alive, at every point where it can strike."""
    for point in points:
        effect = effects.get(point, Effect(point))
        for fault in faults:
            if fault.name != CRASH and fault.applies(effect):
                yield from _injections(fault, effect)


def _injections(fault: Fault, effect: Effect) -> Iterator[tuple[Injection, Armed]]:
    for when in fault.when:
        if (when == "middle" and effect.size < 2) or (effect.reached and when not in effect.reached):
            continue
        strikes = actions(fault, replace(effect, when=when))
        for number, strike in enumerate(strikes, 1):
            variant = number if len(strikes) > 1 else 0
            for lasting in [False] * fault.once + [True] * fault.lasting:
                injection = Injection(fault.name, effect.point, when, variant, lasting)
                yield injection, Armed(0, injection, strike, fault.at, fault.outlives and lasting)


def order(injection: Injection, position: int = 0) -> Armed:
    """Make an order ready."""
    return Armed(position, injection, Hold(injection.ordinal), ())


def arm(schedule: Schedule, known: Mapping[str, Fault], effects: Mapping[Point, Effect]) -> list[Armed]:
    """Make the injections of a schedule ready to strike; raises ChaosError for what cannot strike there."""
    return [_armed(position, injection, known, effects) for position, injection in enumerate(schedule.injections)]


def fits(schedule: Schedule, known: Mapping[str, Fault], effects: Mapping[Point, Effect]) -> bool:
    """Say whether a schedule can be made ready here: one that was kept may be of another version of the agent."""
    try:
        arm(schedule, known, effects)
    except ChaosError:
        return False
    return True


def _armed(position: int, injection: Injection, known: Mapping[str, Fault], effects: Mapping[Point, Effect]) -> Armed:
    check_injection(injection, known)
    if injection.fault == SWAP:
        return order(injection, position)
    fault = known[injection.fault]
    effect = replace(effects.get(injection.point, Effect(injection.point)), when=injection.when)
    strikes = actions(fault, effect) or actions(fault, replace(effect, by="task"))
    if not strikes and effect.answer is None and fault.name.startswith("llm."):
        # an answer that is not known before it comes: what it becomes is made then, from the same variant
        return Armed(position, injection, Say(ModelAnswer()), fault.at)
    if not strikes:
        raise ChaosError(
            "drifted",
            f"{injection} does not strike: the fault-free run has no such point or no such answer there",
            "the agent changed since the token was printed: explore again without --chaos-replay",
        )
    strike = injection.variant_of(strikes)
    if strike is None:
        text = f"{fault.name} has no variant {injection.variant} {injection.when} {injection.point} (--chaos-replay)"
        count = len(strikes)
        hint = f"it has {count} there: 1 to {count}" if count > 1 else "it has one there: type no number"
        raise ChaosError("bad-token", text, hint)
    return Armed(position, injection, strike, fault.at, fault.outlives and injection.lasting)
