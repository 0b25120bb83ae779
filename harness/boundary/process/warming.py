"""Do once in the parent what every child would do again: late imports, and the schemas of SDKs' first calls.

Nothing here changes what an agent sees; a child that finds it done starts 50 ms earlier.
"""

import contextlib
import importlib
import os
import platform
import sys
import sysconfig
from collections.abc import Iterable
from itertools import islice
from types import ModuleType

from . import model_sdks

_INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep


def late_modules(before: int) -> tuple[str, ...]:
    """Return installed modules (none of the agent's own) that were imported since there were `before` modules."""
    # From the end: each name and module that is looked at is a page that the forked process copies.
    late = [*islice(reversed(sys.modules), max(0, len(sys.modules) - before))]
    return tuple(name for name in reversed(late) if is_installed(sys.modules.get(name)))


def import_modules(names: Iterable[str]) -> bool:
    """Import modules that a child imported late; one that cannot be imported here stays late.

    Returns whether there are more modules now than before.
    """
    before = len(sys.modules)
    for name in names:
        if name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    return len(sys.modules) != before


def warm_caches() -> None:
    """Fill caches once: the processor's name, which takes a subprocess, and the schemas of loaded model SDKs."""
    platform.uname().processor  # noqa: B018
    model_sdks.warm()


def is_installed(module: ModuleType | None) -> bool:
    """Return whether a module is of the standard library or an installed package; none of the agent's, none of ours."""
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.startswith(_INSTALLED) and not file.startswith(_OURS)
