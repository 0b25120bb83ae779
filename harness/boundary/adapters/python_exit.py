"""atexit and weakref.finalize: the functions that a process has registered for its end.

3.14: the names are there, and do what they did. 3.15: not known.
"""

import atexit
import weakref
from typing import Any

from .part import Adapter

ADAPTER = Adapter("Python", "3.11", "3.14")
_finalize: Any = weakref.finalize
_atexit: Any = atexit


def _counts() -> bool:
    return isinstance(_atexit._ncallbacks(), int) and isinstance(_finalize._registry, dict)


FUNCTIONS = ADAPTER.part(
    "what is registered for the end of a process is not carried out",
    "atexit:_clear",
    "atexit:_run_exitfuncs",
    "atexit:_ncallbacks",
    "weakref:finalize._registry",
    "weakref:finalize._exitfunc",
    "weakref:finalize._registered_with_atexit",
    probe=_counts,
)


def forget_all() -> None:
    """Forget all exit handlers that were registered in the process that this one was forked from."""
    if FUNCTIONS.works:
        _finalize._registry.clear()
        _atexit._clear()
        atexit.register(_finalize._exitfunc)
        _finalize._registered_with_atexit = True


def carry_out() -> None:
    """Run the exit handlers; nothing if they cannot be told apart from those of another process."""
    if FUNCTIONS.works:
        _atexit._run_exitfuncs()


def registered() -> tuple[int, int] | None:
    """Return the numbers of registered functions and finalizers; None if they cannot be counted."""
    return (_atexit._ncallbacks(), len(_finalize._registry)) if FUNCTIONS.works else None


def is_anything_left() -> bool:
    """Return whether an exit handler that was registered since `forget_all` has yet to run."""
    if not FUNCTIONS.works:
        return True
    return _atexit._ncallbacks() > 1 or any(finalizer.atexit for finalizer in _finalize._registry.values())
