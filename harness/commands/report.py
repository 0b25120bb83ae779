"""``rollproof report FILE…``: print results again, as the end of their sessions did."""

from collections.abc import Sequence

from ..reports import json_file, view
from ..values.errors import ChaosError
from .words import FAILED, Parser


def main(arguments: Sequence[str]) -> int:
    """Print what stands in files that ``--chaos-json`` wrote; returns 1 where a test of these fails, else 0."""
    parser = Parser("rollproof report", description="Print results that pytest --chaos --chaos-json=FILE has written.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a result as JSON")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="the grid by points, and each cell")
    parser.add_argument("-q", "--quiet", action="count", default=0, help="a line for each exploration")
    given = parser.parse_args(arguments)
    found = [exploration for path in given.files for exploration in json_file.read(path)["explorations"]]
    if not found:
        raise nothing_explored(given.files)
    print("\n".join(view.lines(found, given.verbose - given.quiet)))
    return FAILED if any(map(view.is_broken, found)) else 0


def nothing_explored(files: Sequence[str]) -> ChaosError:
    """Return the error for results without any exploration, which prove nothing."""
    have = "has" if len(files) == 1 else "have"
    hint = "a session explores where a test takes the fixture chaos and pytest is given --chaos"
    return ChaosError("nothing-explored", f"{', '.join(files)} {have} no explorations: nothing was explored", hint)
