"""A step that is done leaves the queue, and then its successor enters it; "finished" means that the queue is empty.

A crash between the two makes recovery believe that all is done: the mail is there, the report never comes.
"""

import os
import sqlite3
from contextlib import closing

import httpx

MAILS = "https://api.mail.test/mails"
FIRST, AFTER = "announce", {"announce": "publish", "publish": None}


def announce(shared, own):
    """Tell the team; the fixed key makes a second time harmless."""
    mail = {"to": "team@example.test", "subject": "The report comes today"}
    httpx.post(MAILS, json=mail, headers={"Idempotency-Key": "report-today"}, timeout=10).raise_for_status()


def publish(shared, own):
    """Put the report into place as a whole."""
    draft = own / "report.part"
    with open(draft, "w") as file:
        file.write("# Report\n\nAll is well.\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, shared / "report.md")


STEPS = {"announce": announce, "publish": publish}


def work(queue, shared, own):
    """Work until nothing is pending."""
    while (row := queue.execute("SELECT step FROM pending").fetchone()) is not None:
        step = row[0]
        STEPS[step](shared, own)
        with queue:
            queue.execute("DELETE FROM pending WHERE step = ?", (step,))
        if AFTER[step] is not None:
            with queue:
                queue.execute("INSERT INTO pending VALUES (?)", (AFTER[step],))


def run(shared, own):
    """Enter the first step and work."""
    with closing(sqlite3.connect(own / "queue.db")) as queue:
        with queue:
            queue.execute("INSERT OR IGNORE INTO pending VALUES (?)", (FIRST,))
        work(queue, shared, own)
    return "finished"


def resume(shared, own):
    """Go on with what is pending."""
    (own / "report.part").unlink(missing_ok=True)
    with closing(sqlite3.connect(own / "queue.db")) as queue:
        work(queue, shared, own)


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: file.replace:shared/report.md in publish"]


def explore(chaos, tmp_path):
    """A watched folder, a mail service, and a private folder with the queue."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    with closing(sqlite3.connect(own / "queue.db")) as queue:
        queue.execute("CREATE TABLE pending (step TEXT PRIMARY KEY)")
        queue.commit()
    chaos.watch(shared)
    chaos.private(own)
    chaos.api("https://api.mail.test")
    chaos.explore(run=lambda: run(shared, own), recover=lambda: resume(shared, own))
