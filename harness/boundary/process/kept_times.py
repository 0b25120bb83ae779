"""Times that libraries keep in memory, such as that of the last id, put back to when a process of the agent begins.

Explorations begin on a fixed day, so that they find the same tomorrow; the test's process, which the agent's are forked
from, lives on a later one. A generator of ids that has drawn one there (uuid6, and LangGraph with it) would count on
from that time in each process: a recovery would draw the ids of the run before it again, and take old for new.

Looked at are numbers in modules and classes that are installed, and in objects of such classes that a module or a class
holds. What the agent's own modules keep is left alone: a test may compare it afterwards.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

from ...values.proc_stat import proc_stat
from .warming import is_installed

_SINCE_1582 = 0x01B21DD213814000  # the beginning of uuids' time, in their ticks before 1970
_SCALES = ((1, 0), (10**3, 0), (10**6, 0), (10**9, 0), (10**7, _SINCE_1582))  # ticks in a second, ticks before 1970
_SOONEST = 1_000_000_000  # seconds since 1970, in 2001: almost every number is smaller
_AHEAD_S = 1.0  # generators count on from a time that has not come yet
_NUMBERS = frozenset({int, float})
_PLAIN = _NUMBERS | {str, bytes, tuple, list, dict, set, frozenset, type(None), bool}
# A namespace is of an installed class, but what is in it belongs to whoever filled it, such as the agent.
_HOLD_NOTHING = _PLAIN | {ModuleType, FunctionType, BuiltinFunctionType, SimpleNamespace}
_namespace: Any = type.__dict__["__dict__"].__get__  # of a class, whatever its metaclass says


@dataclass(frozen=True, slots=True)
class KeptTime:
    """A number that is a time: an attribute of `owner`, in ticks since `before_1970` ticks before 1970."""

    owner: Any
    name: str
    ticks_per_s: int
    before_1970: int

    def put(self, timestamp: float) -> None:
        """Set the time, in epoch seconds. An int stays an int."""
        with suppress(Exception):  # an owner that refuses keeps the time that it has
            kind = type(getattr(self.owner, self.name))
            setattr(self.owner, self.name, kind(timestamp * self.ticks_per_s + self.before_1970))


def put_back(kept: Iterable[KeptTime], start: float) -> None:
    """Set all times to a second before `start` (epoch seconds), at which a process of the agent begins.

    All get the same one: how long ago each was in the test's process would differ from session to session.
    """
    for time_kept in kept:
        time_kept.put(start - 1.0)


def kept_by_this_process() -> list[KeptTime]:
    """Return the times since the start of this process that libraries keep in it; none where there is no ``/proc``."""
    try:
        started = proc_stat("self").start / os.sysconf("SC_CLK_TCK")
    except OSError:
        return []
    now = time.time()
    return kept_since(now - (time.clock_gettime(time.CLOCK_BOOTTIME) - started), now)


def kept_since(begin: float, now: float) -> list[KeptTime]:
    """Return the numbers that libraries keep and that are times from `begin` to `now` (epoch seconds).

    A time is told in seconds, milli-, micro- or nanoseconds, or in the ticks of uuids.
    """
    kept = []
    first, last = begin - _AHEAD_S, now + _AHEAD_S
    for owner, name, value in _numbers():
        for ticks_per_s, before_1970 in _SCALES:
            # Not divided: a library's prime number, as of a key exchange, can be larger than any float.
            if first * ticks_per_s + before_1970 <= value <= last * ticks_per_s + before_1970:
                kept.append(KeptTime(owner, name, ticks_per_s, before_1970))
    return kept


def _numbers() -> Iterator[tuple[Any, str, int | float]]:
    """Yield the large numbers that libraries keep, each with its owner and its name there."""
    modules = {name: module for name, module in list(sys.modules.items()) if type(module) is ModuleType}
    installed = {name for name, module in modules.items() if is_installed(module)}
    classes: dict[int, type] = {}
    objects: dict[int, Any] = {}
    for name, module in modules.items():
        for value in list(vars(module).values()):
            kind = type(value)
            if kind in _HOLD_NOTHING:  # most of them
                continue
            if issubclass(kind, type):
                if name in installed and getattr(value, "__module__", None) == name:
                    classes[id(value)] = value
            elif kind.__module__ in installed:
                objects[id(value)] = value
        if name in installed:
            yield from _large(module, vars(module))
    for owner in classes.values():
        for value in list(_namespace(owner).values()):
            if type(value) not in _HOLD_NOTHING and type(value).__module__ in installed:
                objects[id(value)] = value
        yield from _large(owner, _namespace(owner))
    for held in objects.values():
        with suppress(Exception):  # an object without attributes, or that computes them
            yield from list(_large(held, object.__getattribute__(held, "__dict__")))


def _large(owner: Any, attributes: Mapping[str, Any]) -> Iterator[tuple[Any, str, int | float]]:
    for name, value in list(attributes.items()):
        if type(value) in _NUMBERS and value > _SOONEST:
            yield owner, name, value
