"""Names for what an agent does: steps that its own code names, and those that a library knows of.

Agents import this module, too: it loads nothing that takes time, and outside exploration nobody reads a name.
"""

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from ...values.errors import ChaosError, shown

Names = tuple[str, ...]
_NONE: tuple[Names, Names] = (), ()
_active: ContextVar[tuple[Names, Names]] = ContextVar("rollproof_steps", default=_NONE)
"""The names by now, and those of libraries among them: what a library knows more of since is inside the last one."""
_handed: weakref.WeakKeyDictionary[threading.Thread, Names] = weakref.WeakKeyDictionary()
libraries: list[Callable[[], Names]] = []
"""Return the names that a library knows of what runs now, the outermost first. Only processes of agents have any."""


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name a step of the agent: effects inside the block carry the name, also those of threads and tasks that it
    starts.

    Outside exploration nothing comes of it. Raises ChaosError ``bad-step`` for what is no name.
    """
    if not isinstance(name, str) or not name.strip():
        raise ChaosError("bad-step", f"{shown(name)} is no name of a step", 'with chaos.step("book flight"): …')
    token = _active.set(((*within(), name), _of_libraries()))
    try:
        yield
    finally:
        with suppress(ValueError):  # a generator of the agent's can be closed in another context than it began in
            _active.reset(token)


def within() -> Names:
    """Return the names of the steps, nodes and saga steps that run here, the outermost first."""
    names, known = _active.get()
    if not names and _handed:
        names = _handed.get(threading.current_thread(), ())
    found = _of_libraries()
    return names + (found[len(known) :] if found[: len(known)] == known else found)


@contextmanager
def handed(names: Names) -> Iterator[None]:
    """Carry the names of the code that handed this work over."""
    token = _active.set((names, ()))
    try:
        yield
    finally:
        _active.reset(token)


def hand_to(thread: threading.Thread) -> None:
    """Hand the names of the current steps to a thread about to start, whose context is empty otherwise."""
    if names := within():
        _handed[thread] = names


def _of_libraries() -> Names:
    return tuple(name for library in libraries for name in library())
