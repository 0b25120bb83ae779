"""``rollproof report FILE…``: print results again, as the end of their sessions did."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..reports import allure, ci, html_page, json_file, view
from ..reports.files import write_text, written
from ..values.errors import ChaosError
from ..values.report import Report
from .words import FAILED, Parser


def _json(make: Callable[[Report], object]) -> Callable[[Report], str]:
    return lambda report: json.dumps(make(report), indent=2, ensure_ascii=False) + "\n"


_FORMS: dict[str, tuple[str, Callable[[Report], str]]] = {
    "html": ("the recovery page: one file that opens anywhere", html_page.render),
    "markdown": ("markdown, for the summary of a job or a comment", ci.markdown),
    "annotations": ("GitHub's workflow commands, which show findings at their lines", ci.annotations),
    "sarif": ("SARIF 2.1.0, for code scanning", _json(ci.sarif)),
    "code-quality": ("GitLab's code quality report", _json(ci.code_quality)),
}
"""Forms in which a report is written, by their options."""
_DOCUMENTS = [form for form in _FORMS if form != "annotations"]
"""On standard output these stand alone: with the text behind it none would be what it is. A log may have both."""


def main(arguments: Sequence[str]) -> int:
    """Print what stands in files that ``--chaos-json`` wrote; returns 1 where a test of these fails, else 0."""
    parser = Parser("rollproof report", description="Print results that pytest --chaos --chaos-json=FILE has written.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a result as JSON")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="the grid by points, and each cell")
    parser.add_argument("-q", "--quiet", action="count", default=0, help="a line for each exploration")
    for form, (what, _) in _FORMS.items():
        told = f"write {what}; - for standard output, as without OUT"
        parser.add_argument(f"--{form}", metavar="OUT", nargs="?", const="-", help=told)
    parser.add_argument("--allure", metavar="DIR", help="write results of Allure into a folder, as --alluredir does")
    given = parser.parse_args(arguments)
    _refuse_what_would_be_lost(parser, given.files, vars(given))
    results = [json_file.read(path) for path in given.files]
    found, seed = [one for result in results for one in result["explorations"]], results[0]["seed"]
    if not found:
        raise nothing_explored(given.files)
    _write(vars(given), {"version": 2, "seed": seed, "explorations": found})
    if not any(vars(given)[form.replace("-", "_")] == "-" for form in _DOCUMENTS):
        print("\n".join(view.lines(found, given.verbose - given.quiet)))
    return FAILED if any(map(view.is_broken, found)) else 0


def _refuse_what_would_be_lost(parser: Parser, files: Sequence[str], given: Mapping[str, Any]) -> None:
    """Raise ChaosError where a file is named twice: to be read, or to be written over."""
    seen = dict[str, str]()
    outputs = [(f"--{form}", given[form.replace("-", "_")]) for form in _FORMS]
    if given["allure"] == "":
        parser.error("--allure names no folder")
    for what, path in [*(("", path) for path in files), *outputs]:
        if path == "":
            parser.error(f"{what or 'FILE'} names no file")
        if path in (None, "-") and what:
            continue
        file = os.path.realpath(path)
        if file in seen:
            told = f"would be written over by {what}" if what else "is named twice"
            parser.error(f"{path} {told}")
        seen[file] = what


def _write(given: Mapping[str, Any], report: Report) -> None:
    for form, (_, text_of) in _FORMS.items():
        if (path := given[form.replace("-", "_")]) is not None:
            text = text_of(report)
            if path == "-":
                print(text, end="")
            else:
                written(path, f"--{form}", partial(write_text, path, text))
    if (folder := given["allure"]) is not None:
        _write_allure(folder, report)


def _write_allure(folder: str, report: Report) -> None:
    if folder == "-":
        raise ChaosError("bad-usage", "--allure writes many files, into a folder", "--allure=allure-results")
    now_ms = int(time.time() * 1000)
    written(folder, "--allure", partial(allure.write, Path(folder), report, os.environ, now_ms))


def nothing_explored(files: Sequence[str]) -> ChaosError:
    """Return the error for results without any exploration, which prove nothing."""
    have = "has" if len(files) == 1 else "have"
    hint = "a session explores where a test takes the fixture chaos and pytest is given --chaos"
    return ChaosError("nothing-explored", f"{', '.join(files)} {have} no explorations: nothing was explored", hint)
