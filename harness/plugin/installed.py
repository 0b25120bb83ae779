"""The installed faults, invariants, writers and twins: our own come in through the same hooks as anybody's."""

import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from itertools import chain
from types import ModuleType
from typing import TypeVar

import pytest

from ..values.errors import ChaosError
from ..values.faults import Fault, with_twins
from ..values.history import Invariant
from ..values.legality import check_fault
from ..values.media import use
from ..values.report import Writer
from ..values.sources import Recognizer, ServiceMaker
from .table import value

_T = TypeVar("_T")


class Builtins:
    """The catalogue that comes with Rollproof."""

    @pytest.hookimpl
    def pytest_chaos_faults(self) -> Iterable[Fault]:
        """Return every fault of ``rollproof.faults``."""
        return _declared("rollproof.faults", Fault)

    @pytest.hookimpl
    def pytest_chaos_invariants(self) -> Iterable[Invariant]:
        """Return every invariant of ``rollproof.invariants``."""
        return _declared("rollproof.invariants", Invariant)

    @pytest.hookimpl
    def pytest_chaos_twins(self) -> Mapping[str, ServiceMaker]:
        """Return the function of each module of ``rollproof.twins.ready``, which has the module's name."""
        return {name: vars(module)[name] for name, module in _modules("rollproof.twins.ready").items()}

    @pytest.hookimpl
    def pytest_chaos_writers(self, config: pytest.Config) -> Iterable[Writer]:
        """Return the writers of ``--chaos-json`` and ``--chaos-html``."""
        folder, found = config.invocation_params.dir, []
        if path := value(config, "json"):
            from ..reports import json_file

            found.append(json_file.writer(folder, path))
        if path := value(config, "html"):
            from ..reports import html_page

            found.append(html_page.writer(folder, path))
        return found


def _declared(package: str, kind: type[_T]) -> list[_T]:
    """Return the declarations in all modules of a package: a new file needs no list to be entered in."""
    modules = _modules(package).values()
    return [value for module in modules for value in vars(module).values() if isinstance(value, kind)]


def _modules(package: str) -> dict[str, ModuleType]:
    """Return all modules of a package by their names in it."""
    path = import_module(package).__path__
    return {module.name: import_module(f"{package}.{module.name}") for module in pkgutil.iter_modules(path)}


def is_ours(fault: Fault) -> bool:
    """Return whether a fault comes with Rollproof."""
    return fault.actions.__module__.startswith("rollproof.faults.")


def installed_faults(config: pytest.Config) -> dict[str, Fault]:
    """Return all faults by name, each ``http.*`` one as ``llm.*`` and ``mcp.*`` too.

    A second one of a name is refused, and one that cannot happen where it is declared. Media are known from here on.
    """
    use(chain.from_iterable(config.hook.pytest_chaos_media()))
    declared = list(chain.from_iterable(config.hook.pytest_chaos_faults()))
    found = with_twins(declared)
    _refuse_doubles("fault", [fault.name for fault in found])
    for fault in declared:
        if not is_ours(fault):  # those that come with Rollproof are checked by its tests
            check_fault(fault)
    return {fault.name: fault for fault in sorted(found, key=lambda fault: fault.name)}


def installed_invariants(config: pytest.Config) -> list[Invariant]:
    """Return all invariants; a second one of a name is refused."""
    found = list(chain.from_iterable(config.hook.pytest_chaos_invariants()))
    _refuse_doubles("invariant", [invariant.name for invariant in found])
    return sorted(found, key=lambda invariant: invariant.name)


def installed_sources(config: pytest.Config) -> list[Recognizer]:
    """Return the functions that make sources of watched objects."""
    return list(chain.from_iterable(config.hook.pytest_chaos_sources()))


def installed_twins(config: pytest.Config) -> dict[str, ServiceMaker]:
    """Return the functions that make twins, by name; a second one of a name is refused."""
    found = list(chain.from_iterable(twins.items() for twins in config.hook.pytest_chaos_twins()))
    _refuse_doubles("twin", [name for name, _ in found])
    return dict(sorted(found))


def installed_writers(config: pytest.Config) -> tuple[list[Writer], dict[str, Exception]]:
    """Return the writers of a session's result, and the errors of hooks that raise, by the name of their plugin."""
    found: list[Writer] = []
    problems: dict[str, Exception] = {}
    hook = config.hook.pytest_chaos_writers
    plugins = [implementation.plugin for implementation in hook.get_hookimpls()]
    for plugin in plugins:  # each by itself: one that fails is not to cost the others
        others = [other for other in plugins if other is not plugin]
        try:
            alone = config.pluginmanager.subset_hook_caller("pytest_chaos_writers", others)
            found += chain.from_iterable(alone(config=config))
        except Exception as problem:
            problems[config.pluginmanager.get_name(plugin) or repr(plugin)] = problem
    return found, problems


def _refuse_doubles(kind: str, names: Sequence[str]) -> None:
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ChaosError("same-name", f"two {kind}s are called {doubles[0]!r}", "give one another name")
