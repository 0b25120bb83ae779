"""What happens to the agent's process as a whole."""

import asyncio
from collections.abc import Iterator

from rollproof.values.actions import Action, Fail, Kill
from rollproof.values.faults import fault
from rollproof.values.media import medium_of
from rollproof.values.points import Effect


@fault(
    "process.kill",
    at="*",
    when=("before", "middle", "after"),
    told={
        "before": "the process was killed before {doing}",
        "middle": "the process was killed in the middle of {doing}",
        "after": "the process was killed after {doing}",
    },
)
def kill(effect: Effect) -> Iterator[Action]:
    """The process dies by SIGKILL, before, in the middle of, or after an effect."""
    yield Kill()


@fault(
    "process.pid_reused",
    at="*",
    when=("before", "middle", "after"),
    by_default=False,
    told={
        "before": "the process was killed before {doing}, and another program got its pid",
        "middle": "the process was killed in the middle of {doing}, and another program got its pid",
        "after": "the process was killed after {doing}, and another program got its pid",
    },
)
def pid_reused(effect: Effect) -> Iterator[Action]:
    """The process dies by SIGKILL, and another program has its pid from then on: who asks whether that runs hears yes.

    Not tried unless selected: a lock that trusts a pid is common, and its users accept that it can be stuck.
    """
    if medium_of(effect.point.kind).touches_outside:
        yield Kill(pid_reused=True)


@fault(
    "process.interrupt",
    at="*",
    when=("before", "after"),
    told={"before": "Ctrl-C came before {doing}", "after": "Ctrl-C came after {doing}"},
)
def interrupt(effect: Effect) -> Iterator[Action]:
    """Somebody presses Ctrl-C: KeyboardInterrupt, before an effect, or after it and before its result is used.

    After a write is before what comes next: a buffer knows that its bytes went out before it lets a signal through.
    """
    if effect.by in ("main", "task") and medium_of(effect.point.kind).interrupts(effect.point.verb, effect.when):
        yield Fail(KeyboardInterrupt())


@fault(
    "process.cancel",
    at="*",
    when=("before", "after"),
    told={"before": "the task was cancelled before {doing}", "after": "the task was cancelled after {doing}"},
)
def cancel(effect: Effect) -> Iterator[Action]:
    """The task that awaits something is cancelled: before a service or program acted, after it acted, or in its sleep.

    A statement that a thread carries out for a task (aiosqlite) and a call of a tool are carried out all the same.
    """
    if medium_of(effect.point.kind).cancels(effect.by, effect.when):
        yield Fail(asyncio.CancelledError())
