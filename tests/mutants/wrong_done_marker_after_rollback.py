"""A job's row is marked as handled by the rollback too, so that nobody looks at it again (aiosqlite).

The rollback is right outside. The next run of the same job finds the row and does nothing.
"""

import asyncio
import os
import sqlite3
from contextlib import closing

import aiosqlite

TEXT = "Minutes of the board\n\nThe budget was accepted.\n"


async def publish(name, shared, own):
    """Enter the job, put the file into place, mark the job."""
    async with aiosqlite.connect(own / "jobs.db") as jobs:
        known = await (await jobs.execute("SELECT state FROM jobs WHERE name = ?", (name,))).fetchone()
        if known is not None:
            return "published"
        await jobs.execute("INSERT INTO jobs VALUES (?, 'started')", (name,))
        await jobs.commit()
        draft = own / "draft.part"
        await asyncio.to_thread(draft.write_text, TEXT)
        os.replace(draft, shared / name)
        await jobs.execute("UPDATE jobs SET state = 'handled' WHERE name = ?", (name,))
        await jobs.commit()
    return "published"


async def roll_back(shared, own):
    """Take back what was started."""
    (own / "draft.part").unlink(missing_ok=True)
    async with aiosqlite.connect(own / "jobs.db") as jobs:
        started = await (await jobs.execute("SELECT name FROM jobs WHERE state = 'started'")).fetchall()
        for (name,) in started:
            (shared / name).unlink(missing_ok=True)
            await jobs.execute("UPDATE jobs SET state = 'handled' WHERE name = ?", (name,))
            await jobs.commit()


BREAKS = {"clean_retry"}
CAUSES = ["missing: file.replace:shared/minutes.txt in publish"]


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the job database."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    with closing(sqlite3.connect(own / "jobs.db")) as jobs:
        jobs.execute("CREATE TABLE jobs (name TEXT PRIMARY KEY, state TEXT)")
        jobs.commit()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish("minutes.txt", shared, own), recover=lambda: roll_back(shared, own))
