"""io and shutil: the function `open` that all its names share, and copies that the kernel makes by itself.

3.14: `pathlib.Path.copy` calls ``os.copy_file_range`` and ``os.sendfile`` through `pathlib._os`, at which a copy is one
point without a middle; where the file system can clone a file (Btrfs, XFS) it does so by an ``ioctl``, which no
adapter sees. `shutil` calls ``os.copy_file_range``, too, and can be told not to. 3.15: not known.
"""

import io
import shutil
from collections.abc import Callable
from typing import Any

from .part import Adapter, find

ADAPTER = Adapter("Python", "3.11", "3.14")
OPEN = ADAPTER.part(
    "files that are opened by _io.open are not held back", "_io:open", probe=lambda: find("_io:open") is not None
)


def _is_told_how() -> bool:
    return any(name.startswith("_USE_CP_") for name in vars(shutil))


COPYING = ADAPTER.part(
    "faults in the middle of a copy of shutil are not tried", "shutil:copyfile", "io:open", probe=_is_told_how
)


def open_with(opened: Callable[..., Any]) -> None:
    """Replace every name of `open` by this function. For a child process: there is no way back."""
    io.open = opened
    if OPEN.works:
        import _io

        _io.open = opened


def copy_by_writing() -> None:
    """Make `shutil` copy files by reading and writing. For a child process: there is no way back."""
    for name in [name for name in vars(shutil) if name.startswith("_USE_CP_")] if COPYING.works else ():
        # Copying by sendfile or reflink would pass no write of Python's.
        setattr(shutil, name, False)
