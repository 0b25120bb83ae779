"""Workers of an outbox in processes of their own, and a service in a file: for tests and `benchmarks/workers.py`."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

from processes import awakened, ended, paused, signal_itself, started
from rollproof.runtime import Event, Outbox, Store, Undelivered
from rollproof.runtime.message_table import CANCEL
from rollproof.runtime.messages import Message, State


class Service:
    """Notes what arrives, in a file that all processes see; what comes with a known key has no second effect."""

    def __init__(self, root: Path) -> None:
        """Begin with nothing."""
        self._path = root / "arrivals"
        self._path.touch()

    def take(self, message: Message) -> None:
        """Take one message."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, f"{message.key}\n".encode())
        os.close(descriptor)

    def arrivals(self) -> list[str]:
        """Give the keys of all that came, in order."""
        return self._path.read_text().split()

    def effects(self) -> list[str]:
        """Give the keys of what had an effect, in order."""
        return list(dict.fromkeys(self.arrivals()))


RUNS, EACH = 10, 4


def fleet(root: Path, seed: int, *, pausing: bool = False, workers: int = 3) -> list[str]:
    """Let workers deliver 40 messages, some runs be abandoned and a worker be killed meanwhile; give what is wrong.

    Tries fail before and behind their arrival. If `pausing`, one more worker is paused, longer than its claim lasts,
    and goes on when all is done: what it sends then may arrive, with a key that the service knows.
    """
    draw, service = random.Random(seed), Service(root)
    with Store(root / "agent.db") as store, store.transaction():
        for run in map(str, range(RUNS)):
            for number in range(EACH):
                Outbox(store).add(run, f"{run}-{number}", "courier", {}, at_once=True, cancel={})
    gone = draw.sample(range(RUNS), RUNS // 2)
    events = [(draw.randrange(2 * RUNS * EACH // 3), run) for run in gone] + [(draw.randrange(20), -1)]
    sleeping = partial(_deliver, root, service, draw.random(), pausing, draw.randrange(1, 6))
    with paused(sleeping) if pausing else nullcontext(0) as sleeper:
        pids = [started(partial(_deliver, root, service, draw.random(), pausing)) for _ in range(workers)]
        for arrived, run in sorted(events):
            _until(service, arrived, pids)
            if run < 0:
                os.kill(pids[0], signal.SIGKILL)
            else:
                _abandon(root, str(run))
        codes = [ended(pid) for pid in pids[1:]]
        ended(pids[0])
        codes.append(ended(started(partial(_deliver, root, service, draw.random(), pausing))))
        codes.append(awakened(sleeper) if pausing else 0)
    assert not any(codes), codes
    return _wrong(root, service.effects() if pausing else service.arrivals(), [str(run) for run in gone])


def _deliver(root: Path, service: Service, seed: float, pausing: bool, pauses_at: int = 0) -> None:
    """Be a worker until nothing is left; one that is to pause does so in the middle of that message."""
    draw, tries = random.Random(seed), itertools.count(1)

    def send(message: Message) -> None:
        if next(tries) == pauses_at:
            signal_itself(signal.SIGSTOP)
        if draw.random() < 0.15:
            raise ConnectionError
        service.take(message)
        if draw.random() < 0.15:
            raise TimeoutError

    with Store(root / "agent.db", busy_s=60) as store:
        outbox = Outbox(store, claim_s=0.05 if pausing else 600, first_s=0.001, most_s=0.01)
        while outbox.wait({"courier"}, look_s=0.002):
            with suppress(Undelivered):
                outbox.deliver({"courier": send})


def _until(service: Service, arrived: int, pids: list[int]) -> None:
    """Wait for so many arrivals, or the end of all workers."""
    while len(service.arrivals()) < arrived and any(
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None for pid in pids
    ):
        time.sleep(0.0005)


def _abandon(root: Path, run: str) -> None:
    with Store(root / "agent.db", busy_s=60) as store, store.transaction():
        Outbox(store).follow(run, Event.ABANDONED)


def _wrong(root: Path, arrivals: list[str], gone: list[str]) -> list[str]:
    """Say of each message what should not be: lost, cancelled for nothing, not cancelled, or there after it was."""
    found = []
    with Store(root / "agent.db") as store:
        left = [message.key for message in Outbox(store).messages() if message.state is not State.SENT]
    for key in (f"{run}-{number}" for run in range(RUNS) for number in range(EACH)):
        came = [each for each in arrivals if each in (key, key + CANCEL)]
        right = came == sorted(came) and (came == [] or {*came} == {key, key + CANCEL})
        if not right if key.partition("-")[0] in gone else {*came} != {key}:
            found.append(f"{key}: {came}")
    return found + [f"{key} is left" for key in left]
