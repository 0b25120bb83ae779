"""The command line `rollproof`, also `python -m rollproof`: where to find what is done today, and what comes later."""

import sys
from collections.abc import Sequence

from .values.errors import ChaosError, nearest

_WORKING = {
    "pytest --chaos": "explore the tests that use the fixture chaos",
    "pytest --chaos --chaos-replay=TOKEN": "carry out one schedule again",
    "pytest --chaos-list": "list faults, invariants and twins",
    "pytest --help": "all options, under: chaos testing of agent recovery",
    "python -m rollproof.runtime --help": "look at the runs of an agent on the reference runtime, and repair them",
}
_LATER = {
    "report": "pytest --chaos --alluredir=allure-results writes the recovery report, and says how to make a page of it",
    "merge": "each shard writes its own result: pytest --chaos --chaos-shard=1/4 --chaos-json=FILE",
    "known": "compare the violations of two runs by invariants and schedule: pytest --chaos --chaos-json=FILE",
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
        print("rollproof has no commands yet. What works:\n")
        print("\n".join(f"  {command:<36} {does}" for command, does in _WORKING.items()))
        return 0 if given else _USAGE
    print(_refusal(given[0]), file=sys.stderr)
    return _USAGE


def _refusal(name: str) -> str:
    if name in _LATER:
        return str(ChaosError("not-there-yet", f"rollproof {name} is not there yet", f"until then: {_LATER[name]}"))
    near = f"nearest: {', '.join(nearest(name, _LATER))}\nwhat works: rollproof --help"
    return str(ChaosError("unknown-command", f"rollproof has no command {name!r}", near))


if __name__ == "__main__":
    sys.exit(main())
