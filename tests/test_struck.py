"""How the struck runs ended, how long they took from the fault on, and what they asked the model again."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.engine.judge import Judgement
from rollproof.engine.model_calls import ModelCall
from rollproof.engine.process_runs import ProcessRun, RawState
from rollproof.engine.struck import StruckRuns
from rollproof.values.history import Outcome, Violation
from rollproof.values.points import Point
from rollproof.values.schedule import Schedule
from rollproof.values.struck import Struck
from rollproof.values.world import Change, Diff

from .exploring import explored, only, two_folders

CHAT = "https://api.openai.com/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Write about solar"}]
TOKENS = (1 + 50 // 4) + (1 + 12 // 4)
"""Of the messages, 50 characters of JSON, and of an answer with 12."""


def ask() -> str:
    """Ask the model; where its answer does not come, wait for ten seconds and ask once more."""
    for wait_s in (10, 0):
        try:
            headers = {"authorization": "Bearer key-of-the-struck-agent"}
            answer = httpx.post(CHAT, json={"model": "m", "messages": MESSAGES}, headers=headers)
            return str(answer.json()["choices"][0]["message"]["content"])
        except httpx.TimeoutException:
            if not wait_s:
                raise
            time.sleep(wait_s)
    raise AssertionError("unreachable")


def file_it(shared: Path) -> None:
    """Ask, and make one folder that is called as the answer says."""
    (shared / ask()).mkdir()


def file_it_later(shared: Path) -> None:
    """Do it where it is not done, half a minute later; nothing remembers that the model was asked."""
    if not list(shared.iterdir()):
        time.sleep(30)
        file_it(shared)


def explore(chaos: Any, folder: Path) -> None:
    """Explore it; it has two points: the model is asked, and the folder is made."""
    shared, _ = two_folders(chaos, folder)
    chaos.llm({"Write about solar": "Prices fell."})
    chaos.explore(run=lambda: file_it(shared), recover=lambda: file_it_later(shared))


CRASHES = Struck({"done": 8}, {1.0: 2, 31.0: 6}, 5, 5 * TOKENS)
"""Four single crashes, and four more in the recovery from the one before the folder is made, which stands for those
before it. In both fours all but the one after it is made are followed by half a minute's recovery that asks. The model
had answered before two of these single ones, and before all three in the recovery."""
TIMEOUTS = Struck({"done": 4}, {10.0: 2, 41.0: 2}, 3, 3 * TOKENS)
"""Once and for good, before the model acts and after. What comes once costs ten seconds; what is lasting ends the run
ten seconds later, and a second after that the recovery starts that takes thirty. An answer that is lost was spent: one
of the single timeout, two of the lasting one."""


@pytest.mark.parametrize(("fault", "struck"), [("process.kill", CRASHES), ("llm.timeout", TIMEOUTS)])
def test_what_recovery_took_and_cost(fault: str, struck: Struck, tmp_path: Path) -> None:
    """Ends, virtual times, calls and tokens are those that can be computed by hand."""
    result = explored(SimpleNamespace(explore=explore), tmp_path, **only(fault))
    assert result.struck == struck
    assert sum(struck.ends.values()) == result.schedules


ASK, MAIL = Point("llm", "chat", "model.test"), Point("http", "post", "mail.test/mails")
ONE, OTHER = ModelCall(1, 100), ModelCall(2, 10)
FREE = ProcessRun("run", RawState(None, (), 0.0), points=(ASK, MAIL), model_calls={ASK: ONE})  # type: ignore[arg-type]
CRASH = Schedule.parse("process.kill@http.post:mail.test/mails#1:before")
DIFFERENT: Diff = (Change("+", "mail.test/mails", "one"),)


def process(role: Any, begins: float, ends: float, how: Any = "returned", calls: tuple[ModelCall, ...] = ()) -> Any:
    """Return a process that began and ended at these times, and how it ended; it made these calls."""
    points = {Point("llm", "chat", "model.test", n): call for n, call in enumerate(calls, 1)}
    start, end = (RawState(None, (), at) for at in (begins, ends))  # type: ignore[arg-type]
    return ProcessRun(role, start, Outcome(how), end, model_calls=points)


def judged(*processes: ProcessRun, broken: tuple[str, ...] = (), before: Diff = (), done: Diff = ()) -> Judgement:
    """Return a judgement on these processes."""
    violations = tuple((name, Violation("broken")) for name in broken)
    own = [one for one in processes if one.role != "retry"]
    return Judgement(violations, (), own[-1].end, processes, from_before=before, from_done=done)


def added(judgement: Judgement, schedule: Schedule = CRASH, count: int = 1) -> Struck:
    """Return what is counted of one judgement."""
    runs = StruckRuns(FREE)
    runs.add(schedule, judgement, count)
    return runs.so_far()


@pytest.mark.parametrize(
    ("end", "known"),
    [
        ("done", {"before": DIFFERENT}),
        ("rolled back", {"done": DIFFERENT}),
        ("handed over", {"before": DIFFERENT, "done": DIFFERENT}),
        ("stuck", {"broken": ("all_or_nothing", "terminates")}),
        ("stuck", {"broken": ("recovery_succeeds",)}),
        ("wrong", {"broken": ("all_or_nothing",)}),
    ],
)
def test_how_a_struck_run_ended(end: str, known: dict[str, Any]) -> None:
    """By the broken promises, else by the right end that it came to; what is stuck has no time."""
    found = added(judged(process("recover", 6.0, 8.0), **known), count=3)
    assert found == Struck({end: 3}, {} if end == "stuck" else {3.0: 3})


def test_what_is_not_counted() -> None:
    """Another order without a fault is not struck, and what could not be judged has no end."""
    recovery = process("recover", 6.0, 8.0)
    assert added(judged(recovery), Schedule.parse("order.swap@http.post:mail.test/mails#1:before")) == Struck()
    unknown = Judgement((), ("a check failed",), recovery.end, (recovery,))
    assert added(unknown) == Struck()


def test_time_is_that_since_the_last_crash() -> None:
    """A wait for a lease counts; clocks of processes that were not started for each other are not compared."""
    waited = judged(process("recover early", 6.0, 7.0), process("recover", 60.0, 61.0))
    assert added(waited).times == {56.0: 1}
    crashed = judged(process("run", 0.0, 5.0, "killed"), process("recover", 1000.0, 1002.0))
    assert added(crashed).times == {3.0: 1}
    merged = judged(process("recover", 6.0, 7.0, "raised"), process("recover", 500.0, 502.0))
    assert added(merged).times == {5.0: 1}


def test_calls_are_owed_by_what_they_ask() -> None:
    """What was asked before the fault is asked again; a retry that only shows what would follow is none."""
    recovery = process("recover", 6.0, 8.0, calls=(ONE, OTHER))
    found = added(judged(recovery, process("retry", 9.0, 9.5, calls=(ONE,))))
    assert (found.model_calls_again, found.tokens_again) == (2, 110)
    earlier = Schedule.parse("process.kill@llm.chat:model.test#1:before")
    found = added(judged(recovery), earlier)
    assert (found.model_calls_again, found.tokens_again) == (1, 10)
    found = added(judged(recovery), Schedule.parse("process.kill@llm.chat:model.test#1:after"))
    assert (found.model_calls_again, found.tokens_again) == (2, 110)
