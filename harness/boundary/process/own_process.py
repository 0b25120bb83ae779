"""What an agent process has for its own: it was forked from one that is shared."""

import os
from collections.abc import Callable, Sequence

from ...values.actions import Disturb
from ..media import patience
from ..resolved import ResolvedInjection
from . import entropy, printing


class OwnProcess:
    """The pids, random numbers, output and patience of one process, from its first request on.

    Args:
        outlets: descriptors of the terminal and its like.
    """

    def __init__(self, outlets: Sequence[int]) -> None:
        self.pids: frozenset[int] = frozenset()
        self._outlets = outlets
        self._stream: entropy.Stream | None = None
        self._lengthen: Callable[[], None] = lambda: None

    def begin(self, pids: frozenset[int], printed: int | None) -> None:
        """Know its pid and those before it; the first time, redirect what it prints and draws."""
        # Only where the agent runs: the fork server keeps its own random numbers and output.
        if self._stream is None:
            self._stream = entropy.install()
            printing.redirect(self._outlets, printed)
        self.pids = pids | {os.getpid()}

    def draw(self, stream: str) -> None:
        """Draw random numbers from the stream of this key on."""
        assert self._stream is not None
        entropy.begin(self._stream, stream)

    def be_patient(self, plan: Sequence[ResolvedInjection]) -> None:
        """Wait as long as the agent says, unless a connection of it will fall silent."""
        # The schedule before may have cut the patience of sockets short.
        self._lengthen()
        if any(isinstance(resolved.action, Disturb) and resolved.action.how == "silent" for resolved in plan):
            self._lengthen = patience.shorten()
