"""Mirrors a folder with shutil, each file being copied into a staging folder first and then moved into its place.

Bug: the staging folder has a random name and is removed in `finally` only. It shows when the process is killed: the
next start makes a new one, finishes the mirror rightly, and the old staging folder stays among the agent's files.
"""

import os
import shutil
import tempfile
from pathlib import Path

BREAKS = {"no_leftovers"}
CAUSES = ["left over: file.mkdir:agent/staging-* in mirror"]


def files_below(folder: Path) -> list[Path]:
    """Return the paths of all files in a folder, relative to it."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def same(one: Path, other: Path) -> bool:
    """Say whether two files have the same content."""
    return other.is_file() and one.read_bytes() == other.read_bytes()


def mirror(source: Path, target: Path, own: Path) -> list[str]:
    """Make target hold what source holds, and return the names of its files."""
    staging = Path(tempfile.mkdtemp(prefix="staging-", dir=own))
    try:
        wanted = files_below(source)
        for name in wanted:
            if same(source / name, target / name):
                continue
            staged = staging / name.name
            shutil.copyfile(source / name, staged)
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, target / name)
        for name in files_below(target):
            if name not in wanted:
                (target / name).unlink()
    finally:
        shutil.rmtree(staging)
    return [str(name) for name in wanted]


def explore(chaos, tmp_path):
    """One file is new, one has changed, one is the same, one has gone."""
    source, target, own = tmp_path / "source", tmp_path / "target", tmp_path / "agent"
    for folder in (source / "plans", target, own):
        folder.mkdir(parents=True)
    (source / "readme.md").write_text("# House\nsecond edition\n", encoding="utf-8")
    (source / "address.txt").write_text("12 Mill Lane\n", encoding="utf-8")
    (source / "plans" / "attic.txt").write_text("two windows, one beam\n", encoding="utf-8")
    (target / "readme.md").write_text("# House\n", encoding="utf-8")
    (target / "address.txt").write_text("12 Mill Lane\n", encoding="utf-8")
    (target / "garage.txt").write_text("torn down\n", encoding="utf-8")
    chaos.watch(source)
    chaos.watch(target)
    chaos.private(own)
    return chaos.explore(run=lambda: mirror(source, target, own))
