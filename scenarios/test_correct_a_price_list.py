"""An agent corrects a price list, and tells the shop: every version of the list stays readable."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from rollproof import Chaos
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs, versions_are_whole
from rollproof.runtime import FolderContents, Run, Saga, Step, Store, Versions

SHOP = "https://api.shop.test"


class Corrector:
    """Works on versioned files."""

    def __init__(self, store: Store, shared: Path, own: Path) -> None:
        self.store, self.contents = store, FolderContents(own / "contents")
        self.files = Versions(store, self.contents, shared, own / "staging")

    def saga(self) -> Saga:
        """Correct, then tell; going back points to the version before."""
        steps = [Step("correct", self.correct, undo=self.restore), Step("tell", self.tell, undo=self.untell)]
        return Saga(self.store, "correct-prices", steps)

    def correct(self, run: Run) -> None:
        """Write the new prices."""
        self.files.checked(run.check).save("prices.csv", b"panel;4\n", run.id)

    def restore(self, run: Run) -> None:
        """Clear away what a dead process left unfinished, and point back to the version before those of this run."""
        self.contents.clean()
        files = self.files.checked(run.check)
        files.settle()
        versions = files.history("prices.csv")
        if any(version.run == run.id for version in versions):
            before = [version.number for version in versions if version.run != run.id]
            files.restore("prices.csv", before[-1], run.id)

    def tell(self, run: Run) -> None:
        """Tell the shop, which can be taken back."""
        body, headers = {"run": run.id, "text": "new prices"}, {"Idempotency-Key": run.key}
        httpx.post(f"{SHOP}/notices", json=body, headers=headers).raise_for_status()

    def untell(self, run: Run) -> None:
        """Take it back."""
        for found in httpx.get(f"{SHOP}/notices", params={"run": run.id}).raise_for_status().json():
            httpx.delete(f"{SHOP}/notices/{found['id']}").raise_for_status()

    def settle(self) -> None:
        """Settle the run; what is unfinished is cleared away by whoever holds it, and by nobody beside it."""
        self.saga().recover()


def correct(shared: Path, own: Path) -> str:
    """Do it."""
    with Store(own / "agent.db") as store:
        Corrector(store, shared, own).saga().run("correct the prices", {})
    return "corrected"


def restart(shared: Path, own: Path) -> None:
    """Settle what was left."""
    with Store(own / "agent.db") as store:
        Corrector(store, shared, own).settle()


@pytest.mark.chaos(epic="Prices", feature="Versions")
def test_overwriting_keeps_the_old_version(chaos: Chaos, tmp_path: Path) -> None:
    """The list is as before or as corrected; every version that ever was can be read."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    for folder in ("contents", "staging"):
        (own / folder).mkdir(parents=True)
    (shared / "prices.csv").write_text("panel;5\n")
    chaos.watch(shared)
    chaos.private(own)
    chaos.api(SHOP)
    for check in (journal_is_whole, leases_end_with_their_runs, versions_are_whole):
        chaos.invariant(check)

    chaos.explore(run=lambda: correct(shared, own), recover=lambda: restart(shared, own))

    with Store(own / "agent.db") as store:
        files = Corrector(store, shared, own).files
        assert files.content("prices.csv", 1) == b"panel;5\n"
    assert (shared / "prices.csv").read_text() == "panel;4\n"
