"""The lock file has its holder's pid; who finds one looks whether that process lives, and takes over where it does not.

A naive harness accuses it: after a crash `agent.lock` is there, until the next start has looked.
"""

import os
from contextlib import contextmanager


def lives(pid):
    """Say whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def locked(own):
    """Hold the lock; the file comes to be with the pid in it (link of a finished file), so it is never half."""
    lock, mine = own / "agent.lock", own / f"{os.getpid()}.pid"
    for old in own.glob("*.pid"):
        if not lives(int(old.stem)):
            old.unlink(missing_ok=True)
    if lock.exists():
        if lives(int(lock.read_text())):
            raise RuntimeError("another agent is at work")
        lock.unlink()
    try:
        mine.write_text(str(os.getpid()))
        os.link(mine, lock)
        yield
    finally:
        lock.unlink(missing_ok=True)
        mine.unlink(missing_ok=True)


def publish(shared, own):
    """Draft and put into place under the lock."""
    with locked(own):
        draft = own / "page.part"
        draft.write_text("<h1>Prices</h1>\n")
        os.replace(draft, shared / "prices.html")
    return "published"


def restart(own):
    """Remove the draft of a run that died."""
    with locked(own):
        (own / "page.part").unlink(missing_ok=True)


BREAKS = set()


def explore(chaos, tmp_path):
    """A watched folder, and a private one with the lock."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.explore(run=lambda: publish(shared, own), recover=lambda: restart(own))
