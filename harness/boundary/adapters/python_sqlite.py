"""sqlite3: the handle of SQLite's own in a connection, and its busy handler, which Python does not offer.

The handle is the first field of the connection object in C. Reading it from a Python where it is another one would read
any memory: no probe could tell, so the versions decide. Where it cannot be used, the gate says so at the first
connection: locks of SQLite are left to the machine. 3.14 has it there. 3.15: not known.
"""

import ctypes
import functools
import sqlite3
import sys
from typing import Any

from .part import Adapter, find

ADAPTER = Adapter("Python", "3.11", "3.15")
HANDLER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


def _is_there() -> bool:
    return sys.implementation.name == "cpython" and _set_handler() is not None


BUSY = ADAPTER.part(
    "",
    "_sqlite3:Connection",
    probe=lambda: _is_there(),
    costs="at a connection: left to the machine are locks of SQLite",
    strictly=True,
)


@functools.cache
def _set_handler() -> Any:
    """Return SQLite's ``sqlite3_busy_handler``; None if the library does not export it."""
    try:
        function = ctypes.CDLL(getattr(find("_sqlite3"), "__file__", None)).sqlite3_busy_handler
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_void_p, HANDLER, ctypes.c_void_p)
    return function


def set_busy_handler(connection: sqlite3.Connection, callback: Any) -> bool:
    """Make SQLite call `callback`, a `HANDLER`, while a connection waits for a lock.

    Its first argument is the connection's id. Returns whether the handler was set.
    """
    if not BUSY.works:
        return False
    handle = ctypes.c_void_p.from_address(id(connection) + object.__basicsize__)
    _set_handler()(handle, callback, id(connection))
    return True
