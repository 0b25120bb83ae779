"""What happens to the agent's process as a whole."""

import asyncio
from collections.abc import Iterator

from rollproof.values.faults import fault
from rollproof.values.points import Effect
from rollproof.values.strikes import Fail, Kill, Strike


@fault("process.kill", at="*", when=("before", "middle", "after"))
def kill(effect: Effect) -> Iterator[Strike]:
    """The process dies by SIGKILL, before, in the middle of, or after an effect."""
    yield Kill()


@fault("process.interrupt", at="*", when=("before", "after"))
def interrupt(effect: Effect) -> Iterator[Strike]:
    """Somebody presses Ctrl-C: KeyboardInterrupt, before an effect, or after it and before its result is used.

    After a write is before what comes next: a buffer knows that its bytes went out before it lets a signal through.
    """
    if effect.by != "thread" and (effect.when, effect.point.verb) != ("after", "write"):
        yield Fail(KeyboardInterrupt())


@fault("process.cancel", at=("http", "llm"), when=("before", "after"))
def cancel(effect: Effect) -> Iterator[Strike]:
    """The task that waits for an answer is cancelled: before the service acted, or after it acted."""
    if effect.by == "task":
        yield Fail(asyncio.CancelledError())
