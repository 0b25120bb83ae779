"""Put back the outside of sessions that were killed with their guardian: first of all, and with a notice."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..values.errors import ChaosError
from ..values.rare import rare
from . import record
from .guardian import end_processes
from .session import CLEARLY_LATER_NS, Session, sessions_in

_LEFT_ALONE = "left-alone"


def put_back_all(places: Iterable[Path]) -> list[str]:
    """Put back what killed sessions left changed; returns a line for each thing that the user has to know."""
    return [line for place in places for session in sessions_in(place) for line in _put_back(session, place)]


def _put_back(session: Session, place: Path) -> Iterator[str]:
    try:
        if not session.is_abandoned:
            return
        with session.locked() as there:
            if there:
                rare("a session puts back what another one left")
                end_processes(session)
                for kept in session.kept():
                    yield from _put_back_one(session, kept, place)
                session.remove()
    except FileNotFoundError:
        return  # its guardian, or another session, was here first
    except (OSError, ChaosError, ValueError, KeyError, TypeError) as problem:
        rare("a record that cannot be put back is kept")
        before = f"how it lay before: {session.folder} (remove that when you have looked)"
        why = f"{problem.message} ({problem.hint})" if isinstance(problem, ChaosError) else problem
        yield f"what a killed session changed could not be put back: {why}; {before}"


def _put_back_one(session: Session, kept: Path, place: Path) -> Iterator[str]:
    until_ns = session.heartbeat.stat().st_mtime_ns + CLEARLY_LATER_NS
    copies = place / _LEFT_ALONE / session.folder.name / kept.name
    sources, left = record.put_back(kept, until_ns, copies)
    yield f"put back what a killed session had left changed: {', '.join(sources)}"
    if left:
        before = f"; how it lay before: {copies}" if copies.exists() else "; it was not there before"
        yield f"left alone, since it was changed after that session had ended: {', '.join(sorted(left))}{before}"
