"""Names native code that can reach the network past every hook: only Python's connections can be refused."""

import ctypes
import sys
from collections.abc import Iterator
from types import FrameType, ModuleType

from ..process.callers import package_of
from ..process.places import is_own

_CONNECTING = {"uvloop": "uvloop", "curl_cffi": "curl_cffi", "grpc._cython": "grpc", "pycurl": "pycurl"}
"""Modules that connect by themselves, and what to call them. What libpq reaches is declared by `Chaos.network`."""


def loaded() -> list[str]:
    """Return the names of native code that is loaded: known modules, and libraries that the agent's modules keep."""
    found = [f"native code of {name}" for module, name in _CONNECTING.items() if module in sys.modules]
    return [*found, *dict.fromkeys(library(kept._name) for kept in _kept())]


def library(name: object) -> str:
    """Return the readable name of a library that was opened by its name, None for the C library."""
    return f"native code that ctypes opens ({'the C library' if name is None else name})"


def opened_by_the_agent(frame: FrameType | None) -> bool:
    """Return whether the agent's own code opens a library here, and no library of its does."""
    while frame is not None and package_of(frame) in ("ctypes", "rollproof"):
        frame = frame.f_back
    return frame is not None and is_own(frame.f_code.co_filename)


def _kept() -> Iterator[ctypes.CDLL]:
    """Yield the libraries that the agent's modules opened when they were imported: no hook was there yet."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) if type(module) is ModuleType else None
        if isinstance(file, str) and is_own(file):
            for value in list(vars(module).values()):
                if issubclass(type(value), ctypes.CDLL) and value is not ctypes.pythonapi:
                    yield value
