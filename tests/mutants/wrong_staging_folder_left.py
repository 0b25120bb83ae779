"""A site is built in a staging folder and renamed into place; nobody removes the staging folder of a build that died.

The site itself is all or nothing, but after a crash or a full disk during the build `agent/staging-…` stays for ever.
"""

import asyncio
import os
import tempfile
from pathlib import Path

PAGES = {
    "index.html": "<h1>Solar prices</h1>\n<p>Updated every night.</p>\n",
    "prices.html": "<table><tr><td>panel</td><td>120.00</td></tr></table>\n",
    "about.html": "<p>Prices are collected from four shops.</p>\n",
}


async def render(folder, name, body):
    """Write one page."""
    await asyncio.sleep(0)
    (folder / name).write_text(f"<!doctype html>\n<html><body>\n{body}</body></html>\n")


async def build_site(shared, own):
    """Render every page into a staging folder and rename it into place."""
    site = shared / "site"
    if site.exists():
        return "already built"
    staging = Path(tempfile.mkdtemp(prefix="staging-", dir=own))
    await asyncio.gather(*(render(staging, name, body) for name, body in PAGES.items()))
    os.rename(staging, site)
    return "built"


async def restart(shared, own):
    """The rename is atomic: either the site is there or the build has to start from nothing."""
    own.mkdir(exist_ok=True)
    return (shared / "site").exists()


BREAKS = {"no_leftovers"}
CAUSES = ["left over: file.mkdir:agent/staging-* in build_site"]


def explore(chaos, tmp_path):
    """One watched folder that receives the site, one private folder for the staging."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: build_site(shared, own), recover=lambda: restart(shared, own))
