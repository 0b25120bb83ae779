"""The lock is a link to its holder's pid; who finds its own there takes the lock over, and everybody else is refused.

A harness that recovers in the process of the run would miss it: there the pid is always one's own. After a restart it
never is, and nobody looks whether the holder lives.
"""

import os
from contextlib import contextmanager


def is_over(pid):
    """Say whether nobody works any more under a lock of this pid."""
    return pid == os.getpid()


@contextmanager
def locked(own, is_over):
    """Hold the lock; a link comes to be as a whole, so there is never one without a pid."""
    lock = own / "agent.lock"
    if lock.is_symlink():
        if not is_over(int(os.readlink(lock))):
            raise RuntimeError("another agent is at work")
        lock.unlink()
    os.symlink(str(os.getpid()), lock)
    try:
        yield
    finally:
        lock.unlink()


def publish(shared, own, is_over=is_over):
    """Draft and put into place under the lock."""
    with locked(own, is_over):
        draft = own / "page.part"
        draft.write_text("<h1>Prices</h1>\n")
        os.replace(draft, shared / "prices.html")
    return "published"


def restart(own, is_over=is_over):
    """Remove the draft of a run that died."""
    with locked(own, is_over):
        (own / "page.part").unlink(missing_ok=True)


BREAKS = {"recovery_succeeds", "no_leftovers"}
FAULTS = ("process.kill",)
CAUSES = ["left over: file.symlink:agent/agent.lock in locked, RuntimeError"]


def explore(chaos, tmp_path, is_over=is_over):
    """A watched folder, and a private one with the lock."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish(shared, own, is_over), recover=lambda: restart(own, is_over))
