"""Every option, a row each: its names, its help, its form and where it can be written.

To add an option, add a row here, a reader in `readers` if its form is new, and a field of `values.options.Options`,
which `options.of_item` fills.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from . import readers
from .readers import Reader


@dataclass(frozen=True, slots=True)
class Option:
    """One option: ``--chaos-NAME`` and ``--rollproof-NAME``, ``chaos_NAME`` in the ini file, NAME in the mark.

    Args:
        name: with ``-`` between words.
        metavar: how the help calls its value; None for a switch.
        help: what it does.
        read: turns what was written into the value.
        alone: the value of the option that was typed without one; None if it needs one.
        in_line: it can be typed.
        in_ini: it can stand in the ini file.
        in_mark: it can stand in the mark of a test.
        is_path: its value is a path, which pytest takes for the name of a test before it knows the option.
        explores: it says something about exploring alone, and is idle where nothing explores.
    """

    name: str
    metavar: str | None
    help: str
    read: Reader
    alone: str | None = None
    in_line: bool = True
    in_ini: bool = True
    in_mark: bool = False
    is_path: bool = False
    explores: bool = True

    @property
    def dest(self) -> str:
        """Return the name under which pytest keeps what was typed."""
        return f"rollproof_{self.name.replace('-', '_')}"

    @property
    def ini(self) -> str:
        """Return its name in the ini file."""
        return f"chaos_{self.name.replace('-', '_')}"

    @property
    def typed_as(self) -> dict[str, Any]:
        """Return the settings of the typed option for argparse."""
        if self.metavar is None:
            return {"action": "store_true", "dest": self.dest, "default": False, "help": self.help}
        settings = {"metavar": self.metavar, "dest": self.dest, "default": None, "help": self.help}
        return settings if self.alone is None else {**settings, "nargs": "?", "const": self.alone}

    @property
    def kept_as(self) -> dict[str, Any]:
        """Return the settings of the ini option for pytest."""
        return {"type": "bool", "default": False} if self.metavar is None else {"default": None}


_FAULTS = "only these faults, e.g. 'llm.*,process.kill'"
_DEPTH = (
    "1: every single fault and any number of crashes; 2: also every second fault after a first; 3 to 9: with minutes"
)
_MINUTES = "with a depth of 3 to 9: draw sets of faults and edits of JSON for so long, beyond every single fault"
_POINTS = "faults only at these points, e.g. 'http.post:*stripe*'"
_DRY_RUN = "list the points and what would be tried at each, count the schedules, and explore nothing"
_BUDGET = "a limit for each exploration; what is left out is counted"
_BASELINE = "the JSON of an earlier run: what is new, resolved, known; without it, the last run here"
_SERVER = "a Toxiproxy server that runs already, e.g. http://127.0.0.1:8474"
_TRACE = "a line for each point, fault, process, crash state and verdict; without FILE on the terminal"
_DURATIONS = "tell where the time of the N slowest explorations went, 0 for all"
_FIRST = "end each exploration at its first confirmed finding; pytest's -x does so, too"
_KEEP = "keep the states before, at the fault and at the end of each finding as they were, secrets included (mode 0700)"
_REUSE = "one process carries out many schedules: for an agent that keeps nothing in memory from run to run"
_LEFTOVERS = "further name patterns of locks, staging folders and temporary files"
_RECORD = "ask the real provider for what a cassette (chaos.llm) has no answer to, and add it"
_first = readers.switch("first", "where one finding is enough")
_reuse = readers.switch("reuse", "where the agent keeps nothing in memory from run to run")
_brute = readers.switch("no-reduce")
_list = readers.switch("list")
_record = readers.switch("record")
_dry_run = readers.switch("dry-run")

OPTIONS = (
    Option("faults", "GLOB,…", _FAULTS, readers.globs, in_mark=True),
    Option("points", "GLOB,…", _POINTS, readers.points, in_mark=True),
    Option("depth", "N", _DEPTH, readers.depth, in_mark=True),
    Option("minutes", "M", _MINUTES, readers.minutes, in_mark=True),
    Option("budget", "SECONDS", _BUDGET, readers.budget, in_mark=True),
    Option("seed", "N", "seed of everything random (default 0)", readers.seed, in_mark=True, explores=False),
    Option("replay", "TOKEN", "run just this schedule, truly", readers.schedule, in_mark=True, explores=False),
    Option("shard", "K/N", "the K-th of N disjoint parts, for a CI matrix", readers.shard),
    Option("json", "FILE", "write the result as JSON", readers.file, is_path=True),
    Option("baseline", "FILE", _BASELINE, readers.result, is_path=True),
    Option("html", "FILE", "write the recovery page: one file that opens anywhere", readers.page, is_path=True),
    Option("trace", "FILE", _TRACE, readers.trace, alone=readers.TERMINAL, is_path=True),
    Option("keep", "DIR", _KEEP, readers.folder, is_path=True),
    Option("durations", "N", _DURATIONS, readers.durations),
    Option("toxiproxy", "URL", _SERVER, readers.toxiproxy, explores=False),
    Option("no-reduce", None, "brute force, up to two crashes: nothing is merged", _brute),
    Option("first", None, _FIRST, _first, in_mark=True),
    Option("reuse", None, _REUSE, _reuse, in_mark=True),
    Option("record", None, _RECORD, _record, in_ini=False, explores=False),
    Option("dry-run", None, _DRY_RUN, _dry_run),
    Option("list", None, "list faults, invariants and twins", _list, in_ini=False, explores=False),
    Option("leftovers", "PATTERN …", _LEFTOVERS, readers.patterns, in_line=False, explores=False),
)
BY_NAME = {option.name: option for option in OPTIONS}
SETTINGS = (*(option.name for option in OPTIONS if option.in_mark), "epic", "feature", "story")
"""What the mark takes; the last three are for the recovery report."""
_taken = pytest.StashKey[list[str]]()


def taken(config: pytest.Config) -> list[str]:
    """Return our options whose names another plugin has."""
    return config.stash.get(_taken, [])


def note_taken(config: pytest.Config, names: list[str]) -> None:
    """Note which of our options another plugin has."""
    config.stash[_taken] = names


def value(config: pytest.Config, name: str) -> str | None:
    """Return the value on the command line, else that of the ini file."""
    option = BY_NAME[name]
    typed = config.getoption(option.dest, None)
    return str(typed) if typed is not None else in_ini(config, option.ini)


def in_ini(config: pytest.Config, name: str) -> Any:
    """Return the value in the ini file; None if there is none, and if another plugin has the name."""
    try:
        return config.getini(name) or None
    except (ValueError, KeyError):
        return None
