"""Several processes of one agent, for real: they start at once, die, are paused and wake up; each run ends whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mutation import mutated
from processes import DONE, FAILED, LOST, ended, started, stopped
from replicas import SHORT_S, Agent, SignallingStore, together, transitions
from rollproof.runtime import Decision, LeaseHeld, NeedsPerson, Run, Store, UnfinishedRun

REPEATS = int(os.environ.get("ROLLPROOF_REPEATS", "1"))
"""How often each of these is done, for a look that is longer than CI's."""


def kill_one(root: Path, at: int, after: bool) -> tuple[int, int, int]:
    """Kill one replica at a transition while another waits for it; give how each ended, and how many runs are done."""
    agent = Agent(root)
    first, second = started(lambda: agent.serve(at, after)), started(agent.serve)
    return ended(first), ended(second), agent.done()


def pause_one(root: Path, at: int, after: bool) -> tuple[int, int, set[str]]:
    """Pause one replica for longer than its lease while another settles its run, and let it wake up.

    Returns:
        How it ended, how many runs are done, and which files of the other's it took away.
    """
    agent = Agent(root, lease_s=SHORT_S)
    first = started(lambda: agent.serve(at, after, signal.SIGSTOP))
    assert stopped(first)
    assert ended(started(agent.serve)) == DONE
    before = agent.left
    os.kill(first, signal.SIGCONT)
    return ended(first), agent.done(), set(before) - set(agent.left)


def refuse(agent: Agent) -> None:
    """Try to recover a run that lives, for longer than its lease was when it was taken, and be refused."""
    with Store(agent.own / "agent.db") as store, pytest.raises(LeaseHeld):
        agent.saga(store, patience_s=3 * SHORT_S).recover()


class Asking(Agent):
    """Does its second step only with a person's word."""

    def act(self, run: Run) -> None:
        """Ask first."""
        if run.step == "b" and not run.variables.get("accepted"):
            raise NeedsPerson("a person has to accept b")
        super().act(run)

    def hand_back(self, run: str, at: int = 0, patience_s: float = 60.0) -> None:
        """Do what the person does, and be stopped at a transition of it."""
        with SignallingStore(self.own / "agent.db") as store:
            store.at, store.sign = at, signal.SIGSTOP
            self.saga(store, patience_s).hand_back(run, Decision.GO_ON, {"accepted": True})


def each_transition(root: Path) -> Iterator[tuple[Path, int, bool]]:
    """Yield a folder, the number of a transaction, and whether the signal comes after it: both for each of one run."""
    (root / "counted").mkdir()
    for at in range(1, transitions(Agent(root / "counted")) + 1):
        for after in (False, True):
            folder = root / f"{at}-{after}"
            folder.mkdir()
            yield folder, at, after


@pytest.mark.parametrize("repeat", range(REPEATS))
def test_replicas_that_start_at_once_take_nothing_from_each_other(tmp_path: Path, repeat: int) -> None:
    """Three processes, one lock: three runs, one after the other, all complete."""
    agent = Agent(tmp_path)
    assert together(3, agent.serve) == [DONE] * 3
    assert agent.done() == 3


@pytest.mark.parametrize("repeat", range(REPEATS))
def test_a_replica_that_is_killed_is_settled_by_one_that_waits(tmp_path: Path, repeat: int) -> None:
    """At each of its transitions, before and after; both runs are done where it died after its last transition."""
    for place in each_transition(tmp_path):
        assert kill_one(*place) in [(-signal.SIGKILL, DONE, 1), (-signal.SIGKILL, DONE, 2)], place


AWAKE = [(DONE, 2, set()), (LOST, 1, set())]
"""What comes of a replica that was paused: its run was still its own, or is another's; it took away nothing."""


@pytest.mark.parametrize("repeat", range(REPEATS))
def test_a_replica_that_is_paused_loses_its_run(tmp_path: Path, repeat: int) -> None:
    """At each of its transitions, before and after: another settles its run, and it touches nothing when it wakes."""
    for place in each_transition(tmp_path):
        assert pause_one(*place) in AWAKE, place


def test_a_replica_that_is_paused_behind_its_first_step_loses_its_run(tmp_path: Path) -> None:
    """The second transition alone: the first step is done, and entered is the one after it."""
    assert pause_one(tmp_path, 2, True) in AWAKE


def test_a_step_that_lasts_longer_than_the_lease_keeps_it(tmp_path: Path) -> None:
    """The lease is renewed meanwhile: another process that wants to recover the run cannot."""

    def look(run: Run) -> None:
        if run.step == "b":
            assert ended(started(lambda: refuse(Agent(tmp_path, lease_s=SHORT_S)))) == DONE

    agent = Agent(tmp_path, lease_s=SHORT_S, between=look)
    assert ended(started(agent.serve)) == DONE
    assert agent.done() == 1


def test_a_run_after_a_crash_is_told_what_to_do(tmp_path: Path) -> None:
    """At once, not after the lease, of fifty minutes here."""
    agent = Agent(tmp_path)
    assert ended(started(lambda: agent.serve(at=2))) == -signal.SIGKILL
    with Store(agent.own / "agent.db") as store, pytest.raises(UnfinishedRun, match=r"call recover\(\) of 's'"):
        agent.saga(store).run("goal", {})


def test_a_run_is_handed_back_by_one_process(tmp_path: Path) -> None:
    """The second time it is in the hands of a process that lives, and stays there."""
    agent = Asking(tmp_path)
    with Store(agent.own / "agent.db") as store:
        with pytest.raises(NeedsPerson):
            agent.saga(store).run("goal", {})
        ((run,),) = store.read("SELECT holder FROM leases")
    first = started(lambda: agent.hand_back(run, at=1))
    assert stopped(first)
    try:
        with pytest.raises(LeaseHeld):
            agent.hand_back(run, patience_s=0.0)
    finally:
        os.kill(first, signal.SIGCONT)
        assert ended(first) == DONE
    assert agent.done() == 1


# what the runtime did wrong, or would, and which of these notices: module, what stands there, what the mutant has
MUTANTS = [
    ("locks", "alive.is_held(lease.token) is False", "True", test_a_step_that_lasts_longer_than_the_lease_keeps_it),
    ("locks", "return lease.expires_at <= time.time() or", "return lease.expires_at <= time.time() and",
     test_a_replica_that_is_paused_behind_its_first_step_loses_its_run),
    ("locks", "            alive.hold(token)\n", "            pass\n",
     test_a_step_that_lasts_longer_than_the_lease_keeps_it),
    ("locks", "token = max(int(time.time() * 1e6), rows[0][0] + 1 if rows else 0)",
     "token = rows[0][0] if rows else 1", test_a_replica_that_is_paused_behind_its_first_step_loses_its_run),
    ("carried_run", "        Leases(self._store).check(self.lease)\n", "        pass\n",
     test_a_replica_that_is_paused_behind_its_first_step_loses_its_run),
    ("locks", "if held is None:", "if True:", test_a_step_that_lasts_longer_than_the_lease_keeps_it),
    ("takeover", "progress.status.ours or self._is_in_work(run, alive)", "progress.status.ours",
     test_a_run_is_handed_back_by_one_process),
    ("takeover", "not earlier.seq or (earlier", "True or (earlier", test_a_run_after_a_crash_is_told_what_to_do),
]  # fmt: skip


@pytest.mark.parametrize(("module", "old", "new", "check"), MUTANTS, ids=[f"{m[0]}-{n}" for n, m in enumerate(MUTANTS)])
def test_a_mutant_is_noticed(
    module: str, old: str, new: str, check: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fault that the runtime had with several processes, put back, is seen by one of the checks above."""
    monkeypatch.setattr("processes.AT_MOST_S", 2)  # some of them wait for ever
    with mutated(module, old, new), pytest.raises(BaseException):  # noqa: PT011, B017 - however it fails
        check(tmp_path)


def test_a_child_of_an_act_settles_nothing(tmp_path: Path) -> None:
    """It was forked in an act and leaves by an exception: the run is its parent's, which completes it."""

    def fork(run: Run) -> None:
        if run.step == "b" and (child := os.fork()) == 0:
            raise SystemExit(0)
        if run.step == "b":
            assert ended(child) == FAILED  # as `started` tells what leaves it

    agent = Agent(tmp_path, between=fork)
    assert ended(started(agent.serve)) == DONE
    assert agent.done() == 1


def test_a_database_with_two_names_has_one_proof_of_life(tmp_path: Path) -> None:
    """Whoever comes by a link finds that the holder lives, also where that one works in another folder by now."""
    link = tmp_path / "link"

    def look(run: Run) -> None:
        if run.step == "b":
            os.chdir(tmp_path)
            by_link = Agent(tmp_path / "real", lease_s=SHORT_S)
            by_link.own = link
            assert ended(started(lambda: refuse(by_link))) == DONE

    (tmp_path / "real").mkdir(exist_ok=True)
    agent = Agent(tmp_path / "real", between=look)
    link.symlink_to(agent.own)
    assert ended(started(agent.serve)) == DONE
    assert agent.done() == 1
