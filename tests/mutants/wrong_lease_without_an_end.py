"""A lease has an expiry that nobody looks at: who finds one of somebody else leaves the work to them.

A harness that excuses what lies under a live lease, and never lets it run out, would miss it: after a crash there is
nobody, and each later start says that somebody is at work.
"""

import json
import os
import time

LEASE_S = 30.0


def is_free(lease):
    """Say whether somebody else may take the lease."""
    return lease is None


def take(own, is_free):
    """Take the lease if it is free; say whether it was."""
    path, draft = own / "lease.json", own / "lease.part"
    lease = json.loads(path.read_text()) if path.exists() else None
    if not is_free(lease):
        return False
    draft.write_text(json.dumps({"holder": os.getpid(), "expires_at": time.time() + LEASE_S}))
    os.replace(draft, path)
    return True


def publish(shared, own, is_free=is_free):
    """Put the page into place under the lease, unless another agent is at it."""
    if not take(own, is_free):
        return "another agent is at work"
    (own / "page.part").write_text("<h1>Prices</h1>")
    os.replace(own / "page.part", shared / "prices.html")
    (own / "lease.json").unlink()
    return "published"


BREAKS = {"clean_retry"}
FAULTS = ("process.kill",)
CAUSES = ["left over: file.open:agent/page.part in publish", "missing: file.replace:shared/prices.html in publish"]


def explore(chaos, tmp_path, is_free=is_free):
    """A watched folder, and a private one with the lease; the supervisor starts the agent again."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish(shared, own, is_free))
