"""The outside as an exploration looks at it and puts it back: what is watched and private, and the services."""

from collections.abc import Callable, Mapping

from ..boundary.media.scope import Root
from ..boundary.process import interrupts
from ..guard.guarding import Held
from ..values.rare import rare
from ..world.storage.disk import Disk
from .config import ExplorationConfig
from .process_runs import RawState


class Outside:
    """Looks at the outside, and puts it back; a guardian does that where this process is ended.

    Attributes:
        sources: watched and private paths, as the agent's process needs them.
        roots: absolute paths of the sources and their readable names.
        given: files that were there before the first process, which reads what others wrote there; None where no such
            read is a point.
    """

    def __init__(self, config: ExplorationConfig) -> None:
        self._config, self._disk = config, Disk(config.sources)
        self.sources = [Root(str(s.path), s.name, s.private) for s in config.sources]
        self.roots: Mapping[str, str] = {root.path: root.name for root in self.sources}
        self.given: frozenset[str] | None = None
        self._held: Held | None = None
        self._hold: Callable[[], Held] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the sources, for the user."""
        return tuple(self._disk.notes)

    @property
    def linked(self) -> tuple[str, ...]:
        """Files outside that were written by the name they have inside."""
        return tuple(self._disk.linked)

    def capture(
        self, clock: float, pids: frozenset[int] = frozenset(), reused: frozenset[int] = frozenset()
    ) -> RawState:
        """Look at the outside as it is now."""
        with interrupts.shielded():
            # Half a look would be a state that never was.
            return RawState(self._disk.capture(), tuple(s.save() for s in self._config.services), clock, pids, reused)

    def restore(self, world: RawState) -> None:
        """Put the outside back."""
        with interrupts.shielded():
            self._disk.restore(world.disk)
            for service, state in zip(self._config.services, world.services, strict=True):
                service.restore(state)

    def first(self, clock: float, *, rereads: bool) -> RawState:
        """Capture the state before the first process, and note which files the agent did not write.

        With `rereads` it is a point where an agent reads what it wrote.
        """
        found = self.capture(clock)
        names = [source.name for source in self._config.sources]
        files = {
            f"{names[index]}/{path}" if path else names[index]
            for (index, path), entry in found.disk.files.items()
            if entry.kind == "file"
        }
        self.given = frozenset(files) if rereads else None
        return found

    def hold(self, initial: RawState) -> None:
        """Tell a guardian the outside that is to be put back, however this process ends, until `release`."""
        guard = self._config.guard
        if guard is not None:
            # Kept: a record that somebody removes meanwhile is written again (`check`).
            self._hold = lambda: guard().hold(self._config.sources, initial.disk)
            self._held = self._hold()

    def check(self) -> None:
        """Make sure that the guardian runs, and that its record of the outside is there."""
        if self._held is not None:
            if not self._held.stands and self._hold is not None:
                rare("a record that was removed is written again")
                self._held = self._held.taken_over_by(self._hold())
            self._held.check()

    def note(self, pid: int) -> None:
        """Tell the guardian which process it has to wait for."""
        if self._held is not None:
            self._held.note(pid)

    def release(self) -> None:
        """Tell the guardian that everything was put back."""
        if self._held is not None:
            self._held.release()
        self._held = self._hold = None

    def close(self) -> None:
        """Remove what is kept on disk; no raw state can be used any more."""
        self._disk.close()
