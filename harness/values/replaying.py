"""The command that carries one schedule of a test out again, as a person pastes it."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplayCommand:
    """The command that replays schedules of one test, for the folder where pytest was started.

    Attributes:
        test: the test's id, its path as seen from that folder.
        switch: the option that explores; `option` takes a schedule. Both are longer where a plugin has the short ones.
        further: options without which it would be another session.
    """

    test: str
    switch: str = "--chaos"
    option: str = "--chaos-replay"
    further: tuple[str, ...] = ()

    @classmethod
    def of_test(cls, test: str, seed: int) -> "ReplayCommand":
        """Return the command where nothing is known of a session but the seed."""
        return cls(test, further=(f"--chaos-seed={seed}",) if seed else ())

    def of(self, schedule: str) -> str:
        """Return the whole command line, quoted for a shell."""
        words = ["pytest", self.switch, shlex.quote(self.test), f"{self.option}={shlex.quote(schedule)}"]
        return " ".join([*words, *map(shlex.quote, self.further)])
