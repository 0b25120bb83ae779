"""What becomes of a program that the agent starts."""

import errno
import os
import signal
from collections.abc import Iterator

from rollproof.values.actions import Action, Exit, Fail
from rollproof.values.faults import fault
from rollproof.values.points import Effect


@fault("subprocess.not_found", at="process.run", lasting=True, told="the program {target} was not there")
def not_found(effect: Effect) -> Iterator[Action]:
    """The program is not there: FileNotFoundError, or exit code 127 where a shell looks for it."""
    yield Fail(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), effect.point.target))


@fault("subprocess.failed", at="process.run", lasting=True, told="{target} ended with exit code 1 and had done nothing")
def failed(effect: Effect) -> Iterator[Action]:
    """The program ends with exit code 1 and has done nothing."""
    yield Exit(1)


@fault(
    "subprocess.killed",
    at="process.run",
    when=("before", "after"),
    told={"before": "{target} was killed before it acted", "after": "{target} was killed after it had acted"},
)
def killed(effect: Effect) -> Iterator[Action]:
    """The program is killed, as where memory runs out: before it acted, or after it acted (the ambiguous one)."""
    yield Exit(-signal.SIGKILL)
