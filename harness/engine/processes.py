"""The processes of an agent, one after the other: forked from the nursery, or the last one again where that rests."""

from collections.abc import Callable

from ..boundary import child
from ..boundary.channel import Channel
from ..boundary.nursery import Nursery, end_group

_SENT_AWAY = 20


class Processes:
    """Hands out processes, and sees to it that the last one has gone before the next one begins.

    Attributes:
        pid: of the process that was handed out last.
    """

    def __init__(self, agent: Callable[[], child.Agent], started: Callable[[int], None]) -> None:
        self._agent, self._started = agent, started
        self._nursery: Nursery | None = None
        self._resting: Channel | None = None
        self._dying = False
        self.pid = 0
        self._taken: frozenset[int] = frozenset()

    def avoid(self, taken: frozenset[int]) -> None:
        """Give no process one of these pids from now on: the outside shows these numbers anyway."""
        self._taken = taken

    def make_way(self, pids: frozenset[int]) -> None:
        """Wait until the last process has gone, its locks and its pid with it, unless it is at rest.

        One of `pids` made the outside what it is: who comes after it must find it dead, and have another pid.
        """
        if self.pid in pids:
            self.retire()
        if self._resting is None:
            self.bury()

    def next(self, others: frozenset[int] = frozenset()) -> tuple[Channel, bool]:
        """Return the line to the next process, and whether it has carried out another order before.

        `others` are further pids that it may not have.
        """
        if self.pid in others:
            self.retire()
            self.bury()
        if self._resting is not None:
            return self._resting, True
        if self._nursery is None:
            self._nursery = Nursery(self._agent())
            self._started(self._nursery.pid)
        for _ in range(_SENT_AWAY):
            self.pid, channel = self._nursery.child()
            if self.pid not in self._taken and self.pid not in others:
                return channel, False
            channel.close()
            self._nursery.reap(self.pid)
        self.pid, channel = self._nursery.child()  # thousands of numbered files: worlds may stay two that are one
        return channel, False

    def keep(self, channel: Channel) -> None:
        """Let the process wait for another order."""
        self._resting = channel

    def end(self, channel: Channel) -> None:
        """End the process; it may take a moment to go."""
        self._resting, self._dying = None, True
        end_group(self.pid)
        channel.close()

    def retire(self) -> None:
        """End the process that waits for another order, where one does."""
        if self._resting is not None:
            self.end(self._resting)

    def bury(self) -> int:
        """Wait until the process that was ended has gone; returns its status."""
        status = 0
        if self._nursery is not None and self._dying:
            status = self._nursery.reap(self.pid)
        self._dying = False
        return status

    def abort(self) -> None:
        """End all of them at once, in whatever this was interrupted."""
        if self._nursery is not None:
            self._nursery.abort()
        self._nursery = self._resting = None
        self._dying = False

    def close(self) -> None:
        """End the process that others are forked from."""
        if self._nursery is not None:
            self.retire()
            self.bury()
            self._nursery.close()
            self._nursery = None
