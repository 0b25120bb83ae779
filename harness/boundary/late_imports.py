"""Run a function when a library has been imported, and import nothing for it: that may take long."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

Undo = Callable[[], None]


def when_imported(module: str, act: Callable[[], Undo]) -> Undo:
    """Call `act` when this module has been imported, or now if it is; returns a function that undoes it."""
    if module in sys.modules:
        return act()
    done: list[Undo] = []
    finder = _Waiting(module, lambda: done.append(act()))
    sys.meta_path.insert(0, finder)

    def undo() -> None:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        while done:
            done.pop()()

    return undo


class _Waiting(MetaPathFinder):
    """Finds one module where all others find it, and acts when it has been executed."""

    def __init__(self, module: str, act: Callable[[], None]) -> None:
        self._module, self._act = module, act
        self._asks = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders have, its loader made to call `act` afterwards."""
        if fullname != self._module or self._asks:
            return None
        self._asks = True
        try:
            spec = find_spec(fullname)
        finally:
            self._asks = False
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                # A loader may be one for many modules: that of a zip file is.
                if module.__name__ == self._module and self in sys.meta_path:
                    loader.__dict__.pop("exec_module", None)
                    self._act()

            loader.exec_module = exec_module
        return spec
