"""Calls with arguments that a method does not have are refused in one clear sentence, and not by a TypeError."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from .errors import ChaosError, nearest

_T = TypeVar("_T")


def checked(cls: type[_T]) -> type[_T]:
    """Make every public method of `cls`, the fixture ``chaos``, refuse arguments that it does not have."""
    for name, function in list(vars(cls).items()):
        if inspect.isfunction(function) and not name.startswith("_"):
            setattr(cls, name, _checked(function))
    return cls


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @wraps(function)
    def called(*args: Any, **named: Any) -> Any:
        __tracebackhide__ = True
        try:
            signature.bind(*args, **named)
        except TypeError as problem:
            raise _bad_arguments(function.__name__, signature, named, problem) from None
        return function(*args, **named)

    return called


def _bad_arguments(name: str, signature: inspect.Signature, named: Mapping[str, Any], problem: TypeError) -> ChaosError:
    parameters = list(signature.parameters.values())[1:]
    known = [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    plain = [one.replace(annotation=one.empty) for one in parameters]
    call = f"it is chaos.{name}{inspect.Signature(plain)}"
    unknown = [word for word in named if word not in known]
    if unknown and known:
        text = f"chaos.{name} has no {unknown[0]}="
        return ChaosError("bad-arguments", text, f"nearest: {', '.join(nearest(unknown[0], known, 1))}\n{call}")
    return ChaosError("bad-arguments", f"chaos.{name}: {problem}", call)
