"""A part is a few private names of one library, with a probe that tells whether they still do what is relied on.

A name is written as ``module:attribute.attribute``. ``module:Class#name`` is an attribute that the class gives its
objects, ``module:function(name)`` a local variable or a parameter of a function; ``?`` behind a name says that only
some of the tested versions have it.
"""

import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from types import CodeType
from typing import Any

_NAME = re.compile(r"(?P<module>[\w.]+)(:(?P<path>[\w.]+))?(#(?P<attribute>\w+))?(\((?P<local>\w+)\))?(?P<some>\?)?")
listeners: list[Callable[[str], object]] = []
"""Each is told, once in each process, of a part that fails at its first use there."""


class Changed(Exception):
    """A private name is not there, or does something else."""


class Part:
    """Names of one library that are used together.

    Attributes:
        loses: the words of the statement where the part fails, with the library and its version for ``{library}``; ""
            where all is tried all the same, or where it is told otherwise: `costs` says which.
        names: the private names, in the form that the module describes.
        strictly: whether versions outside the tested range are not tried, since no probe could tell what they do.
    """

    def __init__(
        self,
        adapter: "Adapter",
        loses: str,
        names: tuple[str, ...],
        probe: Callable[[], object],
        *,
        costs: str,
        strictly: bool,
    ) -> None:
        self.adapter, self.loses, self.names, self.costs, self.strictly = adapter, loses, names, costs, strictly
        self._probe = probe
        self._failure: str | None = None

    @property
    def works(self) -> bool:
        """Return whether the library's private names behave as this adapter relies on.

        Probed at the first use in a process, or before the process was forked.
        """
        return not self.failure

    @property
    def failure(self) -> str:
        """Return why the part cannot be used; "" where it can."""
        if self._failure is None:
            self._failure = self._probed()
            if told := self.told:
                for listener in listeners:
                    listener(told)
        return self._failure

    @property
    def told(self) -> str:
        """Return the words of the statement on a part that fails; "" where nothing is lost."""
        if not self.failure or not self.loses:  # in this order: a part that loses nothing is probed, too, once for all
            return ""
        return f"{self.loses.format(library=self.adapter.shown())}: {self.failure}"

    @property
    def is_probed(self) -> bool:
        """Return whether the part was probed, here or before the process was forked."""
        return self._failure is not None

    @property
    def is_known(self) -> bool:
        """Return whether the part was probed, or can be without importing anything."""
        loaded = [name.partition(":")[0] in sys.modules for name in self.names if not name.endswith("?")]
        some = [name.partition(":")[0] in sys.modules for name in self.names]
        return self.is_probed or (all(loaded) if loaded else any(some) or not some)

    def fail(self, why: str) -> None:
        """Mark the part as failed from now on: for tests of the statement."""
        self._failure = why

    def forget(self) -> None:
        """Probe again at the next use."""
        self._failure = None

    def _probed(self) -> str:
        if self.strictly and (outside := self.adapter.outside()):
            return outside
        try:
            for name in self.names:
                if not name.endswith("?"):
                    find(name)
            if self._probe() is False:
                raise Changed("it does something else")
        except Exception as problem:  # whatever a changed library does: it is told, and stops nothing
            outside = self.adapter.outside()
            return f"{problem}{f' ({outside})' if outside else ''}"
        return ""


class Adapter:
    """The private names of one library, or of one part of Python, that are used.

    Args:
        library: its distribution, or "Python".
        since: the first version that was tested; `below` the first one that was not.
    """

    def __init__(self, library: str, since: str, below: str) -> None:
        self.library, self.since, self.below = library, since, below
        self.parts: list[Part] = []

    def part(
        self,
        loses: str,
        *names: str,
        probe: Callable[[], object] = lambda: True,
        costs: str = "",
        strictly: bool = False,
    ) -> Part:
        """Declare a part; see `Part` for the arguments."""
        self.parts.append(Part(self, loses, names, probe, costs=costs, strictly=strictly))
        return self.parts[-1]

    def failures(self) -> Iterator[str]:
        """Probe the parts that are loaded, and yield the words of the statement on those that fail."""
        yield from (part.told for part in self.parts if part.is_known and part.told)

    def version(self) -> str:
        """Return the version of the library that is used here; "" where it is not known."""
        if self.library == "Python":
            return ".".join(map(str, sys.version_info[:3]))
        try:
            return metadata.version(self.library)
        except metadata.PackageNotFoundError:
            return ""

    def shown(self) -> str:
        """Return the library with the first two numbers of its version."""
        return f"{self.library} {'.'.join(self.version().split('.')[:2])}".rstrip()

    def outside(self) -> str:
        """Return the tested versions, in words; "" where this version is one of them."""
        version = _numbers(self.version())
        if version and version < _numbers(self.since):
            return f"tested since {self.since}"
        return f"tested below {self.below}" if version and version >= _numbers(self.below) else ""


def find(name: str) -> Any:
    """Return the object of a name, None for a local variable or an attribute of objects; raises Changed."""
    parts = _NAME.fullmatch(name)
    assert parts is not None, name
    known: Any = _module(parts["module"])
    for step in (parts["path"] or "").split(".") if parts["path"] else ():
        if not (any(step in vars(kind) for kind in known.__mro__) if isinstance(known, type) else hasattr(known, step)):
            raise Changed(f"{parts['module']}.{parts['path']} is missing")
        known = getattr(known, step)
    for inner, codes in ((parts["attribute"], _methods(known)), (parts["local"], _code(known))):
        if inner and not any(inner in (*code.co_names, *code.co_varnames, *code.co_cellvars) for code in codes):
            raise Changed(f"{inner} of {parts['module']}.{parts['path']} is missing")
    return None if parts["attribute"] or parts["local"] else known


def found(name: str) -> Any:
    """Return the object of a name; None where it is missing."""
    try:
        return find(name)
    except Changed:
        return None


def _module(name: str) -> Any:
    try:
        return sys.modules.get(name) or import_module(name)
    except ImportError:
        raise Changed(f"{name} is missing") from None


def _methods(owner: object) -> Iterator[CodeType]:
    for kind in owner.__mro__ if isinstance(owner, type) else ():
        for held in vars(kind).values():
            yield from _code(held)


def _code(function: Any) -> Iterator[CodeType]:
    function = getattr(function, "__wrapped__", function)
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):
        yield code


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: of a pre-release those of its release."""
    return tuple(int(number) for number in re.match(r"(?:\d+\.?)*", version)[0].split(".") if number)  # type: ignore[index]
