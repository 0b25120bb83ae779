"""The command line, the ini file and the mark, made into the `Options` of one test."""

import argparse
import os
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from ..boundary.adapters import pytest_session
from ..values.errors import ChaosError, nearest, shown, unknown_fault
from .readers import IN_INI, check_drawing, of_a_token
from .table import BY_NAME, OPTIONS, SETTINGS, in_ini, note_taken, taken
from .table import value as value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..values.faults import Fault
    from ..values.options import Options
    from ..values.schedule import Schedule
    from ..values.sources import ServiceMaker


def register(parser: pytest.Parser) -> None:
    """Add our options under ``--rollproof…``, a name that nobody else claims, and the ini options."""
    group = parser.getgroup("chaos", "chaos testing of agent recovery (rollproof)")
    group.addoption("--rollproof", action="store_true", dest="rollproof", help="explore (also where --chaos is taken)")
    _add_ini(parser, "chaos", "explore", type="bool", default=False)
    for option in OPTIONS:
        if option.in_line:
            group.addoption(f"--rollproof-{option.name}", **option.typed_as)
        if option.in_ini:
            _add_ini(parser, option.ini, option.help, **option.kept_as)
        if option.is_path:
            _add(group, f"--chaos-{option.name}", **option.typed_as)


def register_short_names(config: pytest.Config, parser: pytest.Parser) -> None:
    """Add ``--chaos…``, once all plugins are loaded, wherever no other one has the name; note what is taken."""
    group = parser.getgroup("chaos")
    others = [] if _add(group, "--chaos", action="store_true", dest="rollproof", help="explore") else ["--chaos"]
    for option in OPTIONS:
        short = f"--chaos-{option.name}"
        if option.in_line and not option.is_path and not _add(group, short, **option.typed_as):
            others.append(short)
    note_taken(config, others)


def _add(group: Any, name: str, **settings: Any) -> bool:
    """Add an option; returns False where another plugin has it."""
    try:
        group.addoption(name, **settings)
    except (ValueError, argparse.ArgumentError):
        return False
    return True


def _add_ini(parser: pytest.Parser, name: str, text: str, **settings: Any) -> None:
    if not pytest_session.has_ini(parser, name):
        parser.addini(name, text, **settings)


def active(config: pytest.Config) -> bool:
    """Return whether tests explore, or run once without a fault."""
    return bool(config.getoption("rollproof", False)) or (not taken(config) and in_ini(config, "chaos") is True)


def flag(config: pytest.Config, name: str) -> bool:
    """Return whether a switch is on, on the command line or in the ini file."""
    option = BY_NAME[name]
    return bool(config.getoption(option.dest, False)) or in_ini(config, option.ini) is True


def typed_in_vain(config: pytest.Config) -> bool:
    """Return whether an option of exploring has a value; for a session in which nothing explores."""
    valued = (option for option in OPTIONS if option.metavar is not None and option.in_line)
    return any(value(config, option.name) is not None for option in valued)


def idle(config: pytest.Config) -> list[str]:
    """Return the options of exploring that were typed and have no use, since nothing explores: ``--chaos-…``."""
    if active(config):
        return []
    exploring = (option for option in OPTIONS if option.explores)
    return [f"--chaos-{option.name}" for option in exploring if config.getoption(option.dest, None)]


def check(config: pytest.Config) -> None:
    """Refuse what cannot be meant, before anything runs, also where nothing explores; raises pytest.UsageError."""
    from ..values.legality import OF_DECLARATIONS
    from ..values.real_time import check_patience
    from . import runs
    from .installed import installed_invariants

    try:
        check_patience()
        installed_invariants(config)
        read = {option.name: _read(config, {}, option.name) for option in OPTIONS}
        _check_drawing(config, read)
        _selected(config, read["faults"], _place(config, "faults"))
        if active(config) and read["dry-run"]:
            _check_dry_run(config)
        if read["replay"] is not None:
            _check_replay(config, read["replay"])
        if active(config):
            runs.prepare(config, read["baseline"], _place(config, "baseline"))
    except ChaosError as problem:
        if problem.code in OF_DECLARATIONS:
            print(problem)  # not typed but declared: told where a wrong test is told, once
            raise pytest.UsageError from None
        raise pytest.UsageError(str(problem)) from None


def _check_drawing(config: pytest.Config, read: "Mapping[str, Any]") -> None:
    """Raise ChaosError where what is written for all tests cannot be meant, whatever their marks add."""
    minutes = None if _is_for_less(config, read["depth"]) else read["minutes"]
    if value(config, "depth") is not None:
        check_drawing(read["depth"], minutes, partial(_place, config))


def _minutes(config: pytest.Config, marked: dict[str, Any]) -> float | None:
    """Return for how long sets of faults are drawn in a test; None where they are not."""
    read = partial(_read, config, marked)
    minutes: float | None = None if _is_for_less(config, read("depth")) else read("minutes")
    check_drawing(read("depth"), minutes, lambda name: _written(config, marked, name)[1])
    if minutes is not None and read("no-reduce"):
        hint = "leave one of them out: brute force has no limit in time, and tries up to two crashes"
        places = f"{_written(config, marked, 'minutes')[1]}, {_place(config, 'no-reduce')}"
        text = f"brute force draws no sets of faults ({places})"
        raise ChaosError("bad-minutes", text, hint)
    return minutes


def _is_for_less(config: pytest.Config, depth: int) -> bool:
    """Return whether a depth was typed at which nothing is drawn, and no minutes: a mark's are for another depth."""
    typed, minutes = (config.getoption(BY_NAME[name].dest, None) for name in ("depth", "minutes"))
    return typed is not None and minutes is None and depth < 3


def _check_replay(config: pytest.Config, schedule: "Schedule") -> None:
    """Raise ChaosError for a schedule of faults that are not installed, or one that nothing explores."""
    _check_installed(config, schedule, _place(config, "replay"))
    if not active(config):
        text = "--chaos-replay without --chaos replays nothing"
        raise ChaosError("not-exploring", text, f"pytest --chaos --chaos-replay='{value(config, 'replay')}'")


def _check_dry_run(config: pytest.Config) -> None:
    """Raise ChaosError where a dry run is to make what only an exploration has."""
    typed = [f"--chaos-{name}" for name in ("replay", "json", "html") if config.getoption(BY_NAME[name].dest, None)]
    if typed:
        text = f"--chaos-dry-run explores nothing, so there is nothing for {' and '.join(typed)}"
        raise ChaosError("bad-dry-run", text, f"leave out --chaos-dry-run, or {' and '.join(typed)}")


def _check_installed(config: pytest.Config, schedule: "Schedule", place: str) -> None:
    from ..values.faults import check_injection
    from .installed import installed_faults

    known = installed_faults(config)
    with of_a_token(place):
        for injection in schedule.injections:
            check_injection(injection, known)


def register_builtins(config: pytest.Config) -> None:
    """Make the catalogue that comes with Rollproof known to the session, once."""
    from .installed import Builtins

    if not config.pluginmanager.has_plugin("rollproof-builtins"):
        config.pluginmanager.register(Builtins(), "rollproof-builtins")


def _twins(config: pytest.Config) -> "dict[str, ServiceMaker]":
    """Return all twins by name; those that come with Rollproof also in an ordinary run, which registers nothing."""
    from .installed import installed_twins

    register_builtins(config)
    return installed_twins(config)


def _selected(config: pytest.Config, globs: str, option: str) -> "list[Fault]":
    from .installed import installed_faults

    known = installed_faults(config)
    chosen: dict[str, Fault] = {}
    for glob in filter(None, (part.strip() for part in globs.split(","))):
        matching = {name: fault for name, fault in known.items() if fnmatchcase(name, glob)}
        if not matching:
            raise unknown_fault(glob, known, option)
        # What is tried only by name is meant by a glob that matches nothing else: not by "llm.*".
        usual = {name: fault for name, fault in matching.items() if fault.by_default}
        chosen.update(usual or matching)
    if not chosen:
        hint = "all of them: pytest --chaos-list"
        raise ChaosError("unknown-fault", f"{shown(globs)} names no fault ({option})", hint)
    return list(chosen.values())


def of_item(config: pytest.Config, item: pytest.Item) -> "Options":
    """Return the settings of one test: what was typed, else its mark, else the ini file."""
    from ..values.options import Options
    from .installed import installed_sources

    marked = _marked(config, item)
    read = partial(_read, config, marked)
    sources, twins = partial(installed_sources, config), partial(_twins, config)
    # A pinned schedule is a regression test, which an ordinary run of pytest carries out.
    projects = (config.rootpath, config.invocation_params.dir)
    if not active(config) and "replay" not in marked:
        record = _recording(config, "once")
        return Options(seed=read("seed"), sources=sources, twins=twins, projects=projects, record=record)
    return _exploring(config, item, marked)


def _exploring(config: pytest.Config, item: pytest.Item, marked: dict[str, Any]) -> "Options":
    from ..values.leftovers import LEFTOVER_NAMES
    from ..values.options import Options
    from .capturing import outlets
    from .failed_before import failed_before
    from .installed import installed_faults, installed_invariants, installed_sources
    from .replaying import replay_command
    from .runs import of_test

    register_builtins(config)
    read = partial(_read, config, marked)
    faults = _selected(config, read("faults"), _written(config, marked, "faults")[1])
    if "replay" in marked:
        _check_installed(config, read("replay"), _written(config, marked, "replay")[1])
    return Options(
        active=True,
        faults=tuple(faults),
        known=installed_faults(config),
        invariants=tuple(installed_invariants(config)),
        seed=read("seed"),
        schedule=read("replay"),
        reduce=not read("no-reduce"),
        reuse=read("reuse"),
        first=read("first") or config.getoption("maxfail") == 1,
        depth=read("depth"),
        minutes=_minutes(config, marked),
        points=read("points"),
        dry_run=active(config) and read("dry-run"),
        budget_s=read("budget"),
        shard=read("shard"),
        leftover_names=(*LEFTOVER_NAMES, *read("leftovers")),
        toxiproxy=read("toxiproxy"),
        projects=(config.rootpath, config.invocation_params.dir),
        records=_made(config),
        controller=os.getppid() if hasattr(config, "workerinput") else 0,
        failed_before=failed_before(config, item.nodeid, [fault.name for fault in faults], read("points")),
        outlets=partial(outlets, config),
        replay=replay_command(item, read("seed")),
        sources=partial(installed_sources, config),
        twins=partial(_twins, config),
        keep=read("keep"),
        converse=_conversation(config),
        runs=of_test(config, item),
        record=_recording(config, "never"),
    )


def _recording(config: pytest.Config, usually: 'Literal["never", "once"]') -> 'Literal["never", "once", "missing"]':
    """Return when cassettes are recorded; in CI never, unless ``--chaos-record`` says so."""
    if flag(config, "record"):
        return "missing"
    return "never" if os.environ.get("CI", "").lower() not in ("", "0", "false") else usually


def _conversation(config: pytest.Config) -> "Callable[[str, bool], str] | None":
    """Return the function by which a person talks with the debugger of a replay; None for a session without one."""
    if not config.getoption("usepdb", False) or value(config, "replay") is None:
        return None
    from .debugging import conversation

    return conversation(config)


def _made(config: pytest.Config) -> tuple[Path, ...]:
    """Return the folder for records, to be written to: pytest makes its cache, so that version control ignores it."""
    if (cache := getattr(config, "cache", None)) is not None:
        with suppress(OSError):
            cache.mkdir("rollproof")
    return records(config)


def records(config: pytest.Config) -> tuple[Path, ...]:
    """Return the folder for records of the outside: in a part of pytest's cache that ``--cache-clear`` leaves."""
    from ..guard.places import places

    if getattr(config, "cache", None) is None:
        return places()
    named = os.path.expanduser(os.path.expandvars(config.getini("cache_dir")))
    return places(config.rootpath / named)


def _read(config: pytest.Config, marked: dict[str, Any], name: str) -> Any:
    """Return the value of an option; `marked` are the settings of a test's mark."""
    return BY_NAME[name].read(*_written(config, marked, name))


def _written(config: pytest.Config, marked: dict[str, Any], name: str) -> tuple[Any, str]:
    """Return the value that was written for an option, and the place."""
    if name in marked and config.getoption(BY_NAME[name].dest, None) in (None, False):
        return marked[name], f"@pytest.mark.chaos({name}=…)"
    written = flag(config, name) if BY_NAME[name].metavar is None else value(config, name)
    return written, _place(config, name)


def _place(config: pytest.Config, name: str) -> str:
    """Return the place of a setting, in words."""
    option = BY_NAME[name]
    in_file = config.getoption(option.dest, None) in (None, False) and in_ini(config, option.ini) is not None
    return f"{option.ini}{IN_INI}" if in_file else f"--chaos-{name}"


def is_marked(config: pytest.Config, item: pytest.Item) -> bool:
    """Return whether the test itself, not its class or module, is marked as ours."""
    return any(mark.name in _mark_names(config) for mark in item.own_markers)


def _mark_names(config: pytest.Config) -> tuple[str, ...]:
    return ("rollproof",) if taken(config) else ("chaos", "rollproof")


def _marked(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name in _mark_names(config):
        for mark in reversed(list(item.iter_markers(name))):
            if mark.args:
                text = f"@pytest.mark.{name}{mark.args!r} has settings without a name"
                raise ChaosError("unnamed-setting", text, f'write e.g. @pytest.mark.{name}(faults="llm.*")')
            settings.update(mark.kwargs)
    for name in settings:
        if name not in SETTINGS:
            raise ChaosError(
                "unknown-setting",
                f"@pytest.mark.chaos has no setting {name!r}",
                f"nearest: {', '.join(nearest(name, SETTINGS))}",
            )
    return settings
