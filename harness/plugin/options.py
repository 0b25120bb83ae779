"""The command line, the ini file and the mark, and what they mean for one test."""

import argparse
import os
import re
import shlex
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..values.faults import Fault
    from ..values.options import Options

_OURS = (
    ("faults", "GLOB,…", "only these faults, e.g. 'llm.*,process.kill'"),
    ("depth", "N", "1: every single fault and any number of crashes; 2: also every second fault after a first"),
    ("budget", "SECONDS", "a limit for each exploration; what is left out is counted"),
    ("seed", "N", "seed of everything random (default 0)"),
    ("replay", "TOKEN", "run just this schedule, truly"),
    ("shard", "K/N", "the K-th of N disjoint parts, for a CI matrix"),
    ("json", "FILE", "write the result as JSON"),
    ("toxiproxy", "URL", "a Toxiproxy server that runs already, e.g. http://127.0.0.1:8474"),
)
_SWITCHES = (
    ("no-reduce", "brute force, up to two crashes: nothing is merged"),
    ("first", "end each exploration at its first confirmed finding; pytest's -x does so, too"),
    ("reuse", "one process carries out many schedules: for an agent that keeps nothing in memory from run to run"),
)
_FLAGS = (*_SWITCHES, ("list", "list faults, invariants and twins"))
_MARKS = ("faults", "depth", "budget", "seed", "reuse", "first", "epic", "feature", "story")
_DIGITS = 100
_WHOLE = re.compile(rf"\s*[+-]?[0-9]{{1,{_DIGITS}}}\s*")
_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
_taken = pytest.StashKey[list[str]]()


def register(parser: pytest.Parser) -> None:
    """Add our options under ``--rollproof…``, a name that nobody else claims, and the ini options."""
    group = parser.getgroup("chaos", "chaos testing of agent recovery (rollproof)")
    group.addoption("--rollproof", action="store_true", dest="rollproof", help="explore (also where --chaos is taken)")
    for name, metavar, text in _OURS:
        group.addoption(f"--rollproof-{name}", metavar=metavar, dest=_dest(name), default=None, help=text)
        _add_ini(parser, f"chaos_{name}", text)
    for name, text in _FLAGS:
        group.addoption(f"--rollproof-{name}", action="store_true", dest=_dest(name), default=False, help=text)
    _add_ini(parser, "chaos", "explore", type="bool", default=False)
    for name, text in _SWITCHES:
        _add_ini(parser, f"chaos_{name.replace('-', '_')}", text, type="bool", default=False)
    _add_ini(parser, "chaos_leftovers", "further name patterns of locks, staging folders and temporary files")
    _add(group, "--chaos-json", metavar="FILE", dest=_dest("json"), default=None, help="write the result as JSON")


def register_short_names(config: pytest.Config) -> None:
    """Add ``--chaos…``, once all plugins are loaded, wherever no other one has the name; note what is taken."""
    group = config._parser.getgroup("chaos")
    taken = [] if _add(group, "--chaos", action="store_true", dest="rollproof", help="explore") else ["--chaos"]
    for name, metavar, text in _OURS:
        settings = {"metavar": metavar, "dest": _dest(name), "default": None, "help": text}
        if name != "json" and not _add(group, f"--chaos-{name}", **settings):
            taken.append(f"--chaos-{name}")
    for name, text in _FLAGS:
        if not _add(group, f"--chaos-{name}", action="store_true", dest=_dest(name), default=False, help=text):
            taken.append(f"--chaos-{name}")
    config.stash[_taken] = taken


def taken(config: pytest.Config) -> list[str]:
    """Return those of our options that another plugin has."""
    return config.stash.get(_taken, [])


def _dest(name: str) -> str:
    return f"rollproof_{name.replace('-', '_')}"


def _add(group: Any, name: str, **settings: Any) -> bool:
    """Add an option; returns False where another plugin has it."""
    try:
        group.addoption(name, **settings)
    except (ValueError, argparse.ArgumentError):
        return False
    return True


def _add_ini(parser: pytest.Parser, name: str, text: str, **settings: Any) -> None:
    if name not in parser._inidict:
        parser.addini(name, text, **{"default": None, **settings})


def active(config: pytest.Config) -> bool:
    """Say whether tests explore, or run once without a fault."""
    return bool(config.getoption("rollproof", False)) or (not taken(config) and _in_ini(config, "chaos") is True)


def flag(config: pytest.Config, name: str) -> bool:
    """Say whether a switch is on, on the command line or in the ini file."""
    return bool(config.getoption(_dest(name), False)) or _in_ini(config, f"chaos_{name.replace('-', '_')}") is True


def value(config: pytest.Config, name: str) -> str | None:
    """Return what the command line, or else the ini file, says."""
    typed = config.getoption(_dest(name), None)
    return str(typed) if typed is not None else _in_ini(config, f"chaos_{name}")


def _in_ini(config: pytest.Config, name: str) -> Any:
    try:
        return config.getini(name) or None
    except (ValueError, KeyError):
        return None


def typed_in_vain(config: pytest.Config) -> bool:
    """Say whether something is said about exploring where nothing explores."""
    names = ("faults", "replay", "json", "depth", "budget", "shard", "seed", "toxiproxy")
    return any(value(config, name) is not None for name in names)


def idle(config: pytest.Config) -> list[str]:
    """Return what was typed about exploring on the command line where nothing explores; a seed is used there too."""
    if active(config):
        return []
    names = ("faults", "depth", "budget", "shard", "json", "no-reduce", "reuse", "first")
    return [f"--chaos-{name}" for name in names if config.getoption(_dest(name), None)]


def check(config: pytest.Config) -> None:
    """Refuse what cannot be meant, before anything runs, also where nothing explores; raises pytest.UsageError."""
    from ..values.errors import ChaosError
    from ..values.faults import check_injection
    from ..values.real_time import check_patience
    from ..values.schedule import Schedule
    from .installed import installed_faults, installed_invariants

    try:
        check_patience()
        installed_invariants(config)
        _number(value(config, "seed"), _place(config, "seed"))
        _depth(value(config, "depth"), _place(config, "depth"))
        _budget(value(config, "budget"), _place(config, "budget"))
        _shard(value(config, "shard"))
        _toxiproxy(value(config, "toxiproxy"))
        _file(value(config, "json"), _place(config, "json"))
        _leftovers(value(config, "leftovers"))
        globs, replayed = value(config, "faults"), value(config, "replay")
        _selected(config, "*" if globs is None else globs, _place(config, "faults"))
        if replayed is not None:
            known = installed_faults(config)
            for injection in Schedule.parse(replayed).injections:
                check_injection(injection, known)
            if not active(config):
                text = "--chaos-replay without --chaos replays nothing"
                raise ChaosError("not-exploring", text, f"pytest --chaos --chaos-replay='{replayed}'")
    except ChaosError as problem:
        raise pytest.UsageError(str(problem)) from None


def _file(text: str | None, option: str) -> None:
    """Refuse a file that cannot be written."""
    from ..values.errors import ChaosError, shown

    if text is None:
        return
    path = Path(text).absolute()
    try:
        folder = next(above for above in path.parents if above.exists())
        longest = os.pathconf(folder, "PC_NAME_MAX")
        fits = "\0" not in text and all(len(os.fsencode(part)) <= longest for part in path.parts)
        fits = fits and not path.is_dir() and folder.is_dir()
        fits = fits and os.access(path if path.exists() else folder, os.W_OK)
    except (OSError, ValueError):  # e.g. all of the path is too long
        fits = False
    if not fits:
        hint = "name a file: --chaos-json=chaos.json"
        raise ChaosError("bad-file", f"{shown(text)} cannot be written ({option})", hint)


def _text(value: object) -> str:
    """Return what was typed, or stands in a mark; "" for a number too long to be written."""
    try:
        return str(value)
    except ValueError:
        return ""


def _number(text: object, option: str) -> int:
    """Return a seed; raises ChaosError for what is no whole number."""
    from ..values.errors import ChaosError, shown

    if text is not None and not _WHOLE.fullmatch(_text(text)):
        hint = f"e.g. --chaos-seed=7, of up to {_DIGITS} digits"
        raise ChaosError("bad-seed", f"{shown(text)} is no whole number ({option})", hint)
    return int(_text(text)) if text is not None else 0


def _depth(text: object, option: str) -> int:
    """Return 1 or 2; raises ChaosError for anything else."""
    from ..values.errors import ChaosError, shown

    if text is not None and _text(text) not in ("1", "2"):
        raise ChaosError("bad-depth", f"{shown(text)} is no depth ({option})", "1 or 2, e.g. --chaos-depth=2")
    return int(_text(text or 1))


def _budget(text: object, option: str) -> float | None:
    """Return seconds, more than 0, or None; raises ChaosError for anything else."""
    from ..values.errors import ChaosError, shown

    try:
        seconds = None if text is None else float(_text(text))
    except ValueError:
        seconds = 0.0
    if seconds is not None and not 0 < seconds < float("inf"):
        hint = "a number above 0, e.g. --chaos-budget=60"
        raise ChaosError("bad-budget", f"not a number of seconds: {shown(text)} ({option})", hint)
    return seconds


def _shard(text: str | None) -> tuple[int, int]:
    """Return (K, N); raises ChaosError for what is no ``K/N`` with 1 <= K <= N."""
    from ..values.errors import ChaosError, shown

    match = _SHARD.fullmatch(text or "1/1")
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if 1 <= part <= parts:
        return part, parts
    hint = "K/N with K from 1 to N, e.g. --chaos-shard=1/4"
    raise ChaosError("bad-shard", f"{shown(text)} is no shard (--chaos-shard)", hint)


def _leftovers(text: str | None) -> list[str]:
    """Return further name patterns; raises ChaosError for a quote that is not closed."""
    from ..values.errors import ChaosError, shown

    try:
        return shlex.split(text or "")
    except ValueError:
        hint = "patterns with spaces between, a quote at both ends of one that has spaces: *.draft '*.in work'"
        text = f"{shown(text)} has a quote that is not closed (chaos_leftovers in the ini file)"
        raise ChaosError("bad-leftovers", text, hint) from None


def _toxiproxy(url: str | None) -> None:
    """Raise ChaosError for what cannot be the URL of a Toxiproxy server."""
    if url is not None:
        from ..network.api import parse

        parse(url)


def _selected(config: pytest.Config, globs: str, option: str) -> "list[Fault]":
    from ..values.errors import ChaosError, shown, unknown_fault
    from .installed import installed_faults

    known = installed_faults(config)
    chosen: dict[str, Fault] = {}
    for glob in filter(None, (part.strip() for part in globs.split(","))):
        wanted = (fault for fault in known.values() if fault.by_default or glob != "*")
        matching = {fault.name: fault for fault in wanted if fnmatchcase(fault.name, glob)}
        if not matching:
            raise unknown_fault(glob, known, option)
        chosen.update(matching)
    if not chosen:
        hint = "all of them: pytest --chaos-list"
        raise ChaosError("unknown-fault", f"{shown(globs)} names no fault ({option})", hint)
    return list(chosen.values())


def of_item(config: pytest.Config, item: pytest.Item) -> "Options":
    """Return the settings of one test: what was typed, else its mark, else the ini file."""
    from ..values.leftovers import LEFTOVER_NAMES
    from ..values.options import Options

    marked = _marked(config, item)
    seed, seed_place = _setting(config, marked, "seed")
    if not active(config):
        return Options(seed=_number(seed, seed_place))
    from ..values.schedule import Schedule
    from .capturing import outlets
    from .failed_before import failed_before
    from .installed import installed_faults, installed_invariants
    from .replaying import replay_command

    globs, place = _setting(config, marked, "faults")
    faults = _selected(config, _joined(globs, place), place)
    depth, depth_place = _setting(config, marked, "depth")
    budget, budget_place = _setting(config, marked, "budget")
    replayed = value(config, "replay")
    return Options(
        active=True,
        faults=tuple(faults),
        known=installed_faults(config),
        invariants=tuple(installed_invariants(config)),
        seed=_number(seed, seed_place),
        schedule=Schedule.parse(replayed) if replayed else None,
        reduce=not flag(config, "no-reduce"),
        reuse=_switched_on(config, marked, "reuse", "where the agent keeps nothing in memory from run to run"),
        first=_switched_on(config, marked, "first", "where one finding is enough") or config.getoption("maxfail") == 1,
        depth=_depth(depth, depth_place),
        budget_s=_budget(budget, budget_place),
        shard=_shard(value(config, "shard")),
        leftover_names=(*LEFTOVER_NAMES, *_leftovers(value(config, "leftovers"))),
        toxiproxy=value(config, "toxiproxy"),
        projects=(config.rootpath, config.invocation_params.dir),
        records=_made(config),
        controller=os.getppid() if hasattr(config, "workerinput") else 0,
        failed_before=failed_before(config, item.nodeid, [fault.name for fault in faults]),
        outlets=partial(outlets, config),
        replay=replay_command(item, _number(seed, seed_place)),
    )


def _made(config: pytest.Config) -> tuple[Path, ...]:
    """Return the same, for writing: pytest makes its cache, so that no version control takes notice of it."""
    if (cache := getattr(config, "cache", None)) is not None:
        with suppress(OSError):
            cache.mkdir("rollproof")
    return records(config)


def records(config: pytest.Config) -> tuple[Path, ...]:
    """Return where what is watched may be recorded; in pytest's cache beside what ``--cache-clear`` removes."""
    from ..guard.places import places

    if getattr(config, "cache", None) is None:
        return places()
    named = os.path.expanduser(os.path.expandvars(config.getini("cache_dir")))
    return places(config.rootpath / named)


def _setting(config: pytest.Config, marked: dict[str, Any], name: str) -> tuple[Any, str]:
    """Return one setting and where it was written."""
    if config.getoption(_dest(name), None) is None and name in marked:
        return marked[name], f"@pytest.mark.chaos({name}=…)"
    return value(config, name), _place(config, name)


def _switched_on(config: pytest.Config, marked: dict[str, Any], name: str, when: str) -> bool:
    """Return whether a switch is on; raises ChaosError for a mark that says neither yes nor no."""
    from ..values.errors import ChaosError

    chosen = marked.get(name, flag(config, name))
    if not isinstance(chosen, bool):
        text = f"{chosen!r} is neither True nor False (@pytest.mark.chaos({name}=…))"
        raise ChaosError(f"bad-{name}", text, f"{name}=True, {when}")
    return chosen or bool(config.getoption(_dest(name), False))


def _place(config: pytest.Config, name: str) -> str:
    """Say where a setting was written."""
    in_file = config.getoption(_dest(name), None) is None and value(config, name) is not None
    return f"chaos_{name} in the ini file" if in_file else f"--chaos-{name}"


def _joined(globs: Any, place: str) -> str:
    """Return globs as one text; raises ChaosError for what is neither a text nor a list of them."""
    from ..values.errors import ChaosError

    parts = ["*"] if globs is None else [globs] if isinstance(globs, str) else globs
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise ChaosError("bad-faults", f"{globs!r} names no faults ({place})", 'e.g. faults="llm.*,process.kill"')
    return ",".join(parts)


def is_marked(config: pytest.Config, item: pytest.Item) -> bool:
    """Say whether the test itself, not its class or module, is marked as ours."""
    return any(mark.name in _mark_names(config) for mark in item.own_markers)


def _mark_names(config: pytest.Config) -> tuple[str, ...]:
    return ("rollproof",) if taken(config) else ("chaos", "rollproof")


def _marked(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    from ..values.errors import ChaosError, nearest

    settings: dict[str, Any] = {}
    for name in _mark_names(config):
        for mark in reversed(list(item.iter_markers(name))):
            if mark.args:
                text = f"@pytest.mark.{name}{mark.args!r} has settings without a name"
                raise ChaosError("unnamed-setting", text, f'write e.g. @pytest.mark.{name}(faults="llm.*")')
            settings.update(mark.kwargs)
    for name in settings:
        if name not in _MARKS:
            raise ChaosError(
                "unknown-setting",
                f"@pytest.mark.chaos has no setting {name!r}",
                f"nearest: {', '.join(nearest(name, _MARKS))}",
            )
    return settings
