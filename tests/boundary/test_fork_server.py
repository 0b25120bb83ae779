"""The process that agents are forked from can be ended at any moment."""

import subprocess
import sys

CODE = """
from rollproof.boundary.process import child, preparing, interrupts
from rollproof.boundary.process.fork_server import ForkServer

preparing.prepare(real_network=False)
with interrupts.as_exceptions():
    for number in range(100):
        nursery = ForkServer(child.Agent({"run": lambda: None}, [], []))
        for _ in range(number % 10 * 5000):
            pass
        nursery.abort()
print("ended")
"""


def test_it_ends_at_once_however_far_it_has_come() -> None:
    """A signal that came while Python was still forking was lost, and its parent waited for ever."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == ("ended\n", "")
