"""Promises about how an agent runs and recovers."""

from collections.abc import Iterator

from rollproof.values.history import History, Violation, invariant
from rollproof.values.world import World


def _recovered(after: World, history: History) -> bool:
    return any(history.of("recover"))


@invariant("recovery_succeeds", applies=_recovered)
def recovery_succeeds(after: World, history: History) -> Iterator[Violation]:
    """A healthy recovery raises nothing and ends."""
    for execution in history.of("recover"):
        if not execution.faulted and execution.outcome.kind != "returned":
            text = f"a healthy recovery {_how(execution.outcome.kind)}: {execution.outcome.error}"
            yield Violation(text, by=execution)
            return


@invariant("recovery_idempotent", applies=lambda after, history: history.again is not None)
def recovery_idempotent(after: World, history: History) -> Iterator[Violation]:
    """Recovering once more changes nothing that is watched, and raises nothing."""
    for execution in history.of("recover again"):
        if execution.outcome.kind != "returned":
            text = f"recovering once more {_how(execution.outcome.kind)}: {execution.outcome.error}"
            yield Violation(text, by=execution)
    if history.again:
        by = next(history.of("recover again"), None)
        yield Violation("recovering once more changed the outside", history.again, by)


@invariant("clean_retry", applies=lambda after, history: history.retried is not None)
def clean_retry(after: World, history: History) -> Iterator[Violation]:
    """After a rollback the same task runs again without a fault and ends as a fault-free run does."""
    for execution in history.of("retry"):
        if execution.outcome.kind != "returned":
            text = f"after the rollback a new run {_how(execution.outcome.kind)}: {execution.outcome.error}"
            yield Violation(text, by=execution)
    if history.retried:
        text = "after the rollback a new run does not end as a fault-free run does"
        yield Violation(text, history.retried, next(history.of("retry"), None))


def _says_something(after: World, history: History) -> bool:
    return history.claims_done is not None or history.recovery_claims_done is not None


@invariant("honest_outcome", applies=_says_something)
def honest_outcome(after: World, history: History) -> Iterator[Violation]:
    """A run that returns what a fault-free run returns has done what a fault-free run does.

    So has a recovery that is the run again. It may stop at an end that `allow` accepts: what it was started for is
    settled then, and it has nothing else to return.
    """
    untrue = "says that it is done, and the outside is not as a complete run leaves it"
    if history.claims_done and history.from_done:
        yield Violation(f"the run {untrue}", history.from_done, way="untrue")
    elif history.recovery_claims_done and history.from_done and not history.accepted:
        recovery = list(history.of("recover"))[-1]
        yield Violation(f"the run that recovers {untrue}", history.from_done, recovery)


@invariant("terminates")
def terminates(after: World, history: History) -> Iterator[Violation]:
    """Run and recovery end: no retry storm, no endless polling, no hang."""
    for execution in history.executions:
        if not execution.outcome.ended:
            text = f"the {execution.role} {_how(execution.outcome.kind)}: {execution.outcome.error}"
            yield Violation(text, by=execution)
            return


def _how(kind: str) -> str:
    return {
        "raised": "raised",
        "killed": "died",
        "unbounded": "did not end",
        "hung": "hung",
        "returned": "returned",
    }[kind]
