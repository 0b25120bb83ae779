"""Check the arguments of `explore`: a bad one is refused in one clear sentence before anything runs."""

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from .errors import ChaosError, nearest, shown
from .sources import Recognizer, Service, ServiceMaker, WorldSource

Errors = Literal["recover", "restart", "worker", "handled"]
DeclaredPath = tuple[Path, str | None, bool, tuple[str, ...], bool]
"""A path, its name where it was given one, whether it is private, what of it is ignored, and whether it may be any."""


def named(paths: Sequence[DeclaredPath]) -> Iterator[tuple[Path, str, bool, tuple[str, ...], bool]]:
    """Yield the paths with names; if a private path's last part is not unique, its parent's name stands before it."""
    names = [name or path.name for path, name, *_ in paths]
    for path, name, private, ignore, anything in paths:
        shared = private and names.count(path.name) > 1
        yield path, name or (f"{path.parent.name}-{path.name}" if shared else path.name), private, ignore, anything


def check_arguments(run: Any, recover: Any, allow: Any, errors: str) -> None:
    """Raise ChaosError for a `run`, `recover` or `allow` that is no function, and an unknown way to treat errors."""
    if not callable(run) or (recover is not None and not callable(recover)):
        raise ChaosError(
            "not-callable",
            "explore takes functions: what it was given is already a result",
            "write chaos.explore(run=lambda: publish(…), recover=lambda: resume(…))",
        )
    if allow is not None:
        check_function(allow, "allow")
    if errors not in get_args(Errors):
        *others, last = (f'"{name}"' for name in get_args(Errors))
        raise ChaosError("bad-errors", f"errors={shown(errors)}", f"errors is {', '.join(others)} or {last}")


def check_function(check: Any, where: str) -> None:
    """Raise ChaosError for an object that is no function of a world, or that would have to be awaited."""
    if inspect.iscoroutinefunction(check):
        hint = "a plain function: its answer is used at once"
        raise ChaosError("not-callable", f"{where} cannot await {getattr(check, '__qualname__', check)}", hint)
    hint = 'a function of the world, e.g. lambda world: "draft.md" in world.files'
    if not callable(check):
        raise ChaosError("not-callable", f"{where} takes a function, not {check!r}", hint)
    try:
        inspect.signature(check).bind(None)
    except TypeError as problem:
        name = getattr(check, "__qualname__", repr(check))
        raise ChaosError("not-callable", f"{where} gives {name} one argument, the world: {problem}", hint) from None
    except ValueError:
        pass  # written in C: it says nothing of its arguments


def declared_late(call: str) -> ChaosError:
    """Return the error for a declaration after the last exploration of a test."""
    return ChaosError(
        "declared-late",
        f"chaos.{call} was called after the last chaos.explore: nothing was explored with it",
        f"call it before: chaos.{call}(…), then chaos.explore(run=…)",
    )


def no_source(source: Any) -> ChaosError:
    """Return the error for an object that cannot be watched."""
    return ChaosError(
        "bad-source",
        f"{source!r} is neither a path nor a WorldSource",
        "watch a folder, a file or an SQLite file by its path",
    )


def recognized(source: object, known: Callable[[], Iterable[Recognizer]]) -> object:
    """Return the source that the first of those that are `known` makes of an object; else the object itself."""
    if isinstance(source, (str, WorldSource)):
        return source
    return next((found for recognize in known() if (found := recognize(source)) is not None), source)


def source_of(source: object, known: Callable[[], Iterable[Recognizer]]) -> WorldSource:
    """Return the source for a watched object; raises ChaosError if no installed function makes one of it."""
    found = recognized(source, known)
    if not isinstance(found, WorldSource):
        raise no_source(source)
    return found


def check_for_paths(source: WorldSource, name: str | None, ignore: Sequence[str], anything: bool) -> None:
    """Raise ChaosError if a `WorldSource` was given arguments that are for paths alone."""
    if name is not None or ignore or anything:
        raise ChaosError(
            "bad-source",
            f"{type(source).__name__} is a WorldSource: name=, ignore= and anything= are for paths",
            "let its describe() give the names and leave out what does not count",
        )


def twin_of(
    twin: object, known: Callable[[], Mapping[str, ServiceMaker]], args: Sequence[Any], named: Mapping[str, Any]
) -> Service:
    """Return a twin of one's own: itself, or the one that the maker `known` by this name makes of the arguments."""
    if isinstance(twin, str):
        makers = known()
        if twin not in makers:
            hint = f"nearest: {', '.join(near)}" if (near := nearest(twin, makers)) else "no plugin has any"
            raise ChaosError("unknown-twin", f"no twin is called {shown(twin)}", f"{hint}\nall: pytest --chaos-list")
        twin = makers[twin](*args, **named)
    if not isinstance(twin, Service):
        hint = "it has the methods of rollproof.Service; rollproof.testing.check_twin says which are not right"
        raise ChaosError("bad-twin", f"{shown(twin)} is no twin", hint)
    return twin


def check_seed(seed: object) -> None:
    """Raise ChaosError for a seed that is no content of a REST service."""
    rows = list(seed.values()) if isinstance(seed, Mapping) else []
    lists = all(isinstance(one, (list, tuple)) and all(isinstance(row, Mapping) for row in one) for one in rows)
    if seed is not None and not (isinstance(seed, Mapping) and all(isinstance(name, str) for name in seed) and lists):
        hint = 'by collection, a list of what is there: seed={"things": [{"name": "a"}]}'
        raise ChaosError("bad-seed", f"seed={shown(seed)} of chaos.api", hint)


def check_lag(lag: object, what: str) -> None:
    """Raise ChaosError for a lag that is no number of requests; `what` has it."""
    if not isinstance(lag, int) or isinstance(lag, bool) or lag < 0:
        raise ChaosError("bad-lag", f"lag={shown(lag)} of {what}", "a number of requests from 0, e.g. lag=1")


def path_of(source: Any) -> Path:
    """Return a declared path as an absolute one; raises ChaosError for an object that is no path."""
    if not isinstance(source, (str, os.PathLike)) or not os.fspath(source):
        raise no_source(source)
    return Path(os.path.abspath(os.fspath(source)))


def file_of(path: object, projects: Sequence[Path]) -> Path:
    """Return the file of a cassette; a relative path is relative to the first of the projects."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        hint = 'the path of a file, e.g. cassette="tests/cassettes/plan.json"'
        raise ChaosError("bad-cassette", f"cassette={shown(path)} of chaos.llm", hint)
    return Path(os.path.abspath(os.path.join(*map(os.fspath, projects[:1]), os.fsdecode(path))))


def patterns(ignore: Sequence[str]) -> tuple[str, ...]:
    """Return globs; a text is one of them, not as many as it has characters. Raises ChaosError for anything else."""
    given = (ignore,) if isinstance(ignore, str) or not isinstance(ignore, Iterable) else tuple(ignore)
    if not all(isinstance(pattern, str) for pattern in given):
        hint = 'name patterns, e.g. ignore=["*.log", "runs.started_at"], or leave it out'
        raise ChaosError("bad-ignore", f"ignore={shown(ignore)} holds no patterns", hint)
    return given


def check_platform() -> None:
    """Raise ChaosError on a platform without fork."""
    if not hasattr(os, "fork"):
        raise ChaosError(
            "no-fork",
            "this system cannot fork a process, and exploring needs that",
            "run on Linux (or WSL, or a container); without --chaos the test runs anywhere",
        )
