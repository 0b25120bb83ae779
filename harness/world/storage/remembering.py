"""Remember what was worked out for contents that come again and again, within a limit of bytes.

It is remembered for one exploration: the next one has other states, and its processes are forked from the one that
holds all this.
"""

import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_P = ParamSpec("_P")
_OVERHEAD_BYTES = 256


class Remembered(Generic[_K, _V]):
    """The values that were used last; together about `limit_bytes` large, or one that is larger; `most` of them."""

    def __init__(self, limit_bytes: int = sys.maxsize, most: int = sys.maxsize) -> None:
        self._limit_bytes, self._most, self._bytes = limit_bytes, most, 0
        self._values: OrderedDict[_K, tuple[_V, int]] = OrderedDict()
        _all.add(self)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: _K, make: Callable[[], _V], size: Callable[[_V], int] = lambda value: 0) -> _V:
        """Return the value of a key, made where it is not remembered; `size` says how many bytes it holds."""
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
            return found[0]
        value = make()
        self._keep(key, value, size(value))
        return value

    def find(self, key: _K) -> _V | None:
        """Return the value of a key; None where it is not remembered."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def keep(self, key: _K, value: _V, size: int) -> None:
        """Remember a value of so many bytes, where none is remembered for this key."""
        if self.find(key) is None:
            self._keep(key, value, size)

    def _keep(self, key: _K, value: _V, size: int) -> None:
        self._values[key] = value, size + _OVERHEAD_BYTES
        self._bytes += size + _OVERHEAD_BYTES
        while (self._bytes > self._limit_bytes or len(self._values) > self._most) and len(self._values) > 1:
            self._bytes -= self._values.popitem(last=False)[1][1]

    def forget(self) -> None:
        """Drop all values."""
        self._values.clear()
        self._bytes = 0


_all: "weakref.WeakSet[Remembered[Any, Any]]" = weakref.WeakSet()


def held() -> int:
    """Return how many values are remembered in this process, in all caches."""
    return sum(map(len, list(_all)))


def forget_all() -> None:
    """Drop whatever is remembered in this process, in every cache: the exploration that it was made for is over."""
    for each in list(_all):
        each.forget()


def remembered(limit_bytes: int) -> Callable[[Callable[_P, _V]], Callable[_P, _V]]:
    """Remember what a function of a text (its first argument) returned, texts of `limit_bytes` together at most."""

    def decorate(function: Callable[_P, _V]) -> Callable[_P, _V]:
        known: Remembered[Any, _V] = Remembered(limit_bytes)

        @wraps(function)
        def inner(*arguments: _P.args, **named: _P.kwargs) -> _V:
            key = (arguments, *named.items())
            return known.get(key, lambda: function(*arguments, **named), lambda value: len(arguments[0]))  # type: ignore[arg-type]

        return inner

    return decorate
