"""Open the recovery page from its file again and again on a busy machine: each time it is there, and asks nobody.

python benchmarks/openings.py [--openings=20] [--busy=2]
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rollproof.reports.html_page import render  # noqa: E402

from benchmarks.nightly import busy  # noqa: E402
from tests.reports.chromium import PROGRAM, browser  # noqa: E402
from tests.reports.findings import exploration, report, violation  # noqa: E402


def main() -> int:
    """Print in how many of the openings all was there; returns 1 where it was not in each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--openings", type=int, default=20)
    parser.add_argument("--busy", type=int, default=2, help="loops that compute meanwhile")
    given = parser.parse_args()
    if PROGRAM is None:
        print("no Chromium is installed here: the page is not opened")
        return 0
    many = [violation(id=f"{number:012x}") for number in range(50)]
    with tempfile.TemporaryDirectory() as folder, busy(given.busy):
        page = Path(folder) / "chaos.html"
        page.write_text(render(report(exploration(*many))), encoding="utf-8")
        opened = 0
        for number in range(1, given.openings + 1):
            opened += opens(page, len(many))
            print(f"{opened} of {number}", flush=True)
    print(f"the page of {len(many)} findings opened {opened} of {given.openings} times, beside {given.busy} busy loops")
    return int(opened < given.openings)


def opens(page: Path, findings: int) -> bool:
    """Return whether a browser that was just started shows all findings, and asks for nothing but the file."""
    with browser() as tab:
        try:
            tab.open(page)
        except TimeoutError:
            return False
        shown = tab.run("[...document.querySelectorAll('article')].filter(one => one.checkVisibility()).length")
        return (shown, tab.requests, tab.errors) == (findings, [page.as_uri()], [])


if __name__ == "__main__":
    sys.exit(main())
