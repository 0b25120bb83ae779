"""The agent locks with flock; the kernel lets go when the process ends, and the file `agent.lock` stays on purpose.

A naive harness accuses it: a file with the name of a lock is there after every run. It is empty, and nobody holds it.
"""

import fcntl
import json
import os
from contextlib import contextmanager

from openai import OpenAI

PROMPT = "Name the team's goals"


@contextmanager
def locked(own):
    """Hold the agent's lock, or raise BlockingIOError while another process has it."""
    own.mkdir(exist_ok=True)
    with open(own / "agent.lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def ask_model():
    """Return the goals, or raise before anything outside was touched."""
    with OpenAI() as client:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": PROMPT}])
    choice = answer.choices[0]
    goals = json.loads(choice.message.content)
    if (
        choice.finish_reason != "stop"
        or not isinstance(goals, list)
        or not all(isinstance(goal, str) for goal in goals)
    ):
        raise ValueError("the model's goals are not a list of texts")
    return goals


def write_goals(shared, own):
    """Ask, draft, and put the goals into place, one agent at a time."""
    with locked(own):
        goals = ask_model()
        draft = own / "goals.md.part"
        with open(draft, "w") as file:
            file.writelines(f"- {goal}\n" for goal in goals)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, shared / "goals.md")
    return "written"


def restart(own):
    """Remove the draft of a run that died."""
    with locked(own):
        (own / "goals.md.part").unlink(missing_ok=True)


BREAKS = set()


def explore(chaos, tmp_path):
    """One watched folder, one private folder, one question to a model."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.llm({PROMPT: '["cheaper panels", "faster installation"]'})
    chaos.explore(run=lambda: write_goals(shared, own), recover=lambda: restart(own))
