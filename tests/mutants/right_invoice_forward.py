"""Issues an invoice: a row in SQLite with a number, and a document in a folder that others use too.

Right although number, file name and time differ from run to run: all three are settled in one transaction, under the
order's reference, before the document is written. Whoever starts again finds the row and writes the same document to
the same place. The scan and the unfinished download in the folder belong to somebody else and are left alone.
"""

import os
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

BREAKS = set()
SCHEMA = """
CREATE TABLE IF NOT EXISTS invoices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    reference TEXT NOT NULL UNIQUE,
    cents INTEGER NOT NULL,
    file TEXT NOT NULL,
    issued TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'draft'
)
"""


def document(row: sqlite3.Row) -> str:
    """Return the text of the document; it depends on nothing but the row."""
    return (
        f"Invoice {row['number']}\nfor order {row['reference']}\nissued {row['issued']}\n"
        f"total {row['cents'] / 100:.2f} EUR\n"
    )


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def issue(reference: str, cents: int, database: Path, folder: Path) -> dict:
    """Issue the invoice of an order, or finish what an earlier start began."""
    with closing(sqlite3.connect(database)) as con:
        con.row_factory = sqlite3.Row
        con.execute(SCHEMA)
        with con:
            con.execute(
                "INSERT INTO invoices (reference, cents, file, issued) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (reference) DO NOTHING",
                (reference, cents, f"invoice-{uuid.uuid4().hex}.txt", datetime.now(UTC).isoformat()),
            )
        row = con.execute("SELECT * FROM invoices WHERE reference = ?", (reference,)).fetchone()
        if row["status"] == "draft":
            write_whole(folder / row["file"], document(row))
            with con:
                con.execute("UPDATE invoices SET status = 'issued' WHERE number = ?", (row["number"],))
        return {"reference": reference, "number": row["number"], "file": row["file"]}


def explore(chaos, tmp_path):
    """One order gets its invoice; the agent is started again after a breakdown."""
    books, papers = tmp_path / "books", tmp_path / "papers"
    books.mkdir()
    papers.mkdir()
    (papers / "scan-0007.txt").write_text("a letter of the tax office\n", encoding="utf-8")
    (papers / "catalogue.pdf.part").write_bytes(b"%PDF-1.4 half of a download")
    chaos.watch(books)
    chaos.watch(papers)
    return chaos.explore(run=lambda: issue("order-311", 12900, books / "invoices.db", papers))
