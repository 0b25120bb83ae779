"""Edits: what a fault does where it can do so much that nothing could try it all, so that it is drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .points import Effect

Single = str
"""One edit at one place, as a token writes it."""
JOINED = ","
"""Stands between the edits of one injection."""


@dataclass(frozen=True, slots=True)
class Edits:
    """The edits of a fault, which carries those out that the effect names (`Effect.edits`), and none by itself.

    Attributes:
        at: returns the single edits that can come at an effect: for each document those of each place, the simplest
            first; a place may have none. One injection has one of a place, or of several places of one document.
        told: returns what edits did, as a clause: ``/price was null``.
        refusal: returns why a text names no edits, and what is near; None where it does. With an effect: why they
            cannot come there.
    """

    at: Callable[[Effect], Sequence[Sequence[Sequence[Single]]]]
    told: Callable[[str], str]
    refusal: Callable[[str, Effect | None], tuple[str, str] | None]
