"""Carry each failure out once more, truly, as soon as it is found; what does not repeat is flaky, not a violation."""

from collections.abc import Callable, Iterator

from ..values.schedule import Schedule
from .budget import OutOfTime
from .findings import Failure, Findings, FirstFound
from .judge import Judgement

Truly = Callable[[Schedule], tuple[Judgement, list[str]]]
"""Carries a schedule out from the start, and returns how it ended and what of it drifted."""


class Confirming:
    """Confirms failures.

    Args:
        truly: carries a schedule out from the start, nothing remembered.
        found: is told of each failure when it is confirmed.
        first: whether one confirmed failure is enough.
    """

    def __init__(self, findings: Findings, truly: Truly, found: Callable[[Failure], None], *, first: bool) -> None:
        self._findings, self._truly, self._found, self._first = findings, truly, found, first
        self._seen = 0

    @property
    def has_new(self) -> bool:
        """Whether something was found since the last look."""
        return self._seen < len(self._findings.failures)

    def look(self) -> None:
        """Confirm what was found since the last look; raises FirstFound where that is all that is wanted."""
        failures = list(self._findings.failures.values())
        for failure in failures[self._seen :]:
            self._seen += 1
            try:
                self._confirm(failure)
            except OutOfTime:
                continue  # it is confirmed at the end, or told to be unconfirmed
            if failure.example is not None:
                self._found(failure)
                if self._first:
                    raise FirstFound

    def end(self) -> None:
        """Confirm those that are not, and those whose example is another one by now; the smallest first."""
        failures = self._findings.failures.values()
        for failure in sorted(failures, key=lambda f: len(f.schedule.injections)):
            if self._first and any(f.example is not None for f in failures):
                return
            if failure.tried != failure.schedule:
                try:
                    self._confirm(failure)
                except OutOfTime:
                    return

    def confirmed(self) -> Iterator[tuple[Failure, Judgement]]:
        """Yield the confirmed failures and what came of their examples, the smallest first."""
        found = [(f.example[0], f.example[1], f) for f in self._findings.failures.values() if f.example is not None]
        for _, judgement, failure in sorted(found, key=lambda one: len(one[0].injections)):
            yield failure, judgement

    def flaky(self) -> list[str]:
        """Return what did not repeat, and how it ended instead."""
        return [f.unlike for f in self._findings.failures.values() if f.example is None and f.unlike]

    def unconfirmed(self) -> list[str]:
        """Return what was seen once and could not be carried out again."""
        left = [f for f in self._findings.failures.values() if f.example is None and not f.unlike]
        return [
            f"{f.schedule} breaks {', '.join(f.judgement.invariants)}: seen once, not carried out again" for f in left
        ]

    def _confirm(self, failure: Failure) -> None:
        """Carry the example of a failure out; an earlier one stays where this does not repeat."""
        judgement = failure.judgement
        truly, drifted = self._truly(failure.schedule)
        failure.tried = failure.schedule
        if drifted or truly.invariants != judgement.invariants:
            then = "it drifted" if drifted else f"{list(truly.invariants) or 'nothing'}"
            failure.unlike = f"{failure.schedule}: first {list(judgement.invariants)}, then {then}"
        else:
            failure.example = failure.schedule, truly
