"""An agent replaces a published site, and tells the search engine: readers see one whole site at any time."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from rollproof import Chaos, World
from rollproof.runtime import Refused, Release, Releases, Run, Saga, Status, Step, Store

SEARCH = "https://api.search.test"
PAGES = {"index.html": b"<h1>Solar</h1>", "prices.html": b"<p>5 ct</p>", "css/style.css": b"h1 { color: green }"}


class Publisher:
    """Shows a set of pages at `site/current`; unfinished pages live in `own`."""

    def __init__(self, site: Path, own: Path) -> None:
        self.site, self.own = site, own

    def saga(self, store: Store) -> Saga:
        """Stage, show, tell: the last is irreversible."""
        stage = Step("stage", self.stage, undo=lambda run: self.releases(run).discard())
        show = Step("show", self.show, undo=self.hide)
        return Saga(store, "publish-site", [stage, show, Step("tell", self.tell, irreversible=True)], lock="site")

    def releases(self, run: Run) -> Releases:
        """Give the run a workspace of its own."""
        return Releases(self.site, self.own / f"staging-{run.id}")

    def stage(self, run: Run) -> dict[str, Any]:
        """Write all pages where nobody looks."""
        return {"release": asdict(self.releases(run).fill(PAGES))}

    def show(self, run: Run) -> None:
        """Turn the link to the new set."""
        self.releases(run).publish(Release(**run.variables["release"]))

    def hide(self, run: Run) -> None:
        """Turn the link back, and take the set away."""
        self.releases(run).withdraw(Release(**run.variables["release"]))

    def tell(self, run: Run) -> None:
        """Have the site read again, once."""
        try:
            answer = httpx.post(f"{SEARCH}/crawls", json={"site": "solar"}, headers={"Idempotency-Key": run.key})
        except httpx.ConnectError as error:
            raise Refused("the search engine cannot be reached") from error
        if answer.status_code in (401, 429):
            raise Refused(f"the search engine refused with {answer.status_code}")
        answer.raise_for_status()


def publish(site: Path, own: Path) -> str:
    """Replace the site."""
    with Store(own / "agent.db") as store:
        Publisher(site, own).saga(store).run("a new site", {})
    return "published"


def resume(site: Path, own: Path) -> Status | None:
    """Settle what an earlier process left."""
    with Store(own / "agent.db") as store:
        return Publisher(site, own).saga(store).recover()


@pytest.mark.chaos(epic="Publishing", feature="Replacing a set")
def test_readers_see_the_old_site_or_the_new_one(chaos: Chaos, tmp_path: Path) -> None:
    """The link shows one whole set whose hashes are those of its manifest; what is not ours stays."""
    site, own = tmp_path / "site", tmp_path / "agent"
    site.mkdir()
    own.mkdir()
    (site / "robots.txt").write_text("somebody else's")
    first = Releases(site, own / "first")
    first.publish(first.fill({"index.html": b"<h1>Coal</h1>"}))

    chaos.watch(site)
    chaos.private(own)
    chaos.api(SEARCH)

    @chaos.invariant
    def a_whole_set_is_shown(world: World) -> None:
        """The link leads to a set that is what its manifest says."""
        folder = f"site/{world.entries['site/current'].content.decode()}"
        found = {
            path.removeprefix(f"{folder}/"): sha256(content).hexdigest()
            for path, content in world.files.items()
            if path.startswith(f"{folder}/")
        }
        assert found.pop("manifest.json", None) == folder.rpartition("-")[2]
        assert found == json.loads(world.files[f"{folder}/manifest.json"])["files"]

    @chaos.invariant
    def workspace_is_gone(world: World) -> None:
        """No workspace outlives its run."""
        assert not [path for path in world.private_entries if "staging-" in path]

    chaos.explore(run=lambda: publish(site, own), recover=lambda: resume(site, own))

    assert (site / "current" / "prices.html").read_bytes() == PAGES["prices.html"]
    assert (site / "robots.txt").read_text() == "somebody else's"
