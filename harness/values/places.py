"""Places: the calls in an agent's own code that lead to an effect."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Frame:
    """One call in the agent's own code: absolute path of the file, line from 1, qualified name of the function."""

    file: str
    line: int
    function: str

    def __reduce__(self) -> tuple[type["Frame"], tuple[str, int, str]]:
        # Many travel between processes: what a record with slots brings for this asks for its fields each time.
        return Frame, (self.file, self.line, self.function)

    def called(self, file: str) -> str:
        """Return ``file:line in function``, the file by the name that it is to be shown with."""
        return f"{file}:{self.line} in {self.function}"


Place = tuple[Frame, ...]
"""The agent's own calls that lead to an effect, the innermost first; empty where none is known."""


def shown_file(file: str, root: Path | None) -> str:
    """Return the name of a source file for people: relative to `root` where it is below it."""
    path = Path(file)
    return path.relative_to(root).as_posix() if root and path.is_relative_to(root) else file


def line_of(place: Place) -> str:
    """Return ``file:line`` of a place, the file by its name alone; "the agent" where the place is not known."""
    return f"{os.path.basename(place[0].file)}:{place[0].line}" if place else "the agent"


@dataclass(frozen=True, slots=True)
class Raised:
    """The exception that ended a process: its type, with its module where that is no builtin one, and its place."""

    type: str
    place: Place = ()
