"""Three files that belong together are moved out one by one, and recovery only throws the staging folder away.

After a failure between two moves some of the new files stand beside old ones: neither edition is complete.
"""

import os
import shutil
import threading

EDITION = {
    "catalog.csv": "sku,name\np-1,panel\nb-1,battery\n",
    "prices.csv": "sku,cents\np-1,12000\nb-1,45000\n",
    "stock.csv": "sku,count\np-1,40\nb-1,7\n",
}


def render(staging, failures):
    """Write all files of the edition (in the worker thread)."""
    try:
        for name, text in EDITION.items():
            (staging / name).write_text(text)
    except OSError as error:
        failures.append(error)


def publish_edition(shared, own):
    """Render into a staging folder, then move each file to its place."""
    staging = own / "staging"
    staging.mkdir()
    failures = []
    worker = threading.Thread(target=render, args=(staging, failures))
    worker.start()
    worker.join()
    if failures:
        raise failures[0]
    for name in EDITION:
        os.replace(staging / name, shared / name)
    staging.rmdir()
    return "edition published"


def restart(own):
    """Forget an edition that was not finished."""
    staging = own / "staging"
    if staging.exists():
        shutil.rmtree(staging)


BREAKS = {"all_or_nothing"}
CAUSES = ["not the same: file.replace:shared/catalog.csv in publish_edition"]


def explore(chaos, tmp_path):
    """The watched folder holds last month's edition of the same three files."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    for name, text in EDITION.items():
        (shared / name).write_text(text.splitlines()[0] + "\n")
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish_edition(shared, own), recover=lambda: restart(own))
