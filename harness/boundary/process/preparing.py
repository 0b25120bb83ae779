"""Prepare the test's process for forking: what every process of the agent would do again is done here, once."""

import gc
import os
from collections.abc import Callable, Sequence

from ...values.media import media
from .. import adapters, patching
from ..media import files, forking, http, listing, programs, reads, sqlite
from ..scheduling import clock, locks
from . import ending, memory, pids, warming


def prepare(*, real_network: bool) -> Callable[[], None]:
    """Install the patches of every forked process in this one; returns a function that removes them."""
    media()  # imports them: every fork server would
    forget = adapters.probe()  # as each would, too; before wrappers stand in the place of what is probed
    undo = http.prepare(real_network=real_network)
    _settle()

    def put_back() -> None:
        gc.unfreeze()
        undo()
        forget()

    return put_back


def warm(modules: Sequence[str]) -> bool:
    """Import the modules that a process imported late, with all that belongs to that.

    Returns whether there are more modules now than before: only then a new fork server saves its processes work.
    """
    imported = warming.import_modules(modules)
    if imported:
        _settle()
    return imported


def _settle() -> None:
    """Fill caches, find functions that modules have bound by name, and make this process cheap to fork."""
    warming.warm_caches()
    known = [*files.originals(), *listing.originals(), *sqlite.originals(), *clock.originals(), *ending.originals()]
    known += [*locks.originals(), *pids.originals(), *programs.originals(), *forking.originals(), *reads.originals()]
    known.append(os.urandom)
    patching.early_bound({id(function): function for function in known})
    memory.settle()
