"""Whatever ends a session that explores, nothing of the user's is lost: a part of `benchmarks/killed.py`."""

from collections import Counter
from itertools import product
from pathlib import Path

from benchmarks.killed import KINDS, SIGNALS, run, trials

from .brute_forcing import WHOLE

COUNT, SEED = (15, 1) if WHOLE else (6, 529)


def test_whatever_ends_a_session_all_is_as_before(tmp_path: Path) -> None:
    """By SIGTERM, SIGHUP and SIGKILL, its guardian too or not, whatever the agent works on, at random moments."""
    assert run(COUNT, seed=SEED, folder=tmp_path) == Counter(tried=COUNT)


def test_the_trials_are_of_each_kind() -> None:
    """What the agent works on, and each signal with its guardian killed and alive."""
    tried = list(trials(COUNT, SEED))
    assert {trial.kind for trial in tried} == set(KINDS)
    assert {(trial.signal, trial.guardian_too) for trial in tried} == set(product(SIGNALS, (True, False)))
