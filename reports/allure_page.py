"""Mend a page that Allure 3 made as a single file: it opens each time, and calls nobody.

Two faults of the generator, as of 3.18. The page starts its program before the script with its data is read; under load
it looks for the data too early, asks for files that are not there, and stays blank. And it loads a script that counts
visitors, whatever ``ALLURE_NO_ANALYTICS`` says. Both are cured in the text of the page:

    python -m rollproof.reports.allure_page allure-report/index.html
"""

import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rollproof.values.errors import ChaosError

from .files import write_text, written

_PROGRAM = re.compile(r'<script\s+src="data:')
_WAITS = "<script>window.allureReportDataReady=false;window.allureReportData={};</script>"
_FOREIGN = re.compile(
    r'<script\b[^>]*\ssrc="https?:[^"]*"[^>]*></script>\s*(<script>\s*window\.dataLayer\b[^<]*</script>)?'
)
_FAILED = 4  # pytest's own code for wrong usage


def cured(page: str, path: str = "the page") -> str:
    """Return the text of a page that waits for its data and loads nothing; one that does so already is left as it is.

    Raises:
        ChaosError: for a text that is no report of Allure 3 in a single file; `path` names it there.
    """
    program = _PROGRAM.search(page)
    if program is None or "allureReportData" not in page:
        hint = "a report is made with: allure generate --config …/reports/allurerc.mjs"
        raise ChaosError("bad-report", f"{path} is no report of Allure 3 in a single file", hint)
    waits = "" if page[: program.start()].endswith(_WAITS) else _WAITS
    return _FOREIGN.sub("", f"{page[: program.start()]}{waits}{page[program.start() :]}")


def main(paths: Sequence[str]) -> int:
    """Mend pages in their place; returns 0, or 4 where one of them cannot be mended."""
    for path in paths:
        try:
            page = cured(_read(path), path)
            written(path, "the report's page", partial(write_text, path, page))
        except ChaosError as problem:
            print(problem, file=sys.stderr)
            return _FAILED
    return 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ChaosError("bad-report", f"{path} cannot be read: {problem}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
