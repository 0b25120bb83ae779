"""The command line `rollproof`, also `python -m rollproof`: its commands, and what comes later."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from .values.errors import ChaosError, nearest

_WORKING = {
    "pytest --chaos": "explore the tests that use the fixture chaos",
    "pytest --chaos --chaos-replay=TOKEN": "carry out one schedule again",
    "pytest --chaos-list": "list faults, invariants and twins",
    "pytest --help": "all options, under: chaos testing of agent recovery",
    "python -m rollproof.runtime --help": "look at the runs of an agent on the reference runtime, and repair them",
}
_COMMANDS = {
    "report": "FILE… [-v] [-q]: print results that --chaos-json wrote",
    "merge": "FILE… [-o OUT]: join the results of shards, and of several sessions",
    "known": "add|list|prune: accept a finding for a time, with a reason, in chaos-known.toml",
    "pin": "TOKEN [--test ID] [--name NAME]: write a test of one schedule, beside the one that found it",
}
"""The commands, each a module of `commands`, and what they take and do."""
_LATER = {
    "campaign": "pytest --chaos --chaos-depth=2 enumerates single faults, pairs and any number of crashes",
    "init": "there is nothing to set up: a test that takes the fixture chaos as an argument is enough",
    "new": "the README's first test is a start: copy it and put your own agent in",
    "doctor": "pytest --chaos-list shows what is installed; each exploration says what it could not try",
    "demo": "pytest --chaos --pyargs rollproof.scenarios.test_spend_a_budget explores an example",
    "explain": "pytest --chaos --chaos-replay=TOKEN prints what one schedule broke, and where",
}
_USAGE = 4  # pytest's own code for wrong usage


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one command line; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print("What works:\n")
        print("\n".join(f"  {command:<36} {does}" for command, does in _WORKING.items()))
        print("\n".join(f"  {f'rollproof {name}':<36} {does}" for name, does in _COMMANDS.items()))
        return 0 if given else _USAGE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8, nor the terminal
    try:
        if given[0] not in _COMMANDS:
            raise _refusal(given[0])
        command = import_module(f".commands.{given[0]}", __package__)  # help needs none of them
        code = int(command.main(given[1:]))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # a reader such as `head` has seen enough; Python would flush once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _USAGE
    except ChaosError as problem:
        print(problem, file=sys.stderr)
        return _USAGE


def _refusal(name: str) -> ChaosError:
    if name in _LATER:
        return ChaosError("not-there-yet", f"rollproof {name} is not there yet", f"until then: {_LATER[name]}")
    near = f"nearest: {', '.join(nearest(name, [*_COMMANDS, *_LATER]))}\nwhat works: rollproof --help"
    return ChaosError("unknown-command", f"rollproof has no command {name!r}", near)


if __name__ == "__main__":
    sys.exit(main())
