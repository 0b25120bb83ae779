"""Remember what was worked out for contents that come again and again, within a limit of bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_P = ParamSpec("_P")
_OVERHEAD_BYTES = 256


class Remembered(Generic[_K, _V]):
    """The values that were used last; together about `limit_bytes` large, or one that is larger."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes, self._bytes = limit_bytes, 0
        self._values: OrderedDict[_K, tuple[_V, int]] = OrderedDict()

    def get(self, key: _K, make: Callable[[], _V], size: Callable[[_V], int]) -> _V:
        """Return the value of a key, made where it is not remembered; `size` says how many bytes it holds."""
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
            return found[0]
        value = make()
        weight = size(value) + _OVERHEAD_BYTES
        self._values[key] = value, weight
        self._bytes += weight
        while self._bytes > self._limit_bytes and len(self._values) > 1:
            self._bytes -= self._values.popitem(last=False)[1][1]
        return value


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
