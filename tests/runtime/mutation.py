"""Change one piece of a runtime module's text, and let everything that runs use the changed code."""

from __future__ import annotations

import gc
import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all that are defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _numbered(text: str, file: str) -> dict[tuple[str, int], CodeType]:
    """Compile a module, and name each code by its qualified name and which of that name it is: lambdas share theirs."""
    found: dict[tuple[str, int], CodeType] = {}
    for code in _codes(compile(text, file, "exec", dont_inherit=True)):
        number = sum(name == code.co_qualname for name, _ in found)
        found[code.co_qualname, number] = code
    return found


@contextmanager
def mutated(module: str, old: str, new: str) -> Iterator[None]:
    """Replace `old`, which occurs once in ``rollproof.runtime.MODULE``, by `new` for the time of the block.

    The functions that are there already get the code of the changed text, so whoever holds one runs the mutant. It can
    change functions, not constants of the module.
    """
    loaded = importlib.import_module(f"rollproof.runtime.{module}")
    text = inspect.getsource(loaded)
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {module}"
    assert old != new
    numbered, fresh = _numbered(text, str(loaded.__file__)), _numbered(text.replace(old, new), str(loaded.__file__))
    instead = {(code.co_qualname, code.co_firstlineno): fresh.get(name) for name, code in numbered.items()}
    functions = [f for f in gc.get_objects() if isinstance(f, FunctionType) and f.__module__ == loaded.__name__]
    places = [(f, instead.get((f.__code__.co_qualname, f.__code__.co_firstlineno))) for f in functions]
    changed = [(f, f.__code__, other) for f, other in places if other is not None and _differs(f.__code__, other)]
    assert changed, "the mutant changes no function"
    for function, _, other in changed:
        function.__code__ = other
    try:
        yield
    finally:
        for function, code, _ in changed:
            function.__code__ = code


def _differs(code: CodeType, other: CodeType) -> bool:
    if code.co_freevars != other.co_freevars:
        return False
    inner = [[c for c in each.co_consts if isinstance(c, CodeType)] for each in (code, other)]
    plain = [[c for c in each.co_consts if not isinstance(c, CodeType)] for each in (code, other)]
    same = (code.co_code, code.co_names, plain[0]) == (other.co_code, other.co_names, plain[1])
    return not same or any(_differs(a, b) for a, b in zip(*inner, strict=False))
