"""Injections with edits: put together of the single edits that can come at a point, by choices made elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..values.edits import JOINED
from ..values.faults import Fault
from ..values.legality import actions
from ..values.points import Effect
from ..values.schedule import Injection

Choose = Callable[[int], int]
"""Returns a number from 0, below the one that it gets; 0 is the simplest choice."""
_EDITS = (1, 1, 1, 2, 3)  # how many one injection has: most often one


@dataclass(frozen=True, slots=True)
class Drawable:
    """A fault with edits at one effect, and all single edits of one document that can come there, by place."""

    fault: Fault
    effect: Effect
    recovering: bool
    by_place: Sequence[Sequence[str]]

    def draw(self, choose: Choose) -> Injection | None:
        """Draw an injection by `choose`; None where the edits that were drawn cannot come together."""
        left = list(range(len(self.by_place)))
        number = min(len(left), _EDITS[choose(len(_EDITS))])
        places = sorted(left.pop(choose(len(left))) for _ in range(number))
        if not all(self.by_place[place] for place in places):
            return None
        edits = [self.by_place[place][choose(len(self.by_place[place]))] for place in places]
        lasting = bool(choose(2)) if self.fault.once and self.fault.lasting else self.fault.lasting
        return self._injection(edits, lasting)

    def simpler(self, injection: Injection) -> Iterator[Injection]:
        """Yield the injection once, with an edit less, and with an edit that comes earlier at the same place."""
        edits = injection.edits.split(JOINED)
        if injection.fault != self.fault.name:
            return
        if injection.lasting and self.fault.once:
            yield replace(injection, lasting=False)
        fewer = [edits[:n] + edits[n + 1 :] for n in range(len(edits))] if len(edits) > 1 else []
        others = [
            [*edits[:n], other, *edits[n + 1 :]]
            for n, edit in enumerate(edits)
            for of_place in self.by_place
            if edit in of_place
            for other in of_place[: of_place.index(edit)]
        ]
        found = (self._injection(some, injection.lasting) for some in (*fewer, *others))
        yield from (one for one in found if one is not None)

    def _injection(self, edits: Sequence[str], lasting: bool) -> Injection | None:
        text, when = JOINED.join(edits), self.effect.when
        injection = Injection(
            self.fault.name, self.effect.point, when, lasting=lasting, recovering=self.recovering, edits=text
        )
        return injection if actions(self.fault, replace(self.effect, edits=text)) else None


def drawables(effect: Effect, faults: Sequence[Fault], *, recovering: bool) -> Iterator[Drawable]:
    """Yield what can be drawn at an effect: for each fault with edits one for each document."""
    for fault in faults:
        if fault.edits is None or not fault.applies(effect):
            continue
        for when in fault.when:
            if not effect.reached or when in effect.reached:
                met = replace(effect, when=when)
                for by_place in fault.edits.at(met):
                    yield Drawable(fault, met, recovering, by_place)
