"""The kinds of points that are known: one module each, which declares one `Medium`, and what plugins add."""

import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module

from ..errors import ChaosError
from .medium import Medium

_added: dict[str, Medium] = {}


@cache
def _built_in() -> Mapping[str, Medium]:
    """Return the media of the modules beside this one: a new file needs no list to be entered in."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Medium)]
    return {medium.kind: medium for medium in found}


def media() -> Mapping[str, Medium]:
    """Return all media by kind."""
    return {**_built_in(), **_added}


def medium_of(kind: str) -> Medium:
    """Return the medium of a kind; of an unknown one, a medium that can do nothing."""
    return _built_in().get(kind) or _added.get(kind) or Medium(kind)


def use(added: Iterable[Medium]) -> None:
    """Register these media beside the built-in ones, and no others; children forked from then on know them, too.

    Raises:
        ChaosError: ``same-name`` for a kind that is there already.
    """
    _added.clear()
    for medium in added:
        if medium.kind in media():
            raise ChaosError("same-name", f"two media are called {medium.kind!r}", "give one another name")
        _added[medium.kind] = medium
