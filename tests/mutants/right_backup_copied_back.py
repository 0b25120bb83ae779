"""Two files are replaced in place after a backup of both; recovery copies it back, and removes it when both are back.

A naive harness accuses it: old files are restored that were restored before, and the backup stays until the end.
"""

import shutil

from . import wrong_backup_moved_back as files


def restart(shared, own):
    """Put the old files back; the backup is whole until that is done."""
    backup = own / "backup"
    if backup.exists():
        if files.is_whole(backup):
            for name in files.FILES:
                shutil.copyfile(backup / name, shared / name)
        shutil.rmtree(backup)


BREAKS = set()
FAULTS = files.FAULTS


def explore(chaos, tmp_path):
    """The same files."""
    files.explore(chaos, tmp_path, restart)
