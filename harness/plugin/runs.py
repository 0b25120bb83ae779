"""From run to run: the earlier run, from a file or pytest's cache, and known findings, from the root's file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from ..reports import runs as texts
from ..values import known
from ..values.earlier import CACHED, EarlierRun, after, kept_in_cache, of_cache, of_json, ungrouped
from ..values.errors import ChaosError
from ..values.report import ReportedExploration
from ..values.runs import Runs
from .labels import of_item
from .table import BY_NAME, value


@dataclass(frozen=True, slots=True)
class _Session:
    """The earlier run that a session is compared with, and its known findings."""

    earlier: EarlierRun | None
    known: dict[str, known.Known]
    today: date


_session = pytest.StashKey[_Session]()


def prepare(config: pytest.Config, baseline: Path | None, place: str) -> None:
    """Read known findings and the earlier run, before anything writes over it; raises ChaosError for a wrong file."""
    earlier = _cached(config) if baseline is None else _baseline(baseline, value(config, "baseline") or "", place)
    config.stash[_session] = _Session(earlier, _known(config), date.today())


def _known(config: pytest.Config) -> dict[str, known.Known]:
    file = config.rootpath / known.FILE
    return known.read(known.text_of(file), str(file))


def _baseline(path: Path, name: str, place: str) -> EarlierRun:
    written = date.fromtimestamp(path.stat().st_mtime).isoformat()
    try:
        return of_json(path.read_text(encoding="utf-8"), f"{name} (written {written})", place)
    except (OSError, UnicodeDecodeError):
        raise ChaosError("bad-baseline", f"{name} cannot be read as text ({place})") from None


def _cached(config: pytest.Config) -> EarlierRun | None:
    cache = getattr(config, "cache", None)
    return of_cache(cache.get(CACHED, {})) if cache is not None else None


def of_test(config: pytest.Config, item: pytest.Item) -> Runs:
    """Return the earlier run and the known findings that one test is compared with, and the labels of its marks."""
    session, labels = config.stash.get(_session, None), of_item(item)
    if session is None:
        return Runs(labels=labels)
    known, today, earlier = session.known, session.today, session.earlier
    if earlier is None:
        return Runs(known=known, today=today, labels=labels)
    return Runs(earlier.name, earlier.of(ungrouped(item.nodeid)), earlier.is_whole, known, today, labels)


def told(config: pytest.Config, results: Sequence[ReportedExploration]) -> list[str]:
    """Return the lines at the end of a session: what is new, resolved and known, and compared with which run."""
    session = config.stash.get(_session, None)
    if session is None:
        return []
    is_selection = any(config.getoption(BY_NAME[name].dest, None) for name in ("faults", "points", "shard", "replay"))
    known = [] if is_selection else list(session.known.values())
    return texts.summary(results, session.earlier, known)


def keep(config: pytest.Config, results: Sequence[ReportedExploration]) -> None:
    """Keep the findings for the next run. A shard changes nothing: it looks at a part of everything."""
    cache = getattr(config, "cache", None)
    if cache is None or value(config, "shard") is not None:
        return
    before = _cached(config)
    tests = after(before, results)
    if before is None or tests != before.tests:
        cache.set(CACHED, kept_in_cache(tests))
