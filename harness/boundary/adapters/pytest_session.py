"""pytest, and argparse under it: the words that were typed, the line that is being written."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .part import Adapter, find

ADAPTER = Adapter("pytest", "9.0", "10")
INI = ADAPTER.part(
    "an ini option that another plugin has, too, is ours now ({library})", "_pytest.config.argparsing:Parser#_inidict"
)


def has_ini(parser: pytest.Parser, name: str) -> bool:
    """Return whether a plugin has an ini option of this name."""
    return INI.works and name in parser._inidict


TYPED = ADAPTER.part(
    "the command that replays leaves out options that were typed ({library})",
    "_pytest.config:Config#_parser",
    "_pytest.config.argparsing:Parser#_groups",
    "_pytest.config.argparsing:Parser#optparser",
    "argparse:ArgumentParser._read_args_from_files(arg_strings)",
    "argparse:ArgumentParser#_option_string_actions",
)


def groups(config: pytest.Config) -> dict[str, str]:
    """Return the group of each option that has one, by the name of its value."""
    if not TYPED.works:
        return {}
    return {option.dest: group.name for group in config._parser._groups for option in group.options}


def typed(config: pytest.Config) -> tuple[list[str], Callable[[str], argparse.Action | None]]:
    """Return the words that were typed, those of files among them, and a function that finds the option of a word."""
    if not TYPED.works:
        return [], lambda word: None
    parser = config._parser.optparser
    words: list[str] = parser._read_args_from_files([str(word) for word in config.invocation_params.args])
    return words, parser._option_string_actions.get


_SETUP = "_pytest.config.findpaths:determine_setup"
ROOTS = ADAPTER.part(
    "the command that replays does not say which root and ini file it needs ({library})",
    *(f"{_SETUP}({name})" for name in ("inifile", "override_ini", "args", "rootdir_cmd_arg", "invocation_dir")),
)


def root_and_ini(config: pytest.Config, path: str) -> tuple[Path | None, Path | None]:
    """Return the root and the ini file that pytest finds from one file alone, with what was typed here."""
    if not ROOTS.works:
        return config.rootpath, config.inipath
    options = config.option
    root, ini, *_ = find(_SETUP)(
        inifile=options.inifilename,
        override_ini=options.override_ini,
        args=[path],
        rootdir_cmd_arg=options.rootdir,
        invocation_dir=config.invocation_params.dir,
    )
    return root, ini


LINE = ADAPTER.part(
    "the line that pytest is writing is not written again after what interrupts it ({library})",
    "_pytest._io:TerminalWriter#_current_line",
)


def current_line(writer: Any) -> str:
    """Return the part of the current line that pytest has written; "" if it cannot be told."""
    return str(writer._current_line) if LINE.works else ""


CAPTURE = ADAPTER.part(
    "what processes of agents print may reach the terminal ({library})",
    "_pytest.capture:CaptureManager#_global_capturing",
    "_pytest.capture:CaptureManager#_capture_fixture",
    "_pytest.capture:CaptureFixture#_capture",
    "_pytest.capture:MultiCapture#out",
    "_pytest.capture:FDCapture#targetfd_save",
    "_pytest.capture:FDCapture#tmpfile",
    "_pytest.logging:LoggingPlugin#log_file_handler",
)


def captures(config: pytest.Config) -> Iterator[Any]:
    """Yield pytest's capture of each standard stream; one by descriptors has `targetfd_save` and `tmpfile`."""
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    if CAPTURE.works:
        for capture in (getattr(manager, "_global_capturing", None), getattr(manager, "_capture_fixture", None)):
            of_streams = getattr(capture, "_capture", capture)
            yield from (getattr(of_streams, name, None) for name in ("out", "err"))
