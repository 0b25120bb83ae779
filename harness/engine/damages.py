"""The files that a lying disk has damaged in one process: nobody but that process is to meet the damage."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..values.protocol import FileDamaged


class Damages:
    """The files that a lying disk has damaged in one process, to be put back when it ends.

    Copies of them are the agent's.
    """

    def __init__(self) -> None:
        self._files: list[FileDamaged] = []

    def add(self, damaged: FileDamaged) -> None:
        """Note one more damaged file."""
        self._files.append(damaged)

    def put_back(self) -> list[FileDamaged]:
        """Restore the files that are still damaged; returns them."""
        return [damaged for damaged in reversed(self._files) if damaged.put_back()]

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Show the outside as the next process finds it, for the block."""
        damaged = self.put_back()
        yield
        for one in reversed(damaged):
            one.repeat()
