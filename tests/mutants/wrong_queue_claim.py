"""Counts the words of texts that wait in a queue directory, a job being claimed by a rename into `working`.

Bug: only an error puts a claimed job back; a start looks at `inbox` alone. It shows when the process is killed (or
interrupted by Ctrl-C) while a job is claimed: the job stays in `working` for ever and is never counted.
"""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

BREAKS = {"all_or_nothing"}
CAUSES = ["left over: file.rename:queue/working/memo.json in work"]


def store(database: Path, job: dict) -> None:
    """Write the result of one job; writing it again changes nothing."""
    with closing(sqlite3.connect(database)) as con:
        con.execute("CREATE TABLE IF NOT EXISTS counts (title TEXT PRIMARY KEY, words INTEGER NOT NULL)")
        with con:
            con.execute("INSERT OR REPLACE INTO counts VALUES (?, ?)", (job["title"], len(job["text"].split())))


def work(queue: Path, database: Path) -> int:
    """Do every job that waits, and return how many have been done altogether."""
    for waiting in sorted((queue / "inbox").glob("*.json")):
        claimed = queue / "working" / waiting.name
        os.rename(waiting, claimed)
        try:
            store(database, json.loads(claimed.read_text(encoding="utf-8")))
            os.rename(claimed, queue / "done" / waiting.name)
        except Exception:
            os.rename(claimed, waiting)
            raise
    return len(list((queue / "done").glob("*.json")))


def explore(chaos, tmp_path):
    """Two jobs wait; the worker is started again by its supervisor."""
    queue, results = tmp_path / "queue", tmp_path / "results"
    for folder in (queue / "inbox", queue / "working", queue / "done", results):
        folder.mkdir(parents=True)
    for title, text in {"ode": "sing o muse", "memo": "please water the plants"}.items():
        (queue / "inbox" / f"{title}.json").write_text(json.dumps({"title": title, "text": text}), encoding="utf-8")
    chaos.watch(queue)
    chaos.watch(results)
    return chaos.explore(run=lambda: work(queue, results / "counts.db"))
