"""The command line that replays a schedule, right where pytest was started and in the same session as this one."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..boundary.adapters import pytest_session
from ..values.replaying import ReplayCommand
from .table import taken

_DECIDING = ("plugins", "override_ini", "noconftest", "importmode", "pythonwarnings", "disable_plugin_autoload")
_PATHS = {"inifilename": "--config-file", "rootdir": "--rootdir", "confcutdir": "--confcutdir"}
"""Options of pytest itself without which a session is another one; all others choose, show or trace tests."""
_SELECTING = ("keyword", "markexpr")
_PYTESTS_OWN = ("general", "terminal reporting", "pytest-warnings", "collect", "debugconfig", "logging")
_REPORTING = ("xdist", "cov", "reporting", "timeout")
"""Groups of other plugins' options that say where tests run and what is told of them."""


def replay_command(item: pytest.Item, seed: int) -> ReplayCommand:
    """Return the command that replays schedules of a test, for the folder in which pytest was started.

    Ids of tests begin at the root, which may be another folder.
    """
    config = item.config
    _, colons, within = _without_group(item.nodeid).partition("::")
    path = os.path.relpath(item.path, config.invocation_params.dir)
    further = [f"{_ours(config, 'seed')}={seed}"] if seed else []
    further += [word for words in _deciding(config) for word in words]
    further += _to_the_same_root(config, path)
    switch = "--rollproof" if "--chaos" in taken(config) else "--chaos"
    return ReplayCommand(path + colons + within, switch, _ours(config, "replay"), tuple(further))


def _without_group(nodeid: str) -> str:
    """Return the id without the group that ``--dist=loadgroup`` of pytest-xdist writes behind it."""
    at = nodeid.rfind("@")
    return nodeid[:at] if at > nodeid.rfind("]") and at > nodeid.find("::") > 0 else nodeid


def _ours(config: pytest.Config, name: str) -> str:
    short = f"--chaos-{name}"
    return f"--rollproof-{name}" if short in taken(config) else short


def _deciding(config: pytest.Config) -> Iterator[list[str]]:
    """Yield the words of each typed option that makes the session what it is."""
    started = config.invocation_params.dir
    groups = pytest_session.groups(config)
    for action, words in _typed(config):
        dest, group = action.dest, groups.get(action.dest, "general")
        if dest in _PATHS:
            yield [f"{_PATHS[dest]}={_from(started, config.getoption(dest))}"]
        elif dest.startswith("rollproof"):
            yield from [words] if dest == "rollproof_toxiproxy" else []
        elif dest in _DECIDING or (dest in _SELECTING and config.getini("addopts")):
            yield words  # a selection may be there to take back that of the ini file
        elif group not in _PYTESTS_OWN and group not in _REPORTING:
            yield words  # of a conftest, or of a plugin that we do not know


def _typed(config: pytest.Config) -> Iterator[tuple[argparse.Action, list[str]]]:
    """Yield each option that was typed, with its words."""
    left, option_of = pytest_session.typed(config)
    while left and (word := left.pop(0)) != "--":
        name, equals, _ = word.partition("=")
        is_short = word[:1] == "-" and word[1:2] != "-"
        action = option_of(name) or (option_of(word[:2]) if is_short else None)
        if action is None:
            continue
        glued = is_short and len(name) > 2 and name not in action.option_strings
        if glued and action.nargs == 0:
            left.insert(0, f"-{word[2:]}")  # several switches in one word
            word = word[:2]
        yield action, [word, *([] if equals or glued else _values(action, left))]


def _values(action: argparse.Action, left: list[str]) -> Iterator[str]:
    """Take from the words that are `left` those that belong to an option."""
    if action.nargs is None or isinstance(action.nargs, int):
        for _ in range(min(1 if action.nargs is None else action.nargs, len(left))):
            yield left.pop(0)
        return
    while left and not left[0].startswith("-"):
        yield left.pop(0)
        if action.nargs == "?":
            return


def _to_the_same_root(config: pytest.Config, path: str) -> Iterator[str]:
    """Yield the words that lead pytest to this session's root and ini file, if one test alone leads it elsewhere."""
    started, typed = config.invocation_params.dir, config.option
    root, ini = _found(config, path)
    if ini != config.inipath:
        yield f"--config-file={_from(started, config.inipath or os.devnull)}"
    if (ini, root) != (config.inipath, config.rootpath) and not typed.rootdir:
        yield f"--rootdir={_from(started, config.rootpath)}"


def _found(config: pytest.Config, path: str) -> tuple[Path | None, Path | None]:
    """Return the root and the ini file that pytest finds from one file alone, with what was typed here."""
    try:
        return pytest_session.root_and_ini(config, path)
    except (pytest.UsageError, pytest.fail.Exception):
        return None, Path()  # an ini file that cannot be read, and that this session did not meet


def _from(started: Path, path: object) -> str:
    """Return a path as seen from where pytest was started; what is no absolute path is as it was typed."""
    text = str(path)
    return os.path.relpath(text, started) if os.path.isabs(text) and text != os.devnull else text
