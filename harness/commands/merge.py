"""``rollproof merge FILE…``: join the results of shards, and of sessions with other tests."""

import sys
from collections.abc import Sequence

from ..reports import json_file, view
from ..reports.files import written
from ..values import green
from ..values.merged import merged
from .report import nothing_explored
from .words import Parser


def main(arguments: Sequence[str]) -> int:
    """Write results as one, to standard output or a file; returns 0 whatever was found: that is for `report`."""
    parser = Parser(
        "rollproof merge",
        description="Join results that pytest --chaos --chaos-json=FILE has written: the shards of --chaos-shard=K/N "
        "become the whole, other tests stand side by side.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a result as JSON, or one that was merged already")
    parser.add_argument("-o", "--output", metavar="OUT", help="write there, and not to standard output")
    given = parser.parse_args(arguments)
    whole = merged([(path, json_file.read(path)) for path in given.files])
    if not whole["explorations"]:
        raise nothing_explored(given.files)
    for exploration in whole["explorations"]:
        if missing := green.missing_shards(exploration):
            print(f"chaos: {view.name_of(exploration)}: no shard {', '.join(missing)}", file=sys.stderr)
    if given.output is None:
        print(json_file.text_of(whole), end="")
        return 0
    written(given.output, "-o", lambda: json_file.write(given.output, whole))
    return 0
