"""A writer and a translator work on the same folder, one after the other, under one lease with fencing tokens."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from rollproof import Chaos, World
from rollproof.invariants.runtime import journal_is_whole, leases_end_with_their_runs
from rollproof.runtime import Fence, Run, Saga, Step, Store

REVIEW = "https://api.review.test"
TEXTS = {"report.md": b"Solar is cheap.", "report.de.md": b"Sonne ist billig."}


class Author:
    """Writes one file of the shared folder, and asks for a review of it."""

    def __init__(self, store: Store, fence: Fence, name: str) -> None:
        self.store, self.fence, self.name = store, fence, name

    def saga(self) -> Saga:
        """Write under the token of the lease, then ask."""
        write = Step("write", self.write, undo=self.remove)
        ask = Step("ask", self.ask, undo=self.withdraw)
        return Saga(self.store, f"author-{self.name}", [write, ask], lock="folder")

    def write(self, run: Run) -> None:
        """Put the file in its place."""
        self.fence.write(run.token, self.name, TEXTS[self.name])

    def remove(self, run: Run) -> None:
        """Take it away, unless an earlier run has a review of it, and what a dead writer left unfinished."""
        self.fence.clean(run.token)
        if not reviews(file=self.name):
            self.fence.remove(run.token, self.name)

    def ask(self, run: Run) -> None:
        """Ask for a review."""
        body, headers = {"file": self.name, "run": run.id}, {"Idempotency-Key": run.key}
        httpx.post(f"{REVIEW}/reviews", json=body, headers=headers).raise_for_status()

    def withdraw(self, run: Run) -> None:
        """Ask no more."""
        for found in reviews(run=run.id):
            httpx.delete(f"{REVIEW}/reviews/{found['id']}").raise_for_status()


def reviews(**wanted: str) -> list[dict[str, str]]:
    """Ask which reviews there are."""
    found: list[dict[str, str]] = httpx.get(f"{REVIEW}/reviews", params=wanted).raise_for_status().json()
    return found


def authors(store: Store, shared: Path, own: Path) -> list[Author]:
    """Give both authors; they share the fence."""
    return [Author(store, Fence(shared, own / "staging"), name) for name in TEXTS]


def write(shared: Path, own: Path) -> str:
    """Let one write after the other."""
    with Store(own / "agent.db") as store:
        for author in authors(store, shared, own):
            author.saga().run("write it", {})
    return "written"


def restart(shared: Path, own: Path) -> None:
    """Settle what either left."""
    with Store(own / "agent.db") as store:
        for author in authors(store, shared, own):
            author.saga().recover()


@pytest.mark.chaos(epic="Writing", feature="Locks")
def test_no_lease_outlives_its_holder_and_each_file_has_its_review(chaos: Chaos, tmp_path: Path) -> None:
    """Each author's work is whole or not there; the second may be missing, since the first does not wait for it."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    (own / "staging").mkdir(parents=True)
    chaos.watch(shared)
    chaos.private(own)
    chaos.api(REVIEW)
    chaos.invariant(journal_is_whole)
    chaos.invariant(leases_end_with_their_runs)

    @chaos.invariant
    def nothing_unfinished(world: World) -> None:
        """No staged file is left."""
        assert not [path for path in world.private_files if path.endswith(".staged")]

    def only_the_first(world: World) -> bool:
        reviewed = [review["file"] for review in world.resources.get("api.review.test/reviews", [])]
        files = {path.partition("/")[2]: content for path, content in world.files.items()}
        return files == {"report.md": TEXTS["report.md"]} and reviewed == ["report.md"]

    chaos.explore(run=lambda: write(shared, own), recover=lambda: restart(shared, own), allow=only_the_first)

    assert {path.name: path.read_bytes() for path in shared.iterdir()} == TEXTS
