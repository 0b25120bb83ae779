"""Two files are replaced in place after a backup of both; an incomplete backup means: nothing was replaced yet.

Recovery moves the backup back, file by file. After a second crash, half way, the backup is "not complete": the other
old file is thrown away, and one new file stays beside an old one.
"""

import shutil

FILES = {"model.txt": "weights: 0.3 0.3 0.4\n", "labels.txt": "sun\ncloud\n"}


def replace_both(shared, own):
    """Back up both, then write both."""
    backup = own / "backup"
    backup.mkdir()
    for name in FILES:
        shutil.copyfile(shared / name, backup / name)
    for name in FILES:
        (shared / name).write_text(f"new {FILES[name]}")
    shutil.rmtree(backup)
    return "replaced"


def is_whole(backup):
    """Say whether all was backed up, each file whole."""
    return all((backup / name).exists() and (backup / name).read_text() == FILES[name] for name in FILES)


def restart(shared, own):
    """Put the old files back where something may have been replaced."""
    backup = own / "backup"
    if backup.exists():
        if is_whole(backup):
            for name in FILES:
                shutil.move(backup / name, shared / name)
        shutil.rmtree(backup)


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill",)
CAUSES = ["not the same: file.rename:shared/model.txt in restart", "torn: file.open:shared/labels.txt in replace_both"]


def explore(chaos, tmp_path, restart=restart):
    """A watched folder with the two files, and a private one for the backup."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    for name, text in FILES.items():
        (shared / name).write_text(text)
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: replace_both(shared, own), recover=lambda: restart(shared, own))
