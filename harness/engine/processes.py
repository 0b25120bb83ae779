"""The processes of an agent, one after the other: newly forked, or the last one again where it is pristine."""

from collections.abc import Callable

from ..boundary.channel import Channel
from ..boundary.process import child
from ..boundary.process.fork_server import ForkServer, end_group

_SENT_AWAY = 20


class Processes:
    """Hands out processes one at a time: the last one has ended, or is pristine, before the next one starts.

    Attributes:
        pid: of the process that was handed out last.
    """

    def __init__(self, agent: Callable[[], child.Agent], started: Callable[[int], None]) -> None:
        self._agent, self._started = agent, started
        self._fork_server: ForkServer | None = None
        self._pristine: Channel | None = None
        self._dying = False
        self.pid = 0
        self._taken: frozenset[int] = frozenset()

    def avoid(self, taken: frozenset[int]) -> None:
        """Give no process one of these pids from now on: the outside shows these numbers anyway."""
        self._taken = taken

    def make_way(self, pids: frozenset[int]) -> None:
        """Wait until the last process, its locks and its pid are gone, unless it is pristine.

        `pids` are those of the processes that made the outside: the next one must find them dead, and have another pid.
        """
        if self.pid in pids:
            self.retire()
        if self._pristine is None:
            self.bury()

    def next(self, others: frozenset[int] = frozenset()) -> tuple[Channel, bool]:
        """Return the channel to the next process, and whether that process is a used one.

        `others` are further pids that it may not have.
        """
        if self.pid in others:
            self.retire()
            self.bury()
        if self._pristine is not None:
            return self._pristine, True
        if self._fork_server is None:
            self._fork_server = ForkServer(self._agent())
            self._started(self._fork_server.pid)
        for more in reversed(range(_SENT_AWAY)):
            self.pid, channel = self._fork_server.child()
            # With a pid that the outside shows anyway (`report-2026.md`, low pids in a container) that number would be
            # renamed as if the process had written it.
            if self.pid not in others and (self.pid not in self._taken or self._are_taken_after(self.pid, more)):
                return channel, False
            channel.close()
            self._fork_server.reap(self.pid)
        self.pid, channel = self._fork_server.child()  # thousands of numbered files: worlds may stay two that are one
        return channel, False

    def _are_taken_after(self, pid: int, count: int) -> bool:
        """Return whether the outside shows the next `count` numbers, too: pids come in order, so none would be better.

        A table of 100,000 numbered rows shows every pid that there is.
        """
        return self._taken.issuperset(range(pid + 1, pid + 1 + count))

    def keep(self, channel: Channel) -> None:
        """Keep the process waiting for another request."""
        self._pristine = channel

    def end(self, channel: Channel) -> None:
        """End the process; it may take a moment to go."""
        self._pristine, self._dying = None, True
        end_group(self.pid)
        channel.close()

    def retire(self) -> None:
        """End the process that waits for another request, where one does."""
        if self._pristine is not None:
            self.end(self._pristine)

    def bury(self) -> int:
        """Wait until the process that was ended has gone; returns its status."""
        status = 0
        if self._fork_server is not None and self._dying:
            status = self._fork_server.reap(self.pid)
        self._dying = False
        return status

    def abort(self) -> None:
        """End all of them at once, in whatever this was interrupted."""
        if self._fork_server is not None:
            self._fork_server.abort()
        self._fork_server = self._pristine = None
        self._dying = False

    def close(self) -> None:
        """End the process that others are forked from."""
        if self._fork_server is not None:
            self.retire()
            self.bury()
            self._fork_server.close()
            self._fork_server = None
