"""Open folders below known ones, step by step and never by way of a link: what is done in them stays there."""

import os
from collections import OrderedDict
from collections.abc import Iterable
from types import TracebackType

from ...values.errors import ChaosError
from ...values.rare import rare
from .raw import Place

_ONLY_TO_GO_ON = getattr(os, "O_PATH", os.O_RDONLY)  # neither opens for reading nor needs the right to
_FOLDER = _ONLY_TO_GO_ON | os.O_DIRECTORY | os.O_CLOEXEC
_CACHED = 128


class Folders:
    """Open folders by their path; each of `places` must still be the folder that was declared.

    Raises ChaosError ``moved`` where one is not; nothing has been touched then.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._known: dict[str, tuple[int, int]] = {}
        self._open: OrderedDict[str, int] = OrderedDict()
        for place in places:
            self._known[place.folder] = (place.device, place.inode)
            if place.spelled and place.spelled != place.folder:
                self._must_lead_there(place)
        try:
            for folder in self._known:
                self.at(folder)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Folders":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def at(self, path: str) -> int:
        """Return the open folder at a path below one of the places, or at its folder; raises OSError for none."""
        known = self._open.get(path)
        if known is not None:
            self._open.move_to_end(path)
            return known
        if path in self._known:
            descriptor = self._opened(path)
        else:
            parent, _, name = path.rpartition(os.sep)
            descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=self.at(parent))
        self._open[path] = descriptor
        if len(self._open) > _CACHED:
            os.close(self._open.popitem(last=False)[1])
        return descriptor

    def is_above(self, path: str) -> bool:
        """Return whether a folder is the parent of a source, and not ours to change."""
        return path in self._known

    def forget(self, path: str) -> None:
        """Close a folder that is removed."""
        descriptor = self._open.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)

    def close(self) -> None:
        """Close all of them."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _opened(self, folder: str) -> int:
        try:
            descriptor = os.open(folder, _FOLDER)
        except OSError:
            raise moved(folder) from None
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != self._known[folder]:
            os.close(descriptor)
            raise moved(folder)
        return descriptor

    def _must_lead_there(self, place: Place) -> None:
        try:
            status = os.stat(place.spelled)
        except OSError:
            raise moved(place.spelled) from None
        if (status.st_dev, status.st_ino) != (place.device, place.inode):
            raise moved(place.spelled)


def change_mode(name: str, mode: int, folder: int) -> None:
    """Set the permissions of the entry at a name, without following a link."""
    if not hasattr(os, "O_PATH"):
        os.chmod(name, mode, dir_fd=folder, follow_symlinks=False)
        return
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


def moved(folder: str) -> ChaosError:
    """Return the error for a folder that is another one now, or gone."""
    rare("a folder above a source was moved")
    return ChaosError(
        "moved",
        f"{folder} is no longer the folder that was declared: nothing below it was read or put back",
        "a folder (or link) above what is watched was replaced; watch the folder in which that happens",
    )
