"""Write a state of the disk into a folder, for people to look at."""

import os
from collections.abc import Sequence
from pathlib import Path

from .raw import DiskState, Source


def write_copy(sources: Sequence[Source], state: DiskState, folder: Path) -> None:
    """Write all sources of a state below `folder`, each under its readable name.

    Raw bytes, so a database comes with the journal that a crash leaves beside it. Sockets, pipes and devices are left
    out. Raises OSError for what cannot be written.
    """
    folder.mkdir(parents=True)
    for (index, relative), entry in sorted(state.files.items()):
        own = state.files.get((index, ""))
        # what stands beside a source that is a file: its journal
        between = "/" if relative and own is not None and own.kind == "dir" else ""
        path = folder / f"{sources[index].name}{between}{relative}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "dir":
            path.mkdir(exist_ok=True)
        elif entry.kind == "link":
            path.symlink_to(os.fsdecode(entry.content))
        elif entry.kind == "file":
            path.write_bytes(entry.content)
            path.chmod(entry.mode | 0o600)  # its owner is to read it, and to remove it
