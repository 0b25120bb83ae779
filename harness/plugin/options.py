"""The command line, the ini file and the mark, and what they mean for one test."""

import contextlib
import shlex
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..chaos import Options
    from ..values.faults import Fault

_NOT_YET = ("depth", "budget", "shard")
_OURS = (
    ("faults", "GLOB,…", "only these faults, e.g. 'llm.*,process.kill'"),
    ("depth", "N", "1: every single fault and any number of crashes (2 comes later)"),
    ("budget", "SECONDS", "a limit for each exploration (comes later)"),
    ("seed", "N", "seed of everything random (default 0)"),
    ("replay", "TOKEN", "run just this schedule, truly"),
    ("shard", "K/N", "one of N disjoint parts (comes later)"),
    ("json", "FILE", "write the result as JSON"),
)
_MARKS = ("faults", "depth", "budget", "seed", "epic", "feature", "story")


def register(parser: pytest.Parser) -> None:
    """Add our options; where another plugin has ``--chaos`` already, ``--rollproof`` alone."""
    group = parser.getgroup("chaos", "chaos testing of agent recovery (rollproof)")
    group.addoption("--rollproof", action="store_true", dest="rollproof", help="explore (also where --chaos is taken)")
    _add(group, "--chaos", action="store_true", dest="chaos_active", help="explore every fault at every point")
    for name, metavar, text in _OURS:
        _add(group, f"--chaos-{name}", metavar=metavar, dest=f"chaos_{name}", default=None, help=text)
        _add_ini(parser, f"chaos_{name}", text)
    _add(
        group,
        "--chaos-no-reduce",
        action="store_true",
        dest="chaos_no_reduce",
        default=False,
        help="brute force, up to two crashes: nothing is merged",
    )
    _add(
        group,
        "--chaos-list",
        action="store_true",
        dest="chaos_list",
        default=False,
        help="list faults, invariants and twins",
    )
    _add_ini(parser, "chaos_leftovers", "further name patterns of locks, staging folders and temporary files")


def _add(group: Any, *names: str, **settings: Any) -> None:
    with contextlib.suppress(ValueError):  # another plugin's: it keeps the name, ours is --rollproof
        group.addoption(*names, **settings)


def _add_ini(parser: pytest.Parser, name: str, text: str) -> None:
    with contextlib.suppress(ValueError):
        parser.addini(name, text, default=None)


def active(config: pytest.Config) -> bool:
    """Say whether tests explore, or run once without a fault."""
    return bool(config.getoption("rollproof", False) or config.getoption("chaos_active", False))


def value(config: pytest.Config, name: str) -> str | None:
    """Return what the command line, or else the ini file, says."""
    typed = config.getoption(f"chaos_{name}", None)
    return str(typed) if typed is not None else _in_ini(config, name)


def _in_ini(config: pytest.Config, name: str) -> str | None:
    try:
        return config.getini(f"chaos_{name}") or None
    except (ValueError, KeyError):
        return None


def check(config: pytest.Config) -> None:
    """Refuse what cannot be meant, before anything runs; raises pytest.UsageError."""
    from ..values.errors import ChaosError
    from ..values.schedule import Schedule
    from .installed import installed_invariants

    for name in _NOT_YET:
        typed = value(config, name)
        if typed is not None and (name, typed) != ("depth", "1"):
            raise pytest.UsageError(f"chaos: --chaos-{name}={typed} is not there yet\n       leave it out")
    try:
        installed_invariants(config)
        _number(value(config, "seed"), "--chaos-seed")
        globs, replayed = value(config, "faults"), value(config, "replay")
        _selected(config, "*" if globs is None else globs, "--chaos-faults")
        if replayed is not None:
            schedule = Schedule.parse(replayed)
            _known(config, [injection.fault for injection in schedule.injections])
    except ChaosError as problem:
        raise pytest.UsageError(str(problem)) from None


def _number(text: object, option: str) -> int:
    """Return a seed; raises ChaosError for what is no whole number."""
    from ..values.errors import ChaosError

    try:
        return int(str(text)) if text is not None else 0
    except ValueError:
        raise ChaosError("bad-seed", f"{text!r} is no whole number ({option})", "e.g. --chaos-seed=7") from None


def _known(config: pytest.Config, names: list[str]) -> None:
    from ..values.errors import ChaosError, nearest
    from .installed import installed_faults

    known = installed_faults(config)
    for name in names:
        if name not in known:
            raise ChaosError(
                "unknown-fault",
                f"no fault matches {name!r} (--chaos-replay)",
                f"nearest: {', '.join(nearest(name, known))}\nall of them: pytest --chaos-list",
            )


def _selected(config: pytest.Config, globs: str, option: str) -> "list[Fault]":
    from ..values.errors import ChaosError, nearest
    from .installed import installed_faults

    known = installed_faults(config)
    chosen: dict[str, Fault] = {}
    for glob in filter(None, (part.strip() for part in globs.split(","))):
        matching = {name: fault for name, fault in known.items() if fnmatchcase(name, glob)}
        if not matching:
            raise ChaosError(
                "unknown-fault",
                f"no fault matches {glob!r} ({option})",
                f"nearest: {', '.join(nearest(glob, known))}\nall of them: pytest --chaos-list",
            )
        chosen.update(matching)
    if not chosen:
        raise ChaosError("unknown-fault", f"{globs!r} names no fault ({option})", "all of them: pytest --chaos-list")
    return list(chosen.values())


def of_item(config: pytest.Config, item: pytest.Item) -> "Options":
    """Return the settings of one test: what was typed, else its mark, else the ini file."""
    from ..chaos import LEFTOVER_NAMES, Options

    if not active(config):
        return Options()
    from ..values.schedule import Schedule
    from .installed import installed_faults, installed_invariants

    marked = _marked(item)
    globs, place = _setting(config, marked, "faults")
    seed, seed_place = _setting(config, marked, "seed")
    replayed = value(config, "replay")
    further = value(config, "leftovers")
    return Options(
        active=True,
        faults=tuple(_selected(config, "*" if globs is None else _joined(globs), place)),
        known=installed_faults(config),
        invariants=tuple(installed_invariants(config)),
        seed=_number(seed, seed_place),
        schedule=Schedule.parse(replayed) if replayed else None,
        reduce=not config.getoption("chaos_no_reduce", False),
        leftover_names=(*LEFTOVER_NAMES, *shlex.split(further or "")),
    )


def _setting(config: pytest.Config, marked: dict[str, Any], name: str) -> tuple[Any, str]:
    """Return one setting and where it was written."""
    if config.getoption(f"chaos_{name}", None) is None and name in marked:
        return marked[name], f"@pytest.mark.chaos({name}=…)"
    return value(config, name), f"--chaos-{name}"


def _joined(globs: Any) -> str:
    return globs if isinstance(globs, str) else ",".join(globs)


def _marked(item: pytest.Item) -> dict[str, Any]:
    from ..values.errors import ChaosError, nearest

    settings: dict[str, Any] = {}
    for name in ("chaos", "rollproof"):
        mark = item.get_closest_marker(name)
        settings.update(mark.kwargs if mark else {})
    for name in settings:
        if name not in _MARKS:
            raise ChaosError(
                "unknown-setting",
                f"@pytest.mark.chaos has no setting {name!r}",
                f"nearest: {', '.join(nearest(name, _MARKS))}",
            )
    for name in _NOT_YET:
        if settings.get(name) not in (None, 1):
            text = f"@pytest.mark.chaos({name}={settings[name]!r}) is not there yet"
            raise ChaosError("not-yet", text, "leave it out")
    return settings
