"""Turn what was seen into schedules: which fault, at which point, in which phase."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ..boundary.resolved import ResolvedInjection
from ..values.actions import Preempt, Say
from ..values.errors import ChaosError
from ..values.faults import Fault, check_injection
from ..values.http import ModelAnswer
from ..values.legality import actions
from ..values.points import Effect, Point
from ..values.schedule import SWAP, Injection, Schedule
from .process_runs import CrashState

CRASH = "process.kill"


def crash(crash_state: CrashState, *, recovering: bool) -> Injection:
    """Return the crash that leaves the outside as it was seen."""
    return Injection(CRASH, crash_state.point, crash_state.when, recovering=recovering)


def errors(
    points: Iterable[Point], effects: Mapping[Point, Effect], faults: Sequence[Fault]
) -> Iterator[tuple[Injection, ResolvedInjection]]:
    """Yield every fault that leaves the process alive, at every point where it can fire."""
    for point in points:
        effect = effects.get(point, Effect(point))
        for fault in faults:
            if fault.name != CRASH and fault.applies(effect):
                yield from _injections(fault, effect)


def _injections(fault: Fault, effect: Effect) -> Iterator[tuple[Injection, ResolvedInjection]]:
    for when in fault.when:
        # One byte has no middle, and an effect that failed has no phase after it.
        if (when == "middle" and effect.size < 2) or (effect.reached and when not in effect.reached):
            continue
        variants = actions(fault, replace(effect, when=when))
        for number, action in enumerate(variants, 1):
            variant = number if len(variants) > 1 else 0
            for lasting in [False] * fault.once + [True] * fault.lasting:
                injection = Injection(fault.name, effect.point, when, variant, lasting)
                yield injection, ResolvedInjection(0, injection, action, fault.at, fault.survives_restart and lasting)


def reorder(injection: Injection, position: int = 0) -> ResolvedInjection:
    """Return the preemption that makes an interleaving."""
    return ResolvedInjection(position, injection, Preempt(injection.ordinal), ())


def resolve(schedule: Schedule, known: Mapping[str, Fault], effects: Mapping[Point, Effect]) -> list[ResolvedInjection]:
    """Resolve the injections of a schedule; raises ChaosError for what cannot fire there."""
    return [_resolved(position, injection, known, effects) for position, injection in enumerate(schedule.injections)]


def fits(schedule: Schedule, known: Mapping[str, Fault], effects: Mapping[Point, Effect]) -> bool:
    """Return whether a schedule can be resolved here: one that was kept may be of another version of the agent."""
    try:
        resolve(schedule, known, effects)
    except ChaosError:
        return False
    return True


def _resolved(
    position: int, injection: Injection, known: Mapping[str, Fault], effects: Mapping[Point, Effect]
) -> ResolvedInjection:
    check_injection(injection, known)
    if injection.fault == SWAP:
        return reorder(injection, position)
    fault = known[injection.fault]
    effect = replace(effects.get(injection.point, Effect(injection.point)), when=injection.when, edits=injection.edits)
    variants = actions(fault, effect) or actions(fault, replace(effect, by="task"))
    is_known = effect.answer is not None and not (injection.edits and injection.recovering)
    if not variants and not is_known and fault.name.startswith("llm."):
        # an answer that is not known before it comes: what it becomes is made then, from the same variant
        return ResolvedInjection(position, injection, Say(ModelAnswer()), fault.at)
    if not variants:
        _check_edits(injection, fault, effect)
        raise ChaosError(
            "drifted",
            f"{injection} does not strike: the fault-free run has no such point or no such answer there",
            "the agent changed since the token was printed: explore again without --chaos-replay",
        )
    action = injection.variant_of(variants)
    if action is None:
        text = f"{fault.name} has no variant {injection.variant} {injection.when} {injection.point} (--chaos-replay)"
        count = len(variants)
        hint = f"it has {count} there: 1 to {count}" if count > 1 else "it has one there: type no number"
        raise ChaosError("bad-token", text, hint)
    return ResolvedInjection(position, injection, action, fault.at, fault.survives_restart and injection.lasting)


def _check_edits(injection: Injection, fault: Fault, effect: Effect) -> None:
    """Raise ChaosError ``bad-token`` for edits that cannot come at an effect, of which the answer is known."""
    refusal = fault.edits.refusal(injection.edits, effect) if fault.edits and effect.answer is not None else None
    if refusal is not None:
        raise ChaosError("bad-token", f"{injection.fault}: {refusal[0]} (--chaos-replay)", refusal[1])
