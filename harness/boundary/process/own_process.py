"""The state that an agent's process sets for itself, since all are forked from one process."""

import os
from collections.abc import Callable, Sequence

from ...values.actions import Disturb
from ..media import patience
from ..resolved import ResolvedInjection
from . import entropy, printing
from .kept_times import KeptTime, put_back


class OwnProcess:
    """The pids, random numbers, kept times, output and patience of one process, from its first request on.

    Args:
        outlets: descriptors of the terminal and its like.
        kept: the times that libraries keep in the test's process.
    """

    def __init__(self, outlets: Sequence[int], kept: Sequence[KeptTime]) -> None:
        self.pids: frozenset[int] = frozenset()
        self._outlets = outlets
        self._stream = entropy.install()
        self._is_redirected = False
        self._kept = kept
        self._restore_timeouts: Callable[[], None] = lambda: None

    def begin(self, pids: frozenset[int], printed: int | None) -> None:
        """Record the pid and its ancestors'; at the first call also redirect its output."""
        if not self._is_redirected:  # only where the agent runs: the fork server keeps its output
            self._is_redirected = True
            printing.redirect(self._outlets, printed)
        self.pids = pids | {os.getpid()}

    def draw(self, stream: str, start: float) -> None:
        """Draw random numbers from the stream of this key, and ids that are made of the time from `start` on.

        Args:
            start: virtual time at which the process begins, epoch seconds.
        """
        put_back(self._kept, start)
        entropy.begin(self._stream, stream)

    def be_patient(self, plan: Sequence[ResolvedInjection]) -> None:
        """Leave timeouts of sockets as the agent sets them; cut them short if the plan makes a connection silent."""
        # The schedule before may have cut them short.
        self._restore_timeouts()
        if any(isinstance(resolved.action, Disturb) and resolved.action.how == "silent" for resolved in plan):
            self._restore_timeouts = patience.shorten()
