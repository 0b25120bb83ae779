"""Try changes against each confirmed cause, within a part of what the exploration took; claim what helps."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ..values import kinds
from ..values.errors import ChaosError
from ..values.exploration import some_of
from ..values.schedule import SWAP, Injection, Schedule
from ..values.story import Cure
from .causes import Key
from .crash_state_space import CrashStateSpace
from .cures import as_one, keyed, lease, message_id, once_more, order
from .cures.at_least_once import is_inherent
from .cures.remedy import Case, Remedies
from .cures.trying import NOT_TO_ITS_END, Known, Trial
from .execute import How
from .exploring import Exploring
from .judge import Judgement
from .plan import CRASH, resolve
from .process_runs import FIRST_STREAM, ProcessRun, RawState
from .telling import Telling

_REMEDIES: Sequence[Remedies] = (
    as_one.alone,
    keyed.remedies,
    message_id.remedies,
    lease.remedies,
    order.remedies,
    as_one.remedies,
    once_more.remedies,
)
_LEAST, _SHARE = 12, 13
"""So many processes may be run in all, and one for so many of the exploration's where that is more: a tenth of its
processor time, since a process that is looked at all along takes a third more than the average one.

Fewer than twelve do not try the key of one call to its end. They are a tenth of what an exploration of two or three
seconds takes, its start included.
"""


@dataclass
class Curing:
    """Tries remedies on cases.

    Attributes:
        executions: how many processes the trials took.
        found: the kind and the cure of each cause that was tried, by its key.
    """

    executions: int = 0
    found: dict[Key, tuple[str, Cure]] = field(default_factory=dict)

    def all(self, known: Known, cases: Sequence[Case]) -> None:
        """Try the remedies of each case, the first one first; what is left of its share goes to the next one."""
        telling = known.executor.telling
        began, most = telling.executions, max(_LEAST, telling.executions // _SHARE)
        try:
            with telling.set_apart("trying cures"), known.executor.used_meanwhile():
                for place, case in enumerate(cases):
                    used = telling.executions - began
                    may_go_on = partial(_lasts, telling, began + used + (most - used) // (len(cases) - place))
                    if may_go_on():  # it may take a process
                        case = _with_last_process(known, case)
                    self.found[case.group.key] = _tried(known, case, may_go_on)
        finally:
            self.executions = telling.executions - began


def _with_last_process(known: Known, case: Case) -> Case:
    """Return a case with the process in which the second of two faults fires, where that is known or is a run."""
    if len(case.example.injections) != 2:
        return case
    first, last = case.example.injections
    if not last.recovering:
        return replace(case, handler=_handler(known, first)) if last.fault == CRASH and first.fault != SWAP else case
    start = known.trials.view.fingerprint(case.judgement.executions[0].end)
    return replace(case, recovery=known.recovery(start))


def _handler(known: Known, first: Injection) -> ProcessRun:
    """Return the run in which an error fires, looked at from there on."""
    trials, baseline = known.trials, known.trials.baseline
    plan = resolve(Schedule((first,)), trials.config.known, baseline.first.effects)
    return known.executor.run_process("run", baseline.initial, FIRST_STREAM, plan, How(trace="once fired"))


def _lasts(telling: Telling, until: int) -> bool:
    return telling.executions < until


def _tried(known: Known, case: Case, may_go_on: Callable[[], bool]) -> tuple[str, Cure]:
    """Try the remedies of a case until one helps; returns the kind that it shows, and what was tried."""
    tried: dict[str, str] = {}  # what was changed in words, with its outcome
    for remedies in _REMEDIES:
        for remedy in remedies(case):
            if not may_go_on():
                break
            trial = Trial(known, case, remedy, may_go_on)
            if _cures(trial):
                return remedy.kind, Cure(remedy.words, trial.outcome, helps=True)
            tried.setdefault(remedy.words, trial.outcome)
    outcomes = list(tried.values())
    unfinished = not may_go_on() or any(outcome.startswith(NOT_TO_ITS_END) for outcome in outcomes)
    none = "none of these changes is known to help" if unfinished else "none of these changes helps"
    outcome = none if len(outcomes) > 1 else "".join(outcomes)
    # What was not tried to its end may be curable.
    inherent = not unfinished and is_inherent(case)
    changes = some_of(plainly(tried))
    instead = keyed.instead_of_keys(case, keyed.called(case.cause.effect)[1]) if case.group.key[0] == "twice" else ""
    if instead:
        changes, outcome = changes or "nothing", "; ".join(filter(None, (outcome, instead)))
    return kinds.AT_LEAST_ONCE if inherent else "", Cure(changes, outcome)


def plainly(tried: Iterable[str]) -> Iterator[str]:
    """Yield changes in words; one that was tried alone and with more stands once."""
    changes = list(tried)
    for words in changes:
        more = [other.removeprefix(words) for other in changes if other.startswith(f"{words} and ")]
        if not any(words.startswith(f"{other} and ") for other in changes):
            yield f"{words}, alone{more[0]}" if more else words


def _cures(trial: Trial) -> bool:
    try:
        return trial.cures()
    except ChaosError as problem:
        return trial.fails(f"it cannot be tried: {problem}")


def known_of(exploring: Exploring, space: CrashStateSpace) -> Known:
    """Return the parts of an exploration that trials are compared with."""
    view = exploring.trials.view

    def judgement(state: RawState) -> Judgement | None:
        node = space.nodes.get(view.fingerprint(state))
        return None if node is None else node.judgement

    groups = exploring.causes.groups(exploring.findings.failures.values())
    return Known(
        exploring.trials.executor,
        exploring.trials,
        exploring.findings,
        exploring.sites,
        frozenset(group.key for group in groups),
        judgement,
        lambda fingerprint: _recovered(space, fingerprint),
        lambda schedule: exploring.truly(schedule, worker=False).judgement,
    )


def _recovered(space: CrashStateSpace, fingerprint: str) -> ProcessRun | None:
    """Return the recovery from a crash state that is known, where it is its own."""
    node = space.nodes.get(fingerprint)
    return node.processes[0] if node is not None and node.processes and node.joined is None else None
