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
from collections.abc import Container, Iterable, Iterator
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
    """Yield the large numbers that libraries keep, each with its owner and its name there.

    A process with two SDKs has 9,000 classes, and 250,000 names in them and in modules: each is looked at once.
    """
    modules = {name: module for name, module in list(sys.modules.items()) if type(module) is ModuleType}
    installed = {name for name, module in modules.items() if is_installed(module)}
    kinds = _Kinds(installed)
    classes: dict[int, type] = {}
    objects: dict[int, Any] = {}
    for name, module in modules.items():
        named = list(vars(module).items())
        for value in [value for _, value in named if type(value) not in _HOLD_NOTHING]:
            what = kinds[type(value)]
            if what == "class":
                if name in installed and getattr(value, "__module__", None) == name:
                    classes[id(value)] = value
            elif what == "object":
                objects[id(value)] = value
        if name in installed:
            yield from _large(module, named)
    for owner in classes.values():
        named = list(_namespace(owner).items())
        for value in [value for _, value in named if type(value) not in _HOLD_NOTHING]:
            if kinds[type(value)] == "object":
                objects[id(value)] = value
        yield from _large(owner, named)
    for held in objects.values():
        with suppress(Exception):  # an object that computes its attributes
            yield from _large(held, list(object.__getattribute__(held, "__dict__").items()))


class _Kinds(dict[type, str]):
    """What to do with values of a type: look at a "class", at an "object" of an installed class, or at nothing: ""."""

    def __init__(self, installed: Container[str]) -> None:
        self._installed = installed

    def __missing__(self, kind: type) -> str:
        holds = kind.__dictoffset__ and kind.__module__ in self._installed
        self[kind] = "class" if issubclass(kind, type) else "object" if holds else ""
        return self[kind]


def _large(owner: Any, named: Iterable[tuple[str, Any]]) -> list[tuple[Any, str, int | float]]:
    return [(owner, name, value) for name, value in named if type(value) in _NUMBERS and value > _SOONEST]
