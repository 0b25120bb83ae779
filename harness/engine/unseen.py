"""Changes of the outside that no point made: those of processes that the agent started, or of native code."""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

from ..values.errors import ChaosError
from ..values.exploration import some_of
from ..values.media import medium_of
from ..values.places import Place, line_of
from ..values.points import Phase, Point, canonical
from ..values.proc_stat import ProcStat, proc_stat
from ..values.protocol import Note, SubprocessStarted
from .process_runs import ProcessRun, RawState


@dataclass(slots=True)
class _Process:
    """A process that the agent started, with the agent's line that did; its pid is 0 before it is known."""

    pid: int
    place: Place


class Unseen:
    """Attributes changes that no point explains: to processes that the agent started, or to native code.

    A started process can have made a change if it was alive at the look before that change, or was started since. So
    a process is forgotten at the first look after its end.

    Args:
        changed: returns the names that differ between two states of the outside.
        on_disk: the names of folders and files that are watched or private.
    """

    def __init__(
        self, process: ProcessRun, changed: Callable[[RawState, RawState], list[str]], on_disk: Collection[str]
    ) -> None:
        self._process, self._changed, self._on_disk = process, changed, on_disk
        self._processes: list[_Process] = []
        self._passed: list[str] = []  # effects of Python's that only the audit hook saw, since the last look
        self._maps_memory = False

    def started(self, message: SubprocessStarted) -> None:
        """Keep a process that the agent starts; the message comes once before it begins, and once with its pid."""
        # Told before it can do anything, so that none of its changes is nobody's; its pid follows.
        known = next((one for one in self._processes if not one.pid and one.place == message.place), None)
        if known is not None and message.pid:
            known.pid = message.pid
        else:
            self._processes.append(_Process(message.pid, message.place))
        line = line_of(message.place)
        if line not in self._process.started:
            self._process.started.append(line)

    def follow(self, other: "Unseen") -> None:
        """Keep the processes that the same process started before it was called again."""
        self._processes, self._maps_memory = other._processes, other._maps_memory

    def heard(self, noted: Note) -> bool:
        """Keep a note if it can explain a change; returns whether nobody else needs the note."""
        if noted.kind == "unintercepted":
            self._passed.append(noted.text)
        self._maps_memory = self._maps_memory or noted.kind == "maps_memory"
        return noted.kind == "maps_memory"

    def look(
        self, before: RawState | None, after: RawState, point: Point | None = None, when: Phase = "before"
    ) -> None:
        """Explain the changes between two looks, the later one at a point, or at the end of the process.

        A change while a point's own effect was under way is that effect's. While another process is alive, a change of
        anything else than the effect's target is that process's.
        """
        by_program = point is not None and medium_of(point.kind).runs_programs and when == "after"
        own = not by_program and point is not None and when != "before"
        # To describe two states takes a while: not where only the point's own effect can have changed anything.
        names = [] if before is None or (own and not self._processes) else self._changed(before, after)
        if point is not None and by_program:
            if names:
                self._process.inside.append(str(point))
                self._by(names, [_Process(0, self._process.places.get(point, ())), *self._processes])
        elif point is not None and own:
            self._by([name for name in names if not self._is_of(point, name)], self._processes)
        elif names and self._processes:
            self._by(names, self._processes)
        else:
            self._by_nobody(names)
        self._passed.clear()
        # Only after this look: a process that ended since the last one may have made the changes that were just found.
        self._processes = [one for one in self._processes if not one.pid or self._is_alive(one.pid)]

    def _by(self, names: Iterable[str], processes: Iterable[_Process]) -> None:
        """Note that one of these processes changed the files or services of these names."""
        places = sorted({one.place for one in processes}, key=lambda place: [(f.file, f.line) for f in place])
        lines = tuple(dict.fromkeys(map(line_of, places)))
        for name in names:
            self._process.written.setdefault(lines, {})[name] = None

    def _by_nobody(self, names: list[str]) -> None:
        passed = [text for text in self._passed if text.partition(" ")[2]]
        told = {text.partition(" ")[2] for text in passed}
        for name in names:
            if canonical(name) in told:
                continue
            if name.partition("/")[0] not in self._on_disk:
                seen = "and nothing was seen to ask for it"
            elif passed:
                seen = f"and only this was seen: {some_of(passed)}"
            elif self._maps_memory:
                seen = "and no effect of Python's was seen: a memory map or native code wrote it"
            else:
                seen = "and no effect of Python's was seen: native code wrote it"
            self._process.unintercepted.append(f"{name} changed, {seen}")

    def _is_of(self, point: Point, name: str) -> bool:
        """Return whether a point's own effect can have changed the file or service of this name."""
        medium = medium_of(point.kind)
        if medium.changes == "target" and point.verb not in medium.moves:
            target = canonical(point.target)
            return name == target or name.startswith(f"{target}/")
        return medium.changes != "services" or name.partition("/")[0] not in self._on_disk

    def _is_alive(self, pid: int) -> bool:
        """Return whether a process runs, or has left one of its own behind.

        An orphan becomes a child of the parent of the agent's process. So is the process that is forked ahead, which
        has that parent's session and a group of its own.
        """
        own = _stat(self._process.pid)
        parent = None if own is None else _stat(own.parent)
        if own is None or parent is None:
            return False
        siblings = (_stat(child) for child in _children(own.parent) if child != self._process.pid)
        orphans = (one for one in siblings if one and (one.group == self._process.pid or one.session != parent.session))
        return _runs(_stat(pid)) or any(map(_runs, orphans))


def _stat(pid: int) -> ProcStat | None:
    """Return Linux's status of a process; None where there is none, and on other systems."""
    with suppress(OSError):
        return proc_stat(str(pid))
    return None


def _runs(stat: ProcStat | None) -> bool:
    return stat is not None and stat.state not in "ZX"


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def not_explored(lines: Iterable[str], names: Iterable[str]) -> str:
    """Return the sentence that one of these lines starts a process that writes these names, and is not explored."""
    return f"{' or '.join(lines)} starts a process that writes {some_of(sorted(names))}: not explored"


def nothing_seen(process: ProcessRun, hint: str) -> ChaosError:
    """Return the error for a fault-free run without any point; it names what the run did all the same."""
    told = [*map(not_explored, process.written, process.written.values()), *process.unintercepted]
    if not process.written and process.started:
        told = [f"{some_of(process.started)} starts a process, and nobody looks into that", *told]
    if not told:
        text = "the run touches nothing that is watched, private or a twin: there is nothing to explore"
        return ChaosError("no-points", text, hint)
    told.append("nothing else of the run is seen: there is nothing to explore")
    how = "what Python code does in the agent's own process can be explored: open, os.replace, sqlite3, httpx …"
    return ChaosError("no-points", "\n".join(told), how)
