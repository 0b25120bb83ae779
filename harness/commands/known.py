"""``rollproof known``: add, list and prune what stands in ``chaos-known.toml``."""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from ..reports.files import write_text
from ..values import known
from ..values.earlier import CACHED, EarlierRun, of_cache, of_json
from ..values.errors import ChaosError, nearest, shown
from .project import Project, project
from .words import Parser

_NO_RUN = "explore first: pytest --chaos; or name a result: rollproof known %s"


def main(arguments: Sequence[str]) -> int:
    """Carry out one command line, what stands behind ``rollproof known``; raises ChaosError for a wrong one."""
    parser = Parser("rollproof known", description=f"Findings that are known, in {known.FILE} at pytest's root.")
    commands = parser.add_subparsers(required=True, metavar="add | list | prune")
    add = commands.add_parser("add", help="add a finding of the last run here, or of a result")
    add.add_argument("id", metavar="ID", help="as it is printed, and stands in the JSON result")
    add.add_argument("--reason", required=True, metavar="TEXT", help="why it is accepted")
    add.add_argument("--until", metavar="DATE", help="the last day on which it is, e.g. 2027-01-31; none without it")
    add.add_argument(
        "--from", dest="file", metavar="FILE", help="the JSON result that has it; without it, the last run"
    )
    add.set_defaults(do=_add)
    listing = commands.add_parser("list", help="print what is known")
    listing.set_defaults(do=_list)
    prune = commands.add_parser("prune", help="remove what was not found any more")
    prune.add_argument(
        "file", nargs="?", metavar="FILE", help="the JSON result to go by; without it, the last run here"
    )
    prune.set_defaults(do=_prune)
    chosen = parser.parse_args(list(arguments))
    chosen.do(project(), chosen)
    return 0


def _add(project: Project, chosen: argparse.Namespace) -> None:
    reason, until, text = " ".join(chosen.reason.split()), _until(chosen.until), project.text()
    if not reason:
        raise ChaosError("bad-known", "a finding is known for a reason (--reason)", "--reason 'see ticket 12'")
    if chosen.id in known.read(text, str(project.file)):
        raise ChaosError("bad-known", f"{chosen.id} is known already", f"change it in {project.file}")
    run = _run(project, chosen.file, "--from FILE")
    found = run.ids()
    if chosen.id not in found:
        near = [f"{id}  {found[id][1].title}" for id in nearest(chosen.id, found)]
        raise ChaosError("unknown-id", f"{run.name} has no finding {shown(chosen.id)}", "\n".join(near))
    test, finding = found[chosen.id]
    entry = known.Known(finding.id, reason, until, finding.title, test)
    _write(project, known.with_one_more(text, entry, str(project.file)))
    print(f"{project.file}: {_line(entry)}")


def _list(project: Project, _: argparse.Namespace) -> None:
    entries = known.read(project.text(), str(project.file))
    for entry in entries.values():
        print(_line(entry))
    if not entries:
        print(f"nothing is known: {project.file} {'is empty' if project.file.exists() else 'is not there'}")


def _prune(project: Project, chosen: argparse.Namespace) -> None:
    text = project.text()
    entries, run = known.read(text, str(project.file)), _run(project, chosen.file, "prune FILE")
    found = run.ids()
    missing = {id: entry for id, entry in entries.items() if id not in found}
    gone = {id: entry for id, entry in missing.items() if _looked_at(entry, run)}
    if gone:
        _write(project, known.without(text, gone, str(project.file)))
    for entry in gone.values():
        print(f"removed: {_line(entry)}")
    for entry in (entry for id, entry in missing.items() if id not in gone):
        print(f"kept, as {run.name} did not look at all of its test: {_line(entry)}")
    if not gone:
        print(f"nothing to remove from {project.file}, compared with {run.name}")


def _looked_at(entry: known.Known, run: EarlierRun) -> bool:
    """Say whether a run would have found an entry; one that names no test is looked for in all that was explored."""
    if entry.test:
        return entry.test in run.tests and entry.test not in run.partly
    return not run.partly


def _run(project: Project, file: str | None, place: str) -> EarlierRun:
    """Return the run of a result, or the last one here."""
    if file is None:
        if (run := of_cache(project.kept(CACHED))) is None:
            raise ChaosError("no-run", "nothing is kept of a run here", _NO_RUN % place)
        return run
    try:
        return of_json(Path(file).read_text(encoding="utf-8"), file, place)
    except (OSError, UnicodeDecodeError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or "it is no text"
        raise ChaosError("bad-baseline", f"{shown(file)} cannot be read ({place}): {why}", _NO_RUN % place) from None


def _until(written: str | None) -> date | None:
    if written is None:
        return None
    try:
        until = date.fromisoformat(written)
    except ValueError:
        raise ChaosError("bad-date", f"{shown(written)} is no day (--until)", "e.g. --until 2027-01-31") from None
    if until < date.today():
        raise ChaosError("bad-date", f"{until} is over (--until)", f"today is {date.today()}")
    return until


def _line(entry: known.Known) -> str:
    over = "" if entry.holds(date.today()) else " (over)"
    until = f"until {entry.until}{over}: " if entry.until is not None else ""
    return "  ".join(filter(None, (entry.id, f"{until}{entry.reason}", entry.title, entry.test)))


def _write(project: Project, text: str) -> None:
    try:
        write_text(str(project.file), text)  # as a whole: it is under version control, and somebody's work
    except OSError as problem:
        raise ChaosError("not-written", f"{project.file} cannot be written: {problem.strerror}") from None
