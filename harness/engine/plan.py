"""Turn what was seen into schedules: which fault, at which point, at which moment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..boundary.armed import Armed
from ..values.errors import ChaosError, unknown_fault
from ..values.faults import Fault
from ..values.http import ModelAnswer
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
        strikes = list(fault.strikes(replace(effect, when=when)))
        for number, strike in enumerate(strikes, 1):
            variant = str(number) if len(strikes) > 1 else ""
            for lasting in [False] * fault.once + [True] * fault.lasting:
                injection = Injection(fault.name, effect.point, when, variant, lasting)
                yield injection, Armed(0, injection, strike, fault.at, fault.outlives and lasting)


def order(injection: Injection, position: int = 0) -> Armed:
    """Make an order ready."""
    others = int(injection.variant) if injection.variant.isdigit() else 1
    return Armed(position, injection, Hold(others), ())


def arm(schedule: Schedule, known: Mapping[str, Fault], effects: Mapping[Point, Effect]) -> list[Armed]:
    """Make the injections of a schedule ready to strike; raises ChaosError for an unknown fault or variant."""
    return [_armed(position, injection, known, effects) for position, injection in enumerate(schedule.injections)]


def fits(schedule: Schedule, known: Mapping[str, Fault], effects: Mapping[Point, Effect]) -> bool:
    """Say whether a schedule can be made ready here: one that was kept may be of another version of the agent."""
    try:
        arm(schedule, known, effects)
    except ChaosError:
        return False
    return True


def _armed(position: int, injection: Injection, known: Mapping[str, Fault], effects: Mapping[Point, Effect]) -> Armed:
    if injection.fault == SWAP:
        return order(injection, position)
    fault = known.get(injection.fault)
    if fault is None:
        raise unknown_fault(injection.fault, known, "--chaos-replay")
    effect = effects.get(injection.point, Effect(injection.point))
    if not fault.applies(effect) or injection.when not in fault.when:
        raise ChaosError(
            "bad-token",
            f"{injection.fault} cannot strike {injection.when} {injection.point} (--chaos-replay)",
            f"it strikes {', '.join(fault.when)} {', '.join(fault.at)}",
        )
    effect = replace(effect, when=injection.when)
    strikes = list(fault.strikes(effect)) or list(fault.strikes(replace(effect, by="task")))
    index = int(injection.variant) - 1 if injection.variant.isdigit() else 0
    if not strikes and effect.answer is None and fault.name.startswith("llm."):
        # an answer that is not known before it comes: what it becomes is made then, from the same variant
        return Armed(position, injection, Say(ModelAnswer()), fault.at)
    if index >= len(strikes):
        raise ChaosError(
            "drifted",
            f"{injection} does not strike: the fault-free run has no such point or no such answer there",
            "the agent changed since the token was printed: explore again without --chaos-replay",
        )
    return Armed(position, injection, strikes[index], fault.at, fault.outlives and injection.lasting)
