"""Exports a shop's orders every night into a folder of its own, and lets the link `latest` point to it.

Right although a lock file stays for ever and the staging folder has a random name: the lock is one of the operating
system's (flock), which goes with its process, and each start sweeps the staging folders of its own kind away, builds
the night's folder only where it is missing, and turns the link in one step.
"""

import csv
import fcntl
import json
import os
import shutil
import sqlite3
import time
import uuid
from contextlib import closing, contextmanager
from pathlib import Path

BREAKS = set()


@contextmanager
def locked(own: Path):
    """Hold the export's lock; a second process is turned away."""
    with (own / "export.lock").open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def build(database: Path, folder: Path, night: str) -> None:
    """Write the tables and a manifest into a folder."""
    with closing(sqlite3.connect(database)) as con:
        orders = con.execute("SELECT id, item, cents FROM orders ORDER BY id").fetchall()
    with (folder / "orders.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "item", "cents"), *orders])
    manifest = {"night": night, "export": str(uuid.uuid4()), "made_at": time.time(), "orders": len(orders)}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def export(database: Path, exports: Path, own: Path, night: str) -> str:
    """Make the export of a night, or finish what an earlier start began, and return the folder's name."""
    with locked(own):
        for old in exports.glob(".night-*"):
            shutil.rmtree(old)
        if not (exports / night).exists():
            staging = exports / f".night-{uuid.uuid4().hex}"
            staging.mkdir()
            build(database, staging, night)
            os.rename(staging, exports / night)
        fresh = exports / ".latest-next"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(night)
        os.replace(fresh, exports / "latest")
    return night


def explore(chaos, tmp_path):
    """The night before has been exported; somebody else is uploading a file into the same folder."""
    shop, exports, own = tmp_path / "shop", tmp_path / "exports", tmp_path / "agent"
    for folder in (shop, exports / "2024-05-01", own):
        folder.mkdir(parents=True)
    with closing(sqlite3.connect(shop / "shop.db")) as con, con:
        con.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, cents INTEGER)")
        con.executemany("INSERT INTO orders (item, cents) VALUES (?, ?)", [("kettle", 3490), ("toaster", 2790)])
    (exports / "2024-05-01" / "orders.csv").write_text("id,item,cents\n1,kettle,3490\n", encoding="utf-8")
    (exports / "latest").symlink_to("2024-05-01")
    (exports / ".upload-of-finance.tmp").write_text("half a table\n", encoding="utf-8")
    chaos.watch(shop)
    chaos.watch(exports)
    chaos.private(own)
    return chaos.explore(run=lambda: export(shop / "shop.db", exports, own, "2024-05-02"))
