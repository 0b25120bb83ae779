"""A process that is paused, loses its lease, and wakes up: it changes nothing any more (SIGSTOP, SIGCONT, for real)."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from processes import LOST, awakened, signal_itself, started, stopped
from rollproof.runtime import Fence, Leases, Run, Saga, Status, Step, Store

LEASE_S = 0.2


def stop() -> None:
    """Pause this process until somebody lets it go on."""
    signal_itself(signal.SIGSTOP)


def saga(store: Store, shared: Path, between: Callable[[], None]) -> Saga:
    """Write under the token of the lease; something happens between two writes."""
    fence = Fence(shared, shared.parent / "staging")

    def write(run: Run) -> None:
        fence.write(run.token, "a", str(run.token).encode())
        between()
        fence.write(run.token, "b", str(run.token).encode())

    def remove(run: Run) -> None:
        for name in ("a", "b"):
            fence.remove(run.token, name)

    return Saga(store, "s", [Step("write", write, undo=remove)], lock="shared", lease_s=LEASE_S)


def folders(root: Path) -> Path:
    """Give the shared folder."""
    (root / "staging").mkdir()
    (root / "shared").mkdir()
    return root / "shared"


def test_a_paused_agent_that_wakes_up_changes_nothing(tmp_path: Path) -> None:
    """Its lease ran out, recovery undid its work, a rival did its own; the folder itself refuses the sleeper."""
    shared = folders(tmp_path)

    def sleeper() -> None:
        with Store(tmp_path / "agent.db") as store:
            saga(store, shared, stop).run("mine", {})

    pid = started(sleeper)
    assert stopped(pid)
    assert (shared / "a").exists()
    with Store(tmp_path / "agent.db") as store:
        assert saga(store, shared, lambda: None).recover() is Status.ROLLED_BACK
        assert not list(shared.iterdir())
        saga(store, shared, lambda: None).run("theirs", {})
    rival = {path.name: path.read_bytes() for path in shared.iterdir()}
    assert awakened(pid) == LOST
    assert {path.name: path.read_bytes() for path in shared.iterdir()} == rival
    assert len(rival) == 2


def test_a_paused_agent_whose_work_needs_no_fence_records_nothing(tmp_path: Path) -> None:
    """It did nothing outside after it woke up; its next transition is refused, and it undoes nothing either."""
    undone: list[str] = []

    def steps(act: Callable[[], None]) -> list[Step]:
        return [
            Step("a", lambda run: act(), undo=lambda run: undone.append("a")),
            Step("b", lambda run: None, reads_only=True),
        ]

    def sleeper() -> None:
        with Store(tmp_path / "agent.db") as store:
            try:
                Saga(store, "s", steps(stop), lease_s=LEASE_S).run("mine", {})
            finally:
                assert undone == []

    pid = started(sleeper)
    assert stopped(pid)
    with Store(tmp_path / "agent.db") as store:
        assert Saga(store, "s", steps(lambda: None)).recover() is Status.ROLLED_BACK
        before = store.path.read_bytes()
    assert awakened(pid) == LOST
    assert (tmp_path / "agent.db").read_bytes() == before
    with Store(tmp_path / "agent.db") as store:
        assert Leases(store).all() == []
