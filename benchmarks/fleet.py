"""Show that agents and workers on one database and one drive lose nothing and do nothing twice.

Ten agents start runs, three workers deliver their messages, and a supervisor starts what dies and wakes what sleeps.
In 30 % of the runs something happens: a step fails, its process is killed or paused for longer than its lease, at a
random transaction; workers are killed too. In the end each run is whole outside, or nothing of it is there.

python benchmarks/fleet.py [--runs=10000] [--agents=10] [--workers=3] [--faulty=0.3] [--seed=0]
"""

import argparse
import logging
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from rollproof.runtime import (
    Journal,
    LeaseLost,
    Leases,
    Message,
    Outbox,
    Run,
    Saga,
    Status,
    Step,
    Store,
    Undelivered,
    UnfinishedRun,
)
from rollproof.runtime.progress import all_runs

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "runtime"))

from processes import started
from replicas import SignallingStore

LEASE_S = 1.0
AT_MOST_S = 86_400
"""When a process is ended: not before its work is."""
STEPS = ("plan", "write", "index")
KINDS = ("error before", "error after", "kill", "pause")


class Agent:
    """Puts a file for each step on the drive, and wants one mail for each run."""

    def __init__(self, root: Path, number: int, store: Store) -> None:
        self.drive, self.store, self.number = root / "drive", store, number
        self.outbox = Outbox(store)
        self.kind = ""

    def saga(self) -> Saga:
        """Three files and a message; two agents share each lock."""
        steps = [Step(name, self.act, undo=self.undo) for name in STEPS]
        companions = [self.outbox]
        return Saga(
            self.store, f"fleet-{self.number}", steps, lock=f"folder-{self.number // 2}", lease_s=LEASE_S,
            companions=companions,
        )  # fmt: skip

    def act(self, run: Run) -> None:
        """Leave the file of a step, which must not be there; the last one writes the message too."""
        if self.kind == "error before" and run.step == STEPS[1]:
            raise ValueError("no")
        with open(self.drive / f"{run.id}-{run.step}", "x"):
            pass
        if run.step == STEPS[-1]:
            with self.store.transaction():
                self.outbox.add(run, run.key, "mail", {"run": run.id})
        if self.kind == "error after" and run.step == STEPS[1]:
            raise ValueError("no")

    def undo(self, run: Run) -> None:
        """Take the file away, if it is there."""
        (self.drive / f"{run.id}-{run.step}").unlink(missing_ok=True)


def work(root: Path, number: int, given: argparse.Namespace) -> None:
    """Be one agent until its share of the runs has been begun; what died before is settled first."""
    with SignallingStore(root / "agent.db", busy_s=60) as store:
        agent = Agent(root, number, store)
        share = given.runs // given.agents
        notes = root / f"begun-{number}"
        for turn in range(int(notes.read_text()) if notes.exists() else 0, share):
            notes.write_text(str(turn + 1))
            dice = random.Random(f"{given.seed} {number} {turn}")
            agent.kind = dice.choice(KINDS) if dice.random() < given.faulty else ""
            SignallingStore.at, SignallingStore.after = 0, False
            SignallingStore.sign = signal.SIGKILL if agent.kind == "kill" else signal.SIGSTOP
            one_run(agent, dice.randint(2, 7) if agent.kind in ("kill", "pause") else 0)
            if turn in (share // 10, share - 1):
                tell(root, f"agent {turn * 10 // share} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}")
        agent.saga().recover()


def one_run(agent: Agent, at: int) -> None:
    """Settle what was left, and run, signalled at a transaction; again where the neighbour of the lock left some."""
    neighbour = Agent(agent.drive.parent, agent.number ^ 1, agent.store)
    while True:
        with suppress(LeaseLost):
            agent.saga().recover()
        try:
            SignallingStore.at, SignallingStore.count = at, 0
            agent.saga().run("a report", {})
        except UnfinishedRun:
            SignallingStore.at = 0
            with suppress(LeaseLost):
                neighbour.saga().recover()
            continue
        except (ValueError, LeaseLost):
            pass
        return


def deliver(root: Path, number: int, given: argparse.Namespace) -> None:
    """Be one worker until the supervisor says that all agents are done, and nothing is left."""
    with Store(root / "agent.db", busy_s=60) as store:
        outbox, dice = Outbox(store), random.Random(f"{given.seed} {os.getpid()}")

        def mail(message: Message) -> None:
            if dice.random() < given.faulty / 10:
                raise ConnectionError("the mail service is away")
            with open(root / "mails", "ab", buffering=0) as service:
                service.write(f"{message.key}\n".encode())
            if dice.random() < given.faulty / 100:
                os.kill(os.getpid(), signal.SIGKILL)  # sent, and nobody has noted it

        while not (root / "done").exists() or outbox.next_due(["mail"]) is not None:
            with suppress(Undelivered):
                outbox.deliver({"mail": mail})
            time.sleep(0.01)


def tell(root: Path, line: str) -> None:
    """Add a line to what is printed in the end."""
    with open(root / "told", "a") as told:
        told.write(f"{line}\n")


def supervised(root: Path, given: argparse.Namespace) -> Counter[str]:
    """Keep agents and workers alive until the runs are done; count what became of processes."""
    count: Counter[str] = Counter()
    jobs = {("agent", number): lambda number=number: work(root, number, given) for number in range(given.agents)}
    jobs |= {("worker", number): lambda number=number: deliver(root, number, given) for number in range(given.workers)}
    living = {started(job, AT_MOST_S): name for name, job in jobs.items()}
    asleep: list[tuple[float, int]] = []
    while living:
        pid, status = os.waitpid(-1, os.WUNTRACED | os.WNOHANG)
        if not pid:
            time.sleep(0.005)
        elif os.WIFSTOPPED(status):
            asleep.append((time.monotonic() + 2 * LEASE_S, pid))
            count["paused for longer than a lease"] += 1
        else:
            name = living.pop(pid)
            if os.WIFSIGNALED(status):
                count[f"{name[0]} killed"] += 1
            elif os.WEXITSTATUS(status):
                count[f"{name[0]} failed"] += 1
            if status:
                living[started(jobs[name], AT_MOST_S)] = name
            elif not any(kind == "agent" for kind, _ in living.values()):
                (root / "done").touch()
        for due in [each for each in asleep if each[0] <= time.monotonic()]:
            asleep.remove(due)
            with suppress(ProcessLookupError):
                os.kill(due[1], signal.SIGCONT)
    return count


def judged(root: Path, given: argparse.Namespace) -> list[str]:
    """Compare the outside with the journal: give what is wrong, and print what there is."""
    with Store(root / "agent.db") as store:
        for number in range(given.agents):
            Agent(root, number, store).saga().recover()
        runs = {each.run: each.status for each in all_runs(Journal(store))}
        leases, broken = Leases(store).all(), Journal(store).verify()
        open_messages = [message for message in Outbox(store).messages() if message.state != "sent"]
    complete = {run for run, status in runs.items() if status is Status.COMPLETED}
    files = Counter(path.name.partition("-")[0] for path in (root / "drive").iterdir())
    arrived = Counter((root / "mails").read_text().split())
    mails = Counter(key.partition(":")[0] for key in arrived)
    print(f"{len(runs)} runs: {len(complete)} complete, {Counter(runs.values())[Status.ROLLED_BACK]} rolled back")
    print(f"{sum(arrived.values())} mails arrived, {len(arrived)} with a key of their own")
    wrong = {
        "runs are missing": given.runs - len(runs) if len(runs) < given.runs else 0,
        "runs are neither complete nor rolled back": sum(not status.over for status in runs.values()),
        "files are lost or left over": sum(files[run] != len(STEPS) * (run in complete) for run in {*runs, *files}),
        "mails are lost": len(complete - mails.keys()),
        "mails were sent for runs that came to nothing": len(mails.keys() - complete),
        "mails have a second key": sum(count > 1 for count in mails.values()),
        "leases are left": len(leases),
        "messages are not sent": len(open_messages),
        "events are broken": broken is not None,
    }
    return [f"{number} {what}" for what, number in wrong.items() if number]


def main() -> int:
    """Let the fleet work, and print what came of it; exits with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--faulty", type=float, default=0.3, help="the share of runs in which something happens")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    logging.getLogger("rollproof.runtime").setLevel(logging.ERROR)  # that locks are waited for is meant here
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        root = Path(folder)
        (root / "drive").mkdir()
        (root / "mails").touch()
        began, cpu = time.monotonic(), os.times()
        count = supervised(root, given)
        spent = os.times()
        wrong = judged(root, given)
        wall, busy = time.monotonic() - began, spent.children_user + spent.children_system - cpu.children_user
        print(", ".join(f"{number} times {what}" for what, number in sorted(count.items())))
        print(f"{wall:.0f} s, {busy:.0f} s of processor time, {1000 * busy / given.runs:.1f} ms a run")
        rss = [(int(line.split()[1]), int(line.split()[2])) for line in (root / "told").read_text().splitlines()]
        for what, part in (("after a tenth", 1), ("in the end", 9)):
            sizes = [size for share, size in rss if share == part]
            print(f"memory of an agent {what}: {max(sizes, default=0) / 1024:.0f} MB at most")
    print("; ".join(wrong) or "nothing is lost, nothing was done twice, no lock is left")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
