"""The scenarios have teeth: exploring one finds each of these mutants of the runtime, most by crashes alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutation import mutated
from rollproof.values.errors import ChaosError

from tests.exploring import breaks, explored, options, replayed, scenario

COURIER = ("call_a_courier", "test_a_courier_comes_for_what_was_reserved_and_for_nothing_else")
# scenario, its test, module, what stands there, what the mutant has, an invariant that must be broken
FOUND = [
    ("invoice_and_its_file", "test_a_row_and_its_file_come_together", "transactions",
     "        for place, staged, digest in moves:\n", "        for place, staged, digest in moves[:1]:\n",
     "rows_and_files_agree"),
    ("poison_message", "test_a_poison_message_is_tried_three_times_and_kept", "outbox",
     "self._store.write(update, State.SENDING, token", "self._store.write(update, State.SENT, token", "all_or_nothing"),
    ("hand_over_a_contract", "test_a_run_has_one_owner_at_any_time", "execution",
     "                companion.follow(progress.run, event)", "                pass", "whoever_had_a_run_was_told"),
    ("rehearse_on_a_copy", "test_the_original_is_never_touched", "rehearsal",
     "    if scratch.exists():\n        shutil.rmtree(scratch)\n", "", "recovery_succeeds"),
    ("replace_a_site", "test_readers_see_the_old_site_or_the_new_one", "releases",
     "            self._show(release.before)\n", "            pass\n", "all_or_nothing"),
    (*COURIER, "outbox", "State.READY if at_once else State.HELD", "State.READY", "all_or_nothing"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "test", "module", "old", "new", "broken"), FOUND, ids=[f"{found[0]}-{found[2]}" for found in FOUND]
)
def test_a_scenario_finds_a_mutant(
    name: str, test: str, module: str, old: str, new: str, broken: str, tmp_path: Path
) -> None:
    """The invariant that is named is broken, and the schedule repeats truly."""
    kill = (options().known["process.kill"],)
    with mutated(module, old, new):
        result = explored(scenario(name, test), tmp_path / "world", faults=kill, first=True)
    assert broken in breaks(result), result.statement


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("State.READY if at_once else State.HELD", "State.HELD"),
        ("topic IN ({', '.join('?' * len(topics))})", "(1 OR topic IN ({', '.join('?' * len(topics))}))"),
    ],
    ids=["at_once", "topic"],
)
def test_a_scenario_does_not_run_with_a_mutant(old: str, new: str, tmp_path: Path) -> None:
    """A courier that comes late, and a message in the hands of the wrong worker, stop it without any fault."""
    with mutated("outbox", old, new), pytest.raises(ChaosError, match="the run fails without any fault"):
        explored(scenario(*COURIER), tmp_path / "world", faults=())


def test_an_overtaking_cancellation_shows_where_a_message_is_refused(tmp_path: Path) -> None:
    """A message that is refused is due again after a pause, its run is abandoned: a crash alone does not show it."""
    agent = scenario(*COURIER)
    crash = "process.kill@sqlite.commit:agent/agent.db#3:after"  # what says that the message is being sent
    refusal = "http.rate_limited.1@http.post:api.courier.test/pickups#1:before"
    with mutated("outbox", "State.READY, behind=message.key", "State.READY"):
        results = [replayed(agent, tmp_path / name, token) for name, token in (("1", crash), ("2", refusal))]
    results.append(replayed(agent, tmp_path / "mended", refusal))
    assert not any(result.drifted for result in results)
    crashed, refused, mended = map(breaks, results)
    assert not crashed | mended
    assert "all_or_nothing" in refused
