"""Requests to hosts that nobody declared: those of one process, and whether one of them ends the exploration."""

from collections.abc import Iterable

from ..values.errors import ChaosError, no_twin, no_websocket, unseen_client
from ..values.protocol import Note
from .process_runs import ProcessRun


class Refusals:
    """Keeps the refused connections of one process, and tells which of them is an error.

    A refused look that the process survives is no error. One that it died of is, unless a fault came first: a run may
    well need a host to handle an error, and then its recovery is judged.
    """

    def __init__(self, process: ProcessRun) -> None:
        self._process = process
        self._forbidden: ChaosError | None = None
        self._looked_up: dict[str, str] = {}

    def heard(self, noted: Note) -> bool:
        """Keep a note of a refused connection; returns whether the note is one."""
        if noted.kind not in ("forbidden", "unseen", "websocket", "needed", "looked_up"):
            return False
        host, line = noted.text.split("\n")
        if noted.kind == "looked_up":
            self._looked_up.setdefault(host, line)
        elif noted.kind == "unseen":
            self._forbidden = self._forbidden or unseen_client(host, line)
        elif noted.kind == "websocket":
            self._forbidden = self._forbidden or no_websocket(host, line)
        elif noted.kind == "forbidden" or not self._process.due:
            self._forbidden = self._forbidden or _error(host, line)
        return True

    def problem(self, asked: Iterable[str]) -> ChaosError | None:
        """Return the error that the process ends with, if any; `asked` are the looks of this and earlier ones.

        The look-up of a name belongs to the request that follows, and counts by itself only if none does.
        """
        if self._forbidden is None and self._process.outcome.kind in ("returned", "raised"):
            known = {text.partition("\n")[0] for text in (*asked, *self._process.asked)}
            return next((_error(host, line) for host, line in self._looked_up.items() if host not in known), None)
        return self._forbidden


def _error(host: str, line: str) -> ChaosError:
    return no_twin(f"connects to {host} ({line})", host)
