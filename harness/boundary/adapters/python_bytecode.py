"""Instructions of CPython: whether code stands where it waits for a lock.

3.13: `dis` shows a method's name otherwise, so its value is asked; arguments by name have a call of their own.
3.14: ``BEFORE_WITH`` is no more; a block is entered by a plain call of ``__enter__``, which is known here.
3.15: not known.
"""

import dis
import functools
from types import CodeType
from typing import Any

from .part import Adapter

ADAPTER = Adapter("Python", "3.11", "3.14")

_CALLS, _ARGUMENTS = ("CALL", "CALL_KW"), ("LOAD_CONST", "LOAD_FAST", "LOAD_SMALL_INT")


@functools.cache
def enters_or_acquires(code: CodeType, instruction: int) -> bool:
    """Return whether code stands where it enters a block or calls a method ``acquire``."""
    before: tuple[object, ...] = ()
    for one in dis.get_instructions(code):
        if one.offset == instruction:
            called = one.opname in _CALLS and ("__enter__" in before or "acquire" in before)
            return called or one.opname == "BEFORE_WITH"
        if one.opname in _CALLS:
            before = ()
        elif one.opname.startswith("LOAD_") and not one.opname.startswith(_ARGUMENTS):
            before = one.argval, one.argrepr
    return False


def _entering(lock: Any) -> None:
    with lock:
        pass


def _acquiring(lock: Any) -> None:
    lock.acquire()


def _acquiring_in_time(lock: Any) -> None:
    lock.acquire(timeout=1)


def _knows_all() -> bool:
    return all(
        sum(enters_or_acquires(one.__code__, step.offset) for step in dis.get_instructions(one)) == 1
        for one in (_entering, _acquiring, _acquiring_in_time)
    )


LOCKING = ADAPTER.part("threads that wait for locks of Python's own are not seen", probe=_knows_all)


def stands_at_a_lock(code: CodeType, instruction: int) -> bool:
    """Return whether a thread that rests at this instruction waits for a lock, as far as that can be known."""
    return LOCKING.works and enters_or_acquires(code, instruction)
