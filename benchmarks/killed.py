"""End sessions that explore, at random moments and in every way, and count what of the user's is not as before.

    python benchmarks/killed.py [TRIALS [SEED]]

Each trial is a pytest of its own, in a folder of its own. It gets SIGTERM, SIGHUP or SIGKILL while some process of the
agent works; in a half of the trials its guardian is killed as well, and the next session has to put everything back.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

KINDS = ("files", "sqlite", "mailbox", "served", "daemon")
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
PATIENCE_S = 60.0
MARK = "ROLLPROOF_TRIAL"
TEST = '''
import http.client, os, smtplib, sqlite3, ssl, subprocess
from pathlib import Path

import pytest

KIND, HERE = os.environ["KIND"], Path(__file__).parent
DATA = HERE / "data"


def count():
    """Tell who watches from outside that one more process works."""
    descriptor = os.open(HERE / "executions", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, b".")
    os.close(descriptor)


def move():
    for number in range(8):
        text = (DATA / f"n{number}").read_text()
        (DATA / f"n{number}").unlink()
        (DATA / "new").mkdir(exist_ok=True)
        (DATA / "new" / f"n{number}").write_text(text.upper())


def book(path):
    connection = sqlite3.connect(path)
    for number in range(8):
        connection.execute("UPDATE accounts SET cents = cents - 1 WHERE id = ?", (number,))
        connection.execute("INSERT INTO entries (account) VALUES (?)", (number,))
        connection.commit()
    connection.close()


def send():
    with smtplib.SMTP("mail.test") as server:
        server.sendmail("a@mail.test", ["b@mail.test"], "Subject: hello\\r\\n\\r\\nHello")


def start():
    """Leave a program running that is in no session and no group of its parent's."""
    subprocess.Popen(["sleep", "600"], start_new_session=True)


def post(network):
    trusted = ssl.create_default_context(cafile=network.ca)
    connection = http.client.HTTPSConnection(network.host, network.port, context=trusted)
    connection.request("POST", "/things", '{"name": "a"}', {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


@pytest.mark.chaos(faults="process.kill,storage.*,http.*,mail.*")
def test_it(chaos):
    chaos.watch(DATA)
    work = {"files": lambda: None, "sqlite": lambda: book(DATA / "books.db"), "mailbox": send, "daemon": start}
    if KIND == "mailbox":
        chaos.mailbox()
    if KIND == "served":
        chaos.api("https://shop.test")
        network = chaos.serve("https://shop.test", tls=True)
        work["served"] = lambda: post(network)

    def agent():
        count()
        move()
        work[KIND]()

    def again():
        count()
        work[KIND]()

    chaos.explore(run=agent, recover=again)
'''


@dataclass(frozen=True)
class Trial:
    """How one session is ended: after how many processes of the agent and how much later, by what, and who."""

    number: int
    kind: str
    signal: signal.Signals
    guardian_too: bool
    executions: int
    delay_s: float


def trials(count: int, seed: int) -> Iterator[Trial]:
    """Yield trials; each kind, signal and victim comes as often as any other, each two of them in every 15 trials."""
    dice = random.Random(seed)
    ways: list[tuple[str, signal.Signals, bool]] = []
    for odd in (0, 1):
        pairs = [(i, j) for i in range(len(KINDS)) for j in range(len(SIGNALS))]
        dice.shuffle(pairs)
        ways += [(KINDS[i], SIGNALS[j], (i + j) % 2 == odd) for i, j in pairs]
    for number in range(count):
        yield Trial(number, *ways[number % len(ways)], dice.randint(1, 40), dice.uniform(0.0, 0.05))


class Session:
    """The session of one trial."""

    def __init__(self, trial: Trial, folder: Path) -> None:
        self._trial, self._folder = trial, folder
        self._data = folder / "data"
        for made in (folder, self._data, folder / "tmp", folder / "state"):
            made.mkdir()
        (folder / "test_killed.py").write_text(TEST)
        _write_data(self._data)
        self._before = look(self._data)
        self._mark = f"{folder}"
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", MARK: self._mark, "KIND": trial.kind}
        places = {"TMPDIR": str(folder / "tmp"), "XDG_STATE_HOME": str(folder / "state")}
        self._environment = {**os.environ, **alone, **places}
        self._pytest = self._start("--chaos")

    def end(self) -> Counter[str]:
        """End it as the trial says; returns what is not as it was, counted."""
        if not _until(self._has_come_so_far) or self._pytest.poll() is not None:
            self._pytest.kill()
            self._pytest.wait()
            return Counter(not_killed=1)
        time.sleep(self._trial.delay_s)
        ports = listening(self._processes())
        if self._trial.guardian_too:
            for pid in self._processes("rollproof.guard.guardian"):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._pytest.send_signal(self._trial.signal)
        found = Counter(tried=1, hung=self._hangs())
        found["processes"] = 0 if _until(lambda: not self._processes()) else len(self._processes())
        if self._trial.guardian_too:
            self._start("--collect-only").wait()
        found["ports"] = len(ports & listening())
        self._end_what_is_left()
        return found + self._left()

    def _hangs(self) -> bool:
        """Wait for its end; says whether it had to be killed."""
        if _until(lambda: self._pytest.poll() is not None):
            return False
        self._pytest.kill()
        self._pytest.wait()
        return True

    def _end_what_is_left(self) -> None:
        for pid in self._processes():
            with suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                print(f"  left: {command}, child of {Path(f'/proc/{pid}/stat').read_text().split()[3]}", flush=True)
                os.kill(pid, signal.SIGKILL)

    def _left(self) -> Counter[str]:
        after = look(self._data)
        differ = [path for path in {*self._before, *after} if self._before.get(path) != after.get(path)]
        memory = Path("/dev/shm").glob(f"rollproof-{self._pytest.pid}-*")
        cached = (self._folder / ".pytest_cache" / "rollproof").glob("*")
        temporary = [*memory, *cached, *(self._folder / "tmp").iterdir(), *(self._folder / "state").iterdir()]
        for path in temporary:
            print(f"  left: {path}", flush=True)
        keys = [file for folder in temporary for file in folder.rglob("*.pem")]
        bytes_ = sum(max(len(b[2]) for b in (self._before.get(p), after.get(p)) if b is not None) for p in differ)
        return Counter(files=len(differ), bytes=bytes_, temporary=len(temporary), keys=len(keys))

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "pytest", "-q", "-p", "rollproof.plugin", *arguments, "test_killed.py"]
        with open(self._folder / "output", "ab") as output:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _has_come_so_far(self) -> bool:
        with suppress(FileNotFoundError):
            if (self._folder / "executions").stat().st_size >= self._trial.executions:
                return True
        return self._pytest.poll() is not None

    def _processes(self, module: str = "") -> set[int]:
        """Return all processes of this trial, or those that run a module."""
        found, mark = set(), f"{MARK}={self._mark}\0".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes() and module.encode() in (folder / "cmdline").read_bytes():
                    found.add(int(folder.name))
        return found


def look(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, time and bytes of all below a folder."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns if content else 0, content)
    return found


def listening(pids: set[int] | None = None) -> set[str]:
    """Return the local addresses of listening sockets, of these processes or of all."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {fields[9]: fields[1] for fields in lines if fields[3] == "0A"}
    if pids is None:
        return set(sockets.values())
    found = set()
    for pid in pids:
        with suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    found.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    return {address for inode, address in sockets.items() if inode in found}


def run(count: int, seed: int, folder: Path, side_by_side: int = 2) -> Counter[str]:
    """Try all of it; returns what was counted, and prints the trials after which something differs."""
    total: Counter[str] = Counter()

    def tried(trial: Trial) -> tuple[Trial, Counter[str]]:
        return trial, Session(trial, folder / str(trial.number)).end()

    with ThreadPoolExecutor(side_by_side) as threads:
        for trial, found in threads.map(tried, trials(count, seed)):
            total += found
            if +found != Counter(tried=1):
                print(f"{trial}: {dict(+found)}", flush=True)
    return total


def _write_data(data: Path) -> None:
    for number in range(8):
        (data / f"n{number}").write_text(f"the user's text {number}\n" * (number + 1))
        os.utime(data / f"n{number}", ns=(1_600_000_000_000_000_000 + number, 1_600_000_000_000_000_000 + number))
    (data / "n3").chmod(0o640)
    with closing(sqlite3.connect(data / "books.db")) as connection, connection:
        connection.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, cents INTEGER)")
        connection.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, account INTEGER)")
        connection.executemany("INSERT INTO accounts VALUES (?, 100)", [(number,) for number in range(8)])


def _until(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def main(count: int, seed: int = 0) -> None:
    """Print what was counted."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        total = run(count, seed, Path(folder))
        print(f"{total['tried']} sessions ended in {time.monotonic() - began:.0f} s: {', '.join(KINDS)}")
        print(f"  had come to their end before: {total['not_killed']}")
        for what, name in (
            ("hung", "that did not end"),
            ("files", "files of the user that differ"),
            ("bytes", "bytes in them"),
            ("processes", "processes left"),
            ("ports", "ports left"),
            ("temporary", "temporary files left"),
            ("keys", "private keys left"),
        ):
            print(f"  {name}: {total[what]}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["300"]))
