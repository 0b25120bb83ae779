"""Replace functions wherever they are known by name: in their own module, and where somebody bound them early.

Bound early means ``from os import replace``, ``def wait(sleep=time.sleep)`` or ``class Waiter: sleep = time.sleep``.
What an object made before keeps in itself is not found; its effects then count as unintercepted.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

_NEVER = ("rollproof", "_pytest", "pytest", "pluggy", "importlib", "_frozen_importlib")
_KEEPS_DEFAULTS = ("tempfile", "glob")  # they hide ``os.unlink`` in a default, ``os.scandir`` in a class (from 3.13)
_SUPPORTED: tuple[Any, ...] = (
    os.supports_dir_fd,
    os.supports_fd,
    os.supports_follow_symlinks,
    os.supports_effective_ids,
)
_seen: dict[int, tuple[ModuleType, frozenset[str]]] = {}
_holders: dict[int, list[tuple[Any, str]]] = {}


def early_bound(originals: Mapping[int, object]) -> Mapping[int, list[tuple[Any, str]]]:
    """Return, for the id of each original, its holders outside the standard library.

    A holder is a module, a class, or a function that has it as the default of a parameter.

    Scans only modules that appeared since the last call.
    """
    for name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType):
            continue
        head = name.partition(".")[0]
        known = _seen.get(id(module))
        # What works beside the agent needs the real functions.
        if (known is not None and known[0] is module) or head in _NEVER:
            continue
        if head in sys.stdlib_module_names and name not in _KEEPS_DEFAULTS:
            continue
        _seen[id(module)] = (module, frozenset())
        for holder, attribute, value in _held(module, name):
            if id(value) in originals and originals[id(value)] is value:
                _holders.setdefault(id(value), []).append((holder, attribute))
    return _holders


def _held(module: ModuleType, name: str) -> Iterator[tuple[Any, str, object]]:
    """Yield (holder, attribute, value) for what a module, its classes and the defaults of its functions hold.

    Of what modules hold only the `type` is asked: ``isinstance`` makes a lazy proxy, such as ``openai.chat``,
    import all that it stands for.
    """
    for attribute, value in list(vars(module).items()):
        yield module, attribute, value
        if issubclass(type(value), type) and value.__module__ == name:
            for inner, part in list(vars(value).items()):
                function = part.__func__ if type(part) in (staticmethod, classmethod) else part
                yield value, inner, function
                yield from _defaults(function)
        elif type(value) is FunctionType and value.__module__ == name:
            yield from _defaults(value)


def _defaults(function: object) -> Iterator[tuple[Any, str, object]]:
    if type(function) is FunctionType:
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            yield function, "", value


def _put(holder: Any, attribute: str, original: object, replacement: Any) -> None:
    if isinstance(holder, FunctionType):
        defaults, keywords = holder.__defaults__ or (), holder.__kwdefaults__ or {}
        if defaults:
            holder.__defaults__ = tuple(replacement if v is original else v for v in defaults)
        if keywords:
            holder.__kwdefaults__ = {k: replacement if v is original else v for k, v in keywords.items()}
    elif isinstance(holder, type):
        is_function = isinstance(vars(holder).get(attribute), (staticmethod, BuiltinFunctionType))
        setattr(holder, attribute, staticmethod(replacement) if is_function else replacement)
    elif getattr(holder, attribute, None) is original:
        setattr(holder, attribute, replacement)


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Replace ``owner.name`` by ``make(original)``, and the same object in modules that imported it by name.

    Only ever called in a child process: nothing is put back.
    """
    original = getattr(owner, name, None)
    if original is None:
        return
    replacement = make(original)
    setattr(owner, name, replacement)
    # `shutil` and others ask whether a function is in these sets; ours can do what the real one can.
    for supported in _SUPPORTED if owner is os else ():
        if original in supported:
            supported.add(replacement)
    holders = _holders.get(id(original), [])
    for holder, attribute in holders:
        _put(holder, attribute, original, replacement)
    if holders:
        _holders[id(replacement)] = holders  # who is replaced again is held by the same ones
