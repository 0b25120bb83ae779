"""An agent writes invoices: a row in the books and a file for the customer, and never one without the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from rollproof import Chaos, World
from rollproof.runtime import FileTransactions, Store


def bill(own: Path, shared: Path, numbers: list[int]) -> str:
    """Write invoices, and take the offer away that they replace, in one transaction."""
    with Store(own / "books.db") as books:
        files = FileTransactions(books, shared, own / "staging")
        with files.transaction() as work:
            books.write("CREATE TABLE IF NOT EXISTS invoices (number INTEGER PRIMARY KEY, file TEXT)")
            for number in numbers:
                work.write(f"invoice-{number}.txt", f"Invoice {number}: 50 EUR".encode())
                books.write("INSERT INTO invoices VALUES (?, ?)", number, f"invoice-{number}.txt")
            work.remove("offer.txt")
    return f"{len(numbers)} invoices"


def settle(own: Path, shared: Path) -> None:
    """Let the files follow the books."""
    with Store(own / "books.db") as books:
        FileTransactions(books, shared, own / "staging").settle()


@pytest.mark.chaos(epic="Accounting", feature="Database and files")
def test_a_row_and_its_file_come_together(chaos: Chaos, tmp_path: Path) -> None:
    """Each invoice in the books has its file, each file its row; the offer is there before, and gone after."""
    own, shared = tmp_path / "agent", tmp_path / "customer"
    (own / "staging").mkdir(parents=True)
    shared.mkdir()
    (shared / "offer.txt").write_text("50 EUR")

    chaos.watch(shared)
    chaos.private(own)

    @chaos.invariant
    def rows_and_files_agree(world: World) -> None:
        """The files are those that the books name."""
        rows = world.private_tables.get("agent/books.db:invoices", [])
        named = {row["file"] for row in rows} or {"offer.txt"}
        assert {path.rpartition("/")[2] for path in world.files} == named

    @chaos.invariant
    def nothing_is_staged(world: World) -> None:
        """No staged file and no pending move is left."""
        assert not [path for path in world.private_files if path.endswith(".staged")]
        assert not world.private_tables.get("agent/books.db:moves")

    chaos.explore(run=lambda: bill(own, shared, [7, 8]), recover=lambda: settle(own, shared))

    assert (shared / "invoice-8.txt").read_text() == "Invoice 8: 50 EUR"
    assert not (shared / "offer.txt").exists()
