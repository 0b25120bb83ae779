"""Puts a new web site into service by turning the link `current` from one of two folders to the other.

Bug: the recovery takes an unfinished switch back by switching once more, but leaves the mark that says a switch is
unfinished. It shows when the service starts twice after one breakdown: each start turns the link round again.
"""

import os
from pathlib import Path

BREAKS = {"recovery_idempotent"}
OTHER = {"blue": "green", "green": "blue"}
CAUSES = ["not the same: file.replace:site/current in turn"]


def turn(site: Path, own: Path) -> str:
    """Let `current` point to the folder that is idle, in one step, and return that folder's name."""
    idle = OTHER[os.readlink(site / "current")]
    fresh = own / "current.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(idle)
    os.replace(fresh, site / "current")
    return idle


def healthy(site: Path) -> bool:
    """Say whether the site in service has its front page."""
    return "<h1>" in (site / "current" / "index.html").read_text(encoding="utf-8")


def switch(site: Path, own: Path) -> str:
    """Put the idle folder into service, and return its name."""
    unfinished = own / "switch.unfinished"
    unfinished.touch()
    colour = turn(site, own)
    if not healthy(site):
        raise RuntimeError(f"{colour} has no front page")
    unfinished.unlink()
    return colour


def switch_back(site: Path, own: Path) -> None:
    """Take a switch back that was not finished."""
    (own / "current.new").unlink(missing_ok=True)
    if (own / "switch.unfinished").exists():
        turn(site, own)


def explore(chaos, tmp_path):
    """Blue is in service, green lies ready."""
    site, own = tmp_path / "site", tmp_path / "agent"
    own.mkdir()
    for colour, title in {"blue": "Spring", "green": "Summer"}.items():
        (site / colour).mkdir(parents=True)
        (site / colour / "index.html").write_text(f"<h1>{title}</h1>\n", encoding="utf-8")
    (site / "current").symlink_to("blue")
    chaos.watch(site)
    chaos.private(own)
    return chaos.explore(run=lambda: switch(site, own), recover=lambda: switch_back(site, own))
