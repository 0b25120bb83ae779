"""A cause in the words of a report: which promise, how it is broken, at which line of the agent's code."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..values.causes import Cause
from ..values.places import Frame, Place, Raised, shown_file
from ..values.points import Point
from ..values.story import SourceLine
from .blamed_lines import Seen, five_lines
from .causes import Group, key_of
from .effects import Blamed
from .findings import Failure
from .process_runs import ProcessRun
from .sites import Sites, statement
from .symptoms import Symptom


class Naming:
    """Names the causes of one exploration.

    Args:
        sites: tells how many callers a place needs.
        root: the folder that files are named below; others are named whole.
        call: where the test started the exploration: the place of what has none of its own.
        first: the fault-free run.
    """

    def __init__(self, sites: Sites, root: Path | None, call: Place, first: ProcessRun) -> None:
        self._sites, self._root, self._call, self._first = sites, root, call, first

    def cause(self, group: Group, failure: Failure) -> Cause:
        """Return the cause of a group, told by one of its failures."""
        own, named = failure.symptoms.own, self.symptom(group, failure)
        raised = next((one.raised for one in own if one.raised is not None), None)
        place = self._sites.of((named.at.place if named.at is not None else _place(raised)) or self._call)
        inner = place[0] if place else Frame("", 0, "")
        unchecked = dict.fromkeys(name for one in group.failures for name in one.unchecked) if named.unchecked else {}
        return Cause(
            named.promise,
            "by order" if failure.is_race else named.way,
            named.at.effect if named.at is not None else "",
            self._file(inner.file),
            inner.line,
            inner.function,
            statement(inner) if place else "",
            tuple(self._called(frame) for frame in place[1:]),
            self._exception(raised),
            statement(raised.place[0]) if raised is not None and raised.place else "",
            self._killed(group) if raised is not None else "",
            tuple(unchecked),
            failure.judgement.goes_on,
            self._identity(group, own),
        )

    def _identity(self, group: Group, symptoms: Sequence[Symptom]) -> tuple[str, ...]:
        """Return the identity of a group: never its symptom in this run, which other bugs change."""
        same = next((one for one in symptoms if key_of(one, self._sites) == group.key), None)
        blamed = same.raised.place if same is not None and same.raised is not None else ()
        blamed = same.at.place if same is not None and same.raised is None and same.at is not None else blamed
        site = self._sites.identity(blamed)
        parts: list[str] = []
        for part in group.key:
            calls = site or part if isinstance(part, tuple) else ()
            parts += [str(part)] if not isinstance(part, tuple) else []
            parts += [text for file, *texts in calls for text in (self._file(file), *texts)]
        return tuple(parts)

    def symptom(self, group: Group, failure: Failure) -> Symptom:
        """Return the symptom of one of its failures that names a group."""
        return self._gravest(group, (*failure.symptoms.own, *failure.symptoms.rest))

    def _gravest(self, group: Group, symptoms: Sequence[Symptom]) -> Symptom:
        """Return the symptom that names a group; what came twice has a group of its own, and does not name others."""
        same = [one for one in symptoms if key_of(one, self._sites) == group.key]
        if same and group.key[0] in ("twice", "unchecked", "not ended"):
            return same[0]
        others = [one for one in symptoms if key_of(one, self._sites)[0] != "twice"]
        return min(others or symptoms, key=lambda one: (one.gravity, one not in same))

    def reach(self, group: Group, named: Cause) -> str:
        """Return between which points a crash makes an effect come twice; "" where that is one point or none."""
        points = self._crashed(group)
        if named.way != "twice" or len(points) < 2:
            return ""
        first, last = self._first.points.index(points[0]), self._first.points.index(points[-1])
        if last - first + 1 == len(points):
            return f"killed anywhere from {points[0]} to {points[-1]}, {len(points)} points"
        return f"killed at {len(points)} points from {points[0]} to {points[-1]}"

    def _crashed(self, group: Group) -> list[Point]:
        """Return the points of the run at which a single crash leads to a failure of this cause, in their order."""
        crashed = {point for failure in group.failures for point in failure.crashes}
        return [point for point in self._first.points if point in crashed]

    def _killed(self, group: Group) -> str:
        """Return the one effect at which all crashes of a group come, such as a checkpoint's write; "" for several."""
        points = self._crashed(group)
        if len({(point.kind, point.target) for point in points}) != 1:
            return ""
        place = self._sites.of(self._first.places.get(points[0], ()))
        effect = Blamed.at(points[0], place).effect
        return f"{effect}, {self._called(place[0])}" if place else effect

    def _exception(self, raised: Raised | None) -> str:
        if raised is None:
            return ""
        place = self._sites.of(raised.place)
        where = f" at {self._called(place[0])}" if place else ""
        name = raised.type if raised.type.startswith("os.") else raised.type.rpartition(".")[2]
        return f"{name}{where}"

    def seen(self, processes: Iterable[ProcessRun]) -> Iterator[Seen]:
        """Yield the places of all points of processes."""
        for process in processes:
            for point, place in process.places.items():
                inner, *callers = self._sites.of(place or self._call) or (Frame("", 0, ""),)
                file, within = self._file(inner.file), process.within.get(point, ())
                called = tuple(f"{self._file(frame.file)}:{frame.line}" for frame in callers)
                yield Seen(str(point), file, inner.line, inner.function, called, within)

    def code(self, file: str, line: int) -> tuple[SourceLine, ...]:
        """Return five lines of a file that has one of these names."""
        return five_lines(str((self._root or Path()) / file), line)

    def _called(self, frame: Frame) -> str:
        return frame.called(self._file(frame.file))

    def _file(self, file: str) -> str:
        return shown_file(file, self._root)


def _place(raised: Raised | None) -> Place:
    return raised.place if raised is not None else ()
