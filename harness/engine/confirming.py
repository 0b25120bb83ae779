"""Carry an example of each cause out once more, truly, as soon as it is found; what does not repeat is flaky."""

from collections.abc import Callable, Iterator

from ..values.rare import rare
from ..values.schedule import Schedule
from .budget import OutOfTime
from .causes import Causes, Group
from .findings import Failure, Findings, FirstFound
from .judge import Judgement
from .replay import Judged

Truly = Callable[[Schedule], Judged]
"""Carries a schedule out from the start, and returns how it ended and what of it drifted."""


class Confirming:
    """Runs one failing schedule of each cause again, from the start.

    Args:
        causes: puts the failures together by their cause.
        truly: carries a schedule out from the start, nothing remembered.
        found: is told each time a cause is confirmed.
        is_enough: says whether what is confirmed by now is all that is wanted.
    """

    def __init__(
        self,
        findings: Findings,
        causes: Causes,
        truly: Truly,
        found: Callable[[], None],
        is_enough: Callable[[], bool],
    ) -> None:
        self._findings, self._causes = findings, causes
        self._truly, self._found, self._is_enough = truly, found, is_enough
        self._seen = 0

    @property
    def has_new(self) -> bool:
        """Return whether something was found since the last look."""
        return self._seen < len(self._findings.failures)

    def look(self) -> None:
        """Confirm the causes that were found since the last look; raises FirstFound where no more are wanted."""
        new = list(self._findings.failures.values())[self._seen :]
        self._seen += len(new)
        # Further ends of known causes confirm nothing new; `end` looks at all once more.
        if all(self._causes.explains(failure) for failure in new):
            return
        for group in self._groups():
            if any(failure.example is not None for failure in group.failures):
                continue
            try:
                confirmed = self._confirm_one(group)
            except OutOfTime:
                continue  # it is confirmed at the end, or told to be unconfirmed
            if confirmed:
                self._found()
                if self._is_enough():
                    raise FirstFound

    def end(self) -> None:
        """Confirm the causes that are not, and those whose best example is another one by now; the smallest first."""
        for group in self._groups():
            if self._is_enough():
                return
            try:
                self._confirm_one(group)
            except OutOfTime:
                return

    def confirmed(self) -> Iterator[tuple[Group, Failure, Judgement]]:
        """Yield the confirmed causes, the best example of each and what came of it: races, then the smallest first."""
        found = []
        for group in self._groups():
            failure = next((failure for failure in group.failures if failure.example is not None), None)
            if failure is not None and failure.example is not None:
                size = not failure.is_race, *self._findings.size(failure.example[0])
                found.append((size, group, failure, failure.example[1]))
        for _, group, failure, judgement in sorted(found, key=lambda one: one[0]):
            yield group, failure, judgement

    def flaky(self) -> list[str]:
        """Return the failures that did not repeat, and how each ended instead."""
        return [f.unlike for f in self._findings.failures.values() if f.example is None and f.unlike]

    def unconfirmed(self) -> list[str]:
        """Return an example of each cause that was seen once and not carried out again."""
        left = [group.failures[0] for group in self._groups() if not any(f.example for f in group.failures)]
        return [
            f"{f.schedule} breaks {', '.join(f.judgement.invariants)}: seen once, not carried out again"
            for f in left
            if not f.unlike
        ]

    def _groups(self) -> list[Group]:
        return self._causes.groups(self._findings.failures.values())

    def _confirm_one(self, group: Group) -> bool:
        """Carry the best examples of a cause out until one repeats; returns whether one did."""
        for failure in group.failures:
            # Once for each example: only a smaller schedule, found since, is worth another run.
            if failure.tried != failure.schedule:
                self._confirm(failure)
            if failure.example is not None:
                return True
        return False

    def _confirm(self, failure: Failure) -> None:
        """Carry the example of a failure out; an earlier one stays where this does not repeat."""
        judgement = failure.judgement
        came = self._truly(failure.schedule)
        truly, not_reached = came.again if judgement.goes_on else came.judgement, came.not_reached
        if not_reached or truly is None or truly.invariants != judgement.invariants:
            rare("a failure does not repeat")
            then = (
                "it drifted" if not_reached else f"{list(truly.invariants if truly is not None else ()) or 'nothing'}"
            )
            where = " in the same process" if judgement.goes_on else ""
            failure.ended_otherwise(f"{failure.schedule}: first {list(judgement.invariants)}{where}, then {then}")
        else:
            failure.repeated(truly)
