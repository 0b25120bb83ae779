"""The command line `rollproof`, also `python -m rollproof`: what there is to do outside pytest."""

import sys
from collections.abc import Sequence

_COMMANDS = {
    "report": "pytest --chaos --alluredir=allure-results writes the recovery report, and says how to make a page of it",
    "merge": "each shard writes its own result: pytest --chaos --chaos-shard=1/4 --chaos-json=FILE",
    "campaign": "pytest --chaos --chaos-depth=2 enumerates single faults, pairs and any number of crashes",
    "new": "the README's first test is a start: copy it and put your own agent in",
}
_USAGE = 4  # pytest's own code for wrong usage


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one command line; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print("usage: rollproof COMMAND\n\nTo explore an agent: pytest --chaos. Commands, none of them there yet:")
        print("\n".join(f"  {name:<9} {instead}" for name, instead in _COMMANDS.items()))
        return 0 if given else _USAGE
    print(_refusal(given[0]), file=sys.stderr)
    return _USAGE


def _refusal(name: str) -> str:
    from .values.errors import ChaosError, nearest

    if name in _COMMANDS:
        return str(ChaosError("not-there-yet", f"rollproof {name} is not there yet", f"until then: {_COMMANDS[name]}"))
    near = f"nearest: {', '.join(nearest(name, _COMMANDS))}\nall of them: rollproof --help"
    return str(ChaosError("unknown-command", f"rollproof has no command {name!r}", near))


if __name__ == "__main__":
    sys.exit(main())
