"""Show that findings repeat: other seeds, new processes, other hash seeds, a busy machine.

Each part explores or replays agents of the corpus, scenarios and a LangGraph graph, compares what came of it, and
prints each difference: every one is a bug of Rollproof's. Exits with 1 where there is one.

python benchmarks/nightly.py [seeds | tokens | langgraph | replicas] [--busy=2] [--seeds=10] [--tokens=1000] ...
"""

import argparse
import fnmatch
import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rollproof.values.exploration import Exploration  # noqa: E402

from tests.exploring import explored, only, replayed  # noqa: E402

Job = dict[str, Any]
Outcome = dict[str, Any]
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(10**6))"
EXPLORED: dict[tuple[str, int], Outcome] = {}
LANGGRAPH = ("langgraph/send_mail", "langgraph/send_mail_once")


def main() -> int:
    """Run the parts that are named, or all that this environment can run; returns how many things differed."""
    given = _arguments()
    if given.work:
        return _work()
    parts = {"seeds": seeds, "tokens": tokens, "langgraph": langgraph, "replicas": replicas}
    with busy(given.busy):
        differing = sum(part(given) for name, part in parts.items() if name in given.parts)
    print(f"{differing} differed" + (f", beside {given.busy} busy loops" if given.busy else ""))
    return min(differing, 1)


def seeds(given: argparse.Namespace) -> int:
    """Explore with each seed; the causes are those of the first."""
    names = all_agents(given.agents)[:: given.every]
    found = done([{"agent": name, "seed": seed} for name in names for seed in given.seeds], given.jobs)
    differing = _told(found, lambda job: job["agent"], lambda job: f"seed {job['seed']}")
    print(f"{len(names)} agents and scenarios, seeds {given.seeds}: {differing} with other causes under another seed")
    return differing


def tokens(given: argparse.Namespace) -> int:
    """Replay tokens of all agents in new processes under several hash seeds; each ends alike."""
    names = all_agents(given.agents)[:: given.every]
    jobs = spread(_tokens(names, given), given.tokens)
    runs = [(jobs, str(number)) for number in given.hash_seeds]
    with ThreadPoolExecutor(given.jobs) as pool:
        found = [pair for result in pool.map(lambda run: worked(*run), runs) for pair in result]
    differing = _told(found, _replay_of, lambda job: f"hash seed {job['hash_seed']}")
    print(f"{len(jobs)} tokens of {len(names)}, hash seeds {given.hash_seeds}: {differing} that end otherwise")
    return differing


def langgraph(given: argparse.Namespace) -> int:
    """Replay tokens of an asynchronous graph again and again, in two processes; each ends alike."""
    each = 10
    jobs = spread(_tokens(LANGGRAPH, given), max(1, given.replays // each))
    found = done([job for job in jobs for _ in range(each)], given.jobs)
    differing = _told(found, _replay_of, lambda job: "a replay")
    print(f"{len(jobs)} tokens of a LangGraph graph, {len(found)} replays: {differing} that end otherwise")
    return differing


def replicas(given: argparse.Namespace) -> int:
    """Let replicas of agents start, die and wake up beside each other, many times."""
    tests = ("tests/runtime/test_replicas.py", "tests/runtime/test_scenario_replicas.py")
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(given.jobs), "-k", "not mutant", *tests]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "ROLLPROOF_REPEATS": "20"}).returncode


def all_agents(pattern: str) -> list[str]:
    """Return the agents of the corpus, and the scenarios that need nothing of pytest's but a folder."""
    mutants = [f"mutants/{path.stem}" for path in sorted((ROOT / "tests" / "mutants").glob("*_*.py"))]
    stories = [path.stem.removeprefix("test_") for path in sorted((ROOT / "scenarios").glob("test_*.py"))]
    names = mutants + [f"scenarios/{name}" for name in stories if _story(name) is not None]
    return fnmatch.filter(names, pattern)


def _story(name: str) -> Any:
    module = import_module(f"rollproof.scenarios.test_{name}")
    (test,) = (thing for key, thing in vars(module).items() if key.startswith("test_"))
    return test if list(inspect.signature(test).parameters) == ["chaos", "tmp_path"] else None


def _agent(name: str) -> tuple[Any, dict[str, Any]]:
    """Return an agent as `explored` takes it, and how it wants to be explored."""
    kind, _, own = name.partition("/")
    if kind == "scenarios":
        return SimpleNamespace(explore=_story(own)), {}
    if kind == "langgraph":
        test = import_module("tests.agents.test_langgraph_async")
        return test.agent(getattr(test.reports, own)), only("process.kill")
    from tests.test_mutants import agent, settings

    return agent(own), settings(own)


def outcome(job: Job) -> Outcome:
    """Explore or replay, and return what has to be alike; an exploration's tokens come with it."""
    agent, settings = _agent(job["agent"])
    with tempfile.TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as folder:
        if "token" in job:
            result = replayed(agent, Path(folder) / "it", job["token"], **{**settings, "seed": job["seed"]})
        else:
            result = explored(agent, Path(folder) / "it", **{**settings, "seed": job["seed"]})
        return _alike(result, folder, replay="token" in job)


def _alike(result: Exploration, folder: str, *, replay: bool) -> Outcome:
    """A replay shows the same differences outside; explorations need not find the same schedule first."""
    found = [_finding(finding, folder, whole=replay) for finding in result.violations]
    problems = {"flaky": list(result.flaky), "errors": list(result.errors), "drifted": list(result.drifted)}
    said = {"found": sorted(found), **{name: lines for name, lines in problems.items() if lines}}
    return said if replay else {"alike": said, "tokens": sorted({cell.schedule for cell in result.cells})}


def _finding(finding: Any, folder: str, *, whole: bool) -> str:
    cause = finding.cause
    words = [cause.way, cause.effect, cause.function] if cause is not None else ["no cause"]
    shown = [line.replace(folder, "") for line in finding.diff] if whole else []
    return " | ".join([*words, ", ".join(finding.invariants), *shown] if whole else words)


def _tokens(names: Iterable[str], given: argparse.Namespace) -> list[Job]:
    """Explore each agent once; returns a replay of each row of its result."""
    found = done([{"agent": name, "seed": given.seeds[0]} for name in names], given.jobs)
    return [{**job, "token": token} for job, result in found for token in result["tokens"]]


def spread(jobs: Sequence[Job], number: int) -> list[Job]:
    """Return so many of them, evenly spread."""
    return [jobs[index * len(jobs) // number] for index in range(number)] if number < len(jobs) else list(jobs)


def done(jobs: Sequence[Job], processes: int) -> list[tuple[Job, Outcome]]:
    """Carry jobs out, side by side in so many processes; what was explored before is not explored again."""
    missing = [job for job in jobs if "token" in job or _key(job) not in EXPLORED]
    with ThreadPoolExecutor(processes) as pool:
        parts = pool.map(worked, (list(islice(missing, start, None, processes)) for start in range(processes)))
        found = [pair for part in parts for pair in part]
    EXPLORED.update((_key(job), result) for job, result in found if "token" not in job)
    return [pair for pair in found if "token" in pair[0]] + [
        (job, EXPLORED[_key(job)]) for job in jobs if "token" not in job
    ]


def _key(job: Job) -> tuple[str, int]:
    return job["agent"], job["seed"]


def worked(jobs: Sequence[Job], hash_seed: str = "0") -> list[tuple[Job, Outcome]]:
    """Carry jobs out one by one in a new process."""
    done = subprocess.run(
        [sys.executable, __file__, "--work"],
        input=json.dumps(jobs),
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    return [({**job, "hash_seed": hash_seed}, result) for job, result in zip(jobs, outcomes, strict=True)]


def _work() -> int:
    """Be the process that `worked` starts. What agents print goes to the standard error."""
    answers = os.dup(1)
    os.dup2(2, 1)
    for job in json.load(sys.stdin):
        try:
            result = outcome(job)
        except Exception as problem:
            result = {"alike": repr(problem), "tokens": []}
        os.write(answers, json.dumps(result).encode() + b"\n")
    return 0


def _told(found: Iterable[tuple[Job, Outcome]], of: Any, which: Any) -> int:
    """Print where outcomes of one thing differ, and return of how many they do."""
    known: dict[str, dict[str, list[str]]] = {}
    for job, result in found:
        said = json.dumps(result.get("alike", result), sort_keys=True)
        known.setdefault(of(job), {}).setdefault(said, []).append(which(job))
    differing = {name: outcomes for name, outcomes in known.items() if len(outcomes) > 1}
    for name, outcomes in differing.items():
        print(name)
        for said, where in outcomes.items():
            print(f"    {', '.join(where)}: {said}")
    return len(differing)


def _replay_of(job: Job) -> str:
    return f"{job['agent']}: {job['token']}"


@contextmanager
def busy(number: int) -> Iterator[None]:
    """Keep so many cores busy meanwhile; the loops end by themselves when this process is gone."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "parts", nargs="*", default=["seeds", "tokens"], help="seeds, tokens, replicas; langgraph needs .venv-agents"
    )
    numbers = {"nargs": "+", "type": int}
    parser.add_argument("--seeds", default=list(range(10)), help="seeds that are compared", **numbers)
    parser.add_argument("--hash-seeds", default=[0, 1, 2], help="PYTHONHASHSEED of each process", **numbers)
    parser.add_argument("--tokens", type=int, default=1000, help="how many tokens")
    parser.add_argument("--replays", type=int, default=100, help="how many replays of the graph's tokens")
    parser.add_argument("--agents", default="*", help="only these: mutants/wrong_*, scenarios/publish_report")
    parser.add_argument("--every", type=int, default=1, help="only each N-th agent")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--busy", type=int, default=0, help="busy loops beside it")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
