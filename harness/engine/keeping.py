"""Keep the states of a finding as folders that people can look at: before, when the fault fired, at the end."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..values.errors import ChaosError
from ..values.exploration import Exploration
from ..values.ids import violation_ids
from ..values.schedule import Schedule
from ..world.storage.copying import write_copy
from .config import ExplorationConfig
from .execute import Executor
from .exploring import Exploring
from .judge import Judgement
from .process_runs import RawState
from .session import Baseline
from .story import at_the_fault
from .worlds import Worlds

_MARK = "schedule.txt"


class Keeping:
    """Keeps states below the folder that the configuration names.

    Attributes:
        notes: for the user: where states are, and where they could not be written.
        kept: for how many schedules states were written; `warning` is for the user if there are any.
    """

    def __init__(self, config: ExplorationConfig, worlds: Worlds, baseline: Baseline) -> None:
        assert config.keep is not None
        self._config, self._worlds, self._folder, self._baseline = config, worlds, config.keep, baseline
        self.notes: list[str] = []
        self.kept = 0
        self.warning = f"states in {self._folder} are real, secrets included: do not share them (folders of mode 0700)"

    def keep(self, name: str, schedule: Schedule, judgement: Judgement) -> None:
        """Write the states of a schedule into the folder `name`; those that an earlier session left there go.

        Further files of the user in that folder are no reason to fail: it is left alone then, and a note says so.
        """
        place = self._folder / name
        try:
            if place.exists():
                if not (place / _MARK).is_file():
                    self.notes.append(f"{place} is not of --chaos-keep: left as it is, nothing is kept there")
                    return
                shutil.rmtree(place)
            # They are as they were, secrets included: nobody else is to read them.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(mode=0o700)
            (place / _MARK).write_text(f"{schedule}\n")
            self._write(place / "before", self._baseline.initial)
            self._write(place / "at-the-fault", at_the_fault(schedule, judgement, self._baseline.first))
            self._write(place / "end", judgement.end)
        except OSError as problem:
            self.notes.append(f"{place}: states could not be kept: {problem.strerror or problem}")
        else:
            self.kept += 1
            self.notes.append(f"{place} has the states before, at the fault and at the end of {schedule}")

    def _write(self, folder: Path, state: RawState) -> None:
        write_copy(self._config.sources, state.disk, folder)
        resources = dict(self._worlds.world(state).resources.items())
        if resources:
            text = json.dumps(resources, indent=1, sort_keys=True, ensure_ascii=False, default=str)
            (folder / "services.json").write_text(text + "\n", errors="backslashreplace")


def check_place(config: ExplorationConfig) -> None:
    """Raise ChaosError ``bad-keep`` where states would be kept within what is put back, and so be removed."""
    if config.keep is None:
        return
    folder = config.keep.resolve()
    for source in config.sources:
        inside = source.path.resolve()
        if folder == inside or inside in folder.parents:
            text = f"--chaos-keep={config.keep} lies in {source.name}, which is put back afterwards"
            raise ChaosError("bad-keep", text, "name a folder outside of what is watched and private")


def keep_all(
    executor: Executor, exploring: Exploring | None, result: Exploration, replayed: tuple[Schedule, Judgement] | None
) -> Sequence[str]:
    """Keep the states of all findings where that is wanted, or of a `replayed` schedule without one; returns notes."""
    if executor.config.keep is None or exploring is None:
        return ()
    keeping = Keeping(executor.config, executor.worlds, exploring.session.baseline)
    ends, found = exploring.findings.ends(), result.violations
    for id, finding in zip(violation_ids(executor.config.test, found), found, strict=True):
        goes_on = finding.cause is not None and finding.cause.goes_on
        keeping.keep(id, finding.planned, ends[finding.planned, goes_on])
    if replayed is not None and not found:
        keeping.keep("replayed", *replayed)
    return [*keeping.notes, *([keeping.warning] if keeping.kept else [])]
