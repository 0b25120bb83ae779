"""A build's leftovers are removed, and its note when they are gone; where that fails, the next start tries again.

A naive harness accuses it: a recovery on a failing disk raises.
"""

import shutil

from . import wrong_cleaning_ignores_errors as site

DEPTH, FAULTS = site.DEPTH, site.FAULTS


def restart(shared, own):
    """Remove what a build has left."""
    if (own / "building").exists():
        if (own / "site").exists():
            shutil.rmtree(own / "site")
        (own / "building").unlink()


BREAKS = set()


def explore(chaos, tmp_path):
    """The same site."""
    site.explore(chaos, tmp_path, restart)
