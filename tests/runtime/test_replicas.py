"""Several processes of one agent, for real: they start at once, die, are paused and wake up; each run ends whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from mutation import mutated
from processes import DONE, FAILED, LOST, ended, started, stopped
from replicas import SHORT_S, Agent, Struck, together, transitions
from rollproof.runtime import Decision, LeaseHeld, NeedsPerson, Run, Store, UnfinishedRun

REPEATS = int(os.environ.get("ROLLPROOF_REPEATS", "1"))
"""How often each of these is done, for a look that is longer than CI's."""


def starts_at_once(root: Path, number: int = 3) -> None:
    """Replicas that start at once, settle what was left and work: nobody takes a run from one that lives."""
    agent = Agent(root)
    assert together(number, agent.serve) == [DONE] * number
    assert agent.done() == number


def one_is_killed(root: Path, at: int, after: bool) -> None:
    """One replica is killed at a transition while another waits for it: that one settles the run at once, and works."""
    agent = Agent(root)
    first = started(lambda: agent.serve(at, after))
    second = started(agent.serve)
    assert ended(first) == -signal.SIGKILL
    assert ended(second) == DONE
    assert agent.done() in (1, 2)  # two where the first died after its last transition


def one_is_paused(root: Path, at: int, after: bool) -> None:
    """One replica is paused for longer than its lease; another settles its run; it wakes up and touches nothing."""
    agent = Agent(root, lease_s=SHORT_S)
    first = started(lambda: agent.serve(at, after, signal.SIGSTOP))
    assert stopped(first)
    assert ended(started(agent.serve)) == DONE
    before = agent.left
    os.kill(first, signal.SIGCONT)
    code = ended(first)
    assert code in (DONE, LOST)
    assert agent.done() == (2 if code == DONE else 1)
    assert set(before) <= set(agent.left)


def a_long_step_keeps_its_run(root: Path) -> None:
    """A step takes longer than the lease, which is renewed meanwhile: whoever wants to recover the run cannot."""

    def look(run: Run) -> None:
        if run.step == "b":
            assert ended(started(lambda: refused(Agent(root, lease_s=SHORT_S)))) == DONE

    agent = Agent(root, lease_s=SHORT_S, between=look)
    assert ended(started(agent.serve)) == DONE
    assert agent.done() == 1


def refused(agent: Agent) -> None:
    """Try to recover a run that lives, for longer than its lease was when it was taken."""
    with Store(agent.own / "agent.db") as store, pytest.raises(LeaseHeld):
        agent.saga(store, patience_s=3 * SHORT_S).recover()


def who_comes_after_a_crash_is_told(root: Path) -> None:
    """A run does not wait for the lease of a process that died: it says at once what settles that one's run."""
    agent = Agent(root)
    assert ended(started(lambda: agent.serve(at=2))) == -signal.SIGKILL
    with Store(agent.own / "agent.db") as store, pytest.raises(UnfinishedRun, match=r"call recover\(\) of 's'"):
        agent.saga(store).run("goal", {})


class Asking(Agent):
    """Does its second step only with a person's word."""

    def act(self, run: Run) -> None:
        """Ask first."""
        if run.step == "b" and not run.variables.get("accepted"):
            raise NeedsPerson("a person has to accept b")
        super().act(run)

    def hand_back(self, run: str, at: int = 0, patience_s: float = 60.0) -> None:
        """Do what the person does, and be stopped at a transition of it."""
        with Struck(self.own / "agent.db") as store:
            store.at, store.sign = at, signal.SIGSTOP
            self.saga(store, patience_s).hand_back(run, Decision.GO_ON, {"accepted": True})


def one_hand_back_waits_for_another(root: Path) -> None:
    """A run is handed back twice: the second time it is in the hands of a process that lives, and stays there."""
    agent = Asking(root)
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


@pytest.mark.parametrize("repeat", range(REPEATS))
def test_replicas_that_start_at_once_take_nothing_from_each_other(tmp_path: Path, repeat: int) -> None:
    """Three processes, one lock: three runs, one after the other, all complete."""
    starts_at_once(tmp_path)


@pytest.mark.parametrize("repeat", range(REPEATS))
def test_a_replica_that_is_killed_is_settled_by_one_that_waits(tmp_path: Path, repeat: int) -> None:
    """At each of its transitions, before and after."""
    at_each_transition(tmp_path, one_is_killed)


@pytest.mark.parametrize("repeat", range(REPEATS))
def test_a_replica_that_is_paused_loses_its_run(tmp_path: Path, repeat: int) -> None:
    """At each of its transitions, before and after: what it wakes up to is another's, or still its own."""
    at_each_transition(tmp_path, one_is_paused)


def test_a_step_that_lasts_longer_than_the_lease_keeps_it(tmp_path: Path) -> None:
    """Nobody recovers a run whose process works."""
    a_long_step_keeps_its_run(tmp_path)


def test_a_run_after_a_crash_is_told_what_to_do(tmp_path: Path) -> None:
    """Not after the lease, of fifty minutes here."""
    who_comes_after_a_crash_is_told(tmp_path)


def test_a_run_is_handed_back_by_one_process(tmp_path: Path) -> None:
    """Of two that a person told to go on one does, and is not disturbed."""
    one_hand_back_waits_for_another(tmp_path)


def at_each_transition(root: Path, check: Callable[[Path, int, bool], None]) -> None:
    """Do a check with a strike before and after each transaction of the first replica."""
    for at in range(1, count(root) + 1):
        for after in (False, True):
            folder = root / f"{at}-{after}"
            folder.mkdir()
            check(folder, at, after)


def count(root: Path) -> int:
    """Count the transitions of one run."""
    (root / "counted").mkdir()
    return transitions(Agent(root / "counted"))


def last_transition(check: Callable[[Path, int, bool], None]) -> Callable[[Path], None]:
    """Strike only behind the second transition: the first step is done, and entered is the one after it."""
    return lambda root: check(root, 2, True)


# what the runtime did wrong, or would, and which of these notices: module, what stands there, what the mutant has
MUTANTS = [
    ("locks", "alive.is_held(lease.token) is False", "True", a_long_step_keeps_its_run),
    ("locks", "return lease.expires_at <= time.time() or", "return lease.expires_at <= time.time() and",
     last_transition(one_is_paused)),
    ("locks", "            alive.hold(token)\n", "            pass\n", a_long_step_keeps_its_run),
    ("locks", "token = max(int(time.time() * 1e6), rows[0][0] + 1 if rows else 0)",
     "token = rows[0][0] if rows else 1", last_transition(one_is_paused)),
    ("execution", "        Leases(self._store).check(self._lease)\n", "        pass\n", last_transition(one_is_paused)),
    ("locks", "if held is None:", "if True:", a_long_step_keeps_its_run),
    ("carrier", "progress.status.ours or self._is_in_work(run, alive)", "progress.status.ours",
     one_hand_back_waits_for_another),
    ("carrier", "not earlier.seq or (earlier", "True or (earlier", who_comes_after_a_crash_is_told),
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
            assert ended(started(lambda: refused(by_link))) == DONE

    (tmp_path / "real").mkdir(exist_ok=True)
    agent = Agent(tmp_path / "real", between=look)
    link.symlink_to(agent.own)
    assert ended(started(agent.serve)) == DONE
    assert agent.done() == 1
