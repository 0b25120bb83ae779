"""What guards a process, and what the next session does when nobody does any more."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rollproof.guard import guardian
from rollproof.guard.abandoned import put_back_all
from rollproof.guard.guarding import close_all, guard
from rollproof.guard.session import Session, sessions_in
from rollproof.values.errors import ChaosError
from rollproof.values.owners import Owner, temporary_folder
from rollproof.world.storage.disk import Source

from ..exploring import explored, options
from ..network.test_nothing_left import gone

OWNER = """
import os, signal, sys, time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from rollproof.guard.guarding import guard
from rollproof.values.owners import temporary_folder
from rollproof.world.storage.disk import Disk, Source

place, data, controller = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
sources = [Source(data, "data", False)]
guarded = guard([place], sources, controller)
held = guarded.hold(sources, Disk(sources).capture())
(data / "a").unlink()
temporary_folder("test")
print(guarded.guardian.pid, flush=True)
for line in sys.stdin:
    if line == "check\\n":
        held.check()
        print(guarded.guardian.pid, flush=True)
    if line == "release\\n":
        held.release()
        break
"""


class Owned:
    """A process that has changed what it watches, and its guardian."""

    def __init__(self, folder: Path, controller: int = 0) -> None:
        self.place, self.data = folder / "place", folder / "data"
        self.data.mkdir(exist_ok=True)
        (self.data / "a").write_text("before")
        command = [sys.executable, "-c", OWNER, str(self.place), str(self.data), str(controller)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.guardian = self.answer()
        assert not (self.data / "a").exists()

    def answer(self, asked: str = "") -> int:
        """Ask for the pid of its guardian."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(asked)
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def kill(self, *, guardian_too: bool = False) -> None:
        """End it, and wait for all that ends by itself."""
        if guardian_too:
            os.kill(self.guardian, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()
        assert gone({self.guardian})

    @property
    def is_as_before(self) -> bool:
        """Whether what it watched is."""
        return {path.name: path.read_text() for path in self.data.iterdir()} == {"a": "before"}

    @property
    def left(self) -> list[Path]:
        """What is left of its session."""
        return [*self.place.iterdir(), *Path("/dev/shm").glob(f"rollproof-{self.process.pid}-*")]


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Owned]:
    """Provide a process that explores; what it leaves on purpose goes when the test ends."""
    owned = Owned(tmp_path)
    yield owned
    owned.process.kill()
    owned.process.communicate()
    for folder in Path("/dev/shm").glob(f"rollproof-{owned.process.pid}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def test_a_guardian_puts_back_what_a_killed_process_changed(owned: Owned) -> None:
    """And nothing of that process is left."""
    owned.kill()
    assert owned.is_as_before
    assert owned.left == []


def test_a_process_that_ends_by_itself_leaves_nothing(owned: Owned) -> None:
    """What was released is not put back."""
    owned.process.communicate("release\n")
    assert gone({owned.guardian})
    assert not (owned.data / "a").exists()
    assert not owned.place.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_guardian_hears_no_signal(owned: Owned, number: signal.Signals) -> None:
    """What ends the test's process may reach it, too."""
    heartbeat = sessions_in(owned.place)[0].heartbeat
    began = heartbeat.stat().st_mtime_ns
    while heartbeat.stat().st_mtime_ns == began:  # it is at work
        pass
    os.kill(owned.guardian, number)
    owned.kill()
    assert owned.is_as_before


def test_a_guardian_that_was_killed_is_started_again(owned: Owned) -> None:
    """The next process of the agent has one."""
    first = owned.guardian
    os.kill(first, signal.SIGKILL)
    while (again := owned.answer("check\n")) == first:
        pass
    owned.guardian = again
    owned.kill()
    assert owned.is_as_before


def test_the_next_session_puts_back(owned: Owned) -> None:
    """Where the guardian died, too; once, and it says so."""
    owned.kill(guardian_too=True)
    assert not owned.is_as_before
    assert put_back_all([owned.place]) == [f"put back what a killed session had left changed: {owned.data}"]
    assert owned.is_as_before
    assert owned.left == []
    assert put_back_all([owned.place]) == []


def test_what_was_changed_later_is_left_alone(owned: Owned) -> None:
    """The message says where the copy lies."""
    owned.kill(guardian_too=True)
    session = sessions_in(owned.place)[0]
    (owned.data / "a").write_text("later")
    changed = (owned.data / "a").stat().st_ctime_ns - 3_000_000_000
    os.utime(session.heartbeat, ns=(changed, changed))
    [_, line] = put_back_all([owned.place])
    assert f"left alone, since it was changed after that session had ended: {owned.data / 'a'}; " in line
    assert (owned.data / "a").read_text() == "later"
    assert (Path(line.rpartition(": ")[2]) / "data" / "a").read_text() == "before"


def test_a_session_that_lives_is_left_alone(owned: Owned) -> None:
    """Two terminals, or the workers of one session, explore side by side."""
    assert put_back_all([owned.place]) == []
    assert not owned.is_as_before
    os.kill(owned.guardian, signal.SIGKILL)
    assert put_back_all([owned.place]) == []
    assert not owned.is_as_before
    owned.kill(guardian_too=True)


def test_a_session_elsewhere_lives_while_its_guardian_does(owned: Owned) -> None:
    """Of another container with the same folder the pid says nothing; its heartbeat does."""
    owned.kill(guardian_too=True)
    session = sessions_in(owned.place)[0]
    described = session.folder / "owner.json"
    described.write_text(described.read_text().replace(session.owner.place, "another place"))
    session.beat()
    assert put_back_all([owned.place]) == []
    os.utime(session.heartbeat, ns=(0, 0))
    assert put_back_all([owned.place]) != []


def test_a_record_that_cannot_be_read_is_told_and_kept(owned: Owned) -> None:
    """Somebody has to look at it."""
    owned.kill(guardian_too=True)
    session = sessions_in(owned.place)[0]
    (session.kept()[0] / "manifest.json").write_text("{")
    [line] = put_back_all([owned.place])
    assert "could not be put back" in line
    assert str(session.folder) in line
    assert session.folder.exists()


def test_a_worker_ends_with_its_controller(tmp_path: Path) -> None:
    """However busy it is: its guardian sees to that."""
    with subprocess.Popen(["sleep", "600"]) as controller:
        owned = Owned(tmp_path, controller.pid)
        controller.kill()
    assert owned.process.wait() == -signal.SIGKILL
    owned.process.communicate()
    assert gone({owned.guardian})
    assert owned.is_as_before


def test_no_record_lies_in_what_is_watched(tmp_path: Path) -> None:
    """The next place is taken, and where there is none, it is an error."""
    inside, outside = tmp_path / "data" / "cache", tmp_path / "state"
    sources = [Source(tmp_path / "data", "data", False)]
    guard([inside, outside], sources)
    assert [session.owner for session in sessions_in(outside)] == [Owner.of(os.getpid())]
    assert not inside.exists()
    with pytest.raises(ChaosError, match="cannot be written anywhere"):
        guard([inside], sources)
    close_all()
    assert not outside.exists()


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    """Somebody may empty pytest's cache in the middle of a session."""
    first = guard([tmp_path / "place"])
    shutil.rmtree(tmp_path / "place")
    again = guard([tmp_path / "place"])
    assert again is not first
    assert len(sessions_in(tmp_path / "place")) == 1
    close_all()


def test_a_process_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that it started, before anything is put back: it may still write."""
    monkeypatch.setattr(guardian, "_ENDING_S", 0.0)
    session = Session.make(tmp_path / "place")
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        session.note(process.pid)
        guardian.end_processes(session)
        assert process.wait() == -signal.SIGKILL
    assert gone({child})


def test_a_guardian_is_no_child_of_the_process(tmp_path: Path) -> None:
    """A test may wait for all that it has started."""
    guard([tmp_path])
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    close_all()


def test_a_fork_does_not_end_what_guards_its_parent(tmp_path: Path) -> None:
    """A test may fork, and the fork may end as it likes."""
    guard([tmp_path])
    if (child := os.fork()) == 0:
        close_all()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(sessions_in(tmp_path)) == 1
    close_all()


def test_the_name_of_a_temporary_folder_says_whose_it_is() -> None:
    """Whoever finds it can tell whether it is needed."""
    folder = Path(temporary_folder("test"))
    assert folder.name.startswith(f"{Owner.of(os.getpid()).prefix}test-")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.rmdir()


def test_a_pid_that_was_given_again_is_somebody_else() -> None:
    """Who started later never was the owner."""
    now = Owner.of(os.getpid())
    assert now.is_alive
    assert not Owner(now.pid, now.start - 1, now.place).is_alive


def test_a_folder_of_somebody_else_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it asks for would be done with this user's rights."""
    Session.make(tmp_path)
    assert len(sessions_in(tmp_path)) == 1
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert sessions_in(tmp_path) == []


def test_a_record_that_was_removed_is_written_again(tmp_path: Path) -> None:
    """The agent clears pytest's cache away: before the next process runs, somebody guards again."""
    place, seen = tmp_path / "place", []

    def explore(chaos: Any, folder: Path) -> None:
        shared = folder / "shared"
        shared.mkdir()
        chaos.watch(shared)

        def run() -> None:
            shutil.rmtree(place)
            (shared / "a").write_text("a")

        def there(world: Any) -> bool:
            seen.append(bool(list(place.rglob("manifest.json"))))
            return True

        chaos.explore(run=run, recover=lambda: None, allow=there, retry=False)

    kill = (options().known["process.kill"],)
    explored(SimpleNamespace(explore=explore), tmp_path / "it", records=(place,), faults=kill)
    assert seen
    assert all(seen)
