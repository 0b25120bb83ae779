"""A model's list is applied item by item while it is parsed, before anybody knows that the whole of it is valid.

After a truncated or malformed answer the run raises, and the tasks of the first items stay at the service: crashes are
cleaned up by the next start, errors by nobody.
"""

import json
import os
import uuid

import httpx
from openai import OpenAI

SERVICE = "https://api.tasks.test/tasks"
PROMPT = "Split the project into tasks"
REPLY = [{"name": "measure the roof"}, {"name": "order panels"}, {"name": "book the crane"}]


def items(text):
    """Yield each object of a JSON list as soon as it is complete."""
    decoder, rest = json.JSONDecoder(), text.strip().removeprefix("[")
    while not rest.startswith("]"):
        item, end = decoder.raw_decode(rest)
        yield item
        rest = rest[end:].lstrip().removeprefix(",").lstrip()


def plan(project, own, items=items):
    """Create a task for each item of the model's list."""
    question = [{"role": "user", "content": f"{PROMPT}: {project}"}]
    with OpenAI() as client:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=question)
    batch = own / f"batch-{uuid.uuid4().hex}"
    os.close(os.open(batch, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    for item in items(answer.choices[0].message.content):
        body = {"project": project, "name": item["name"], "batch": batch.name}
        httpx.post(SERVICE, json=body, timeout=10).raise_for_status()
    batch.unlink()
    return "planned"


def restart(own):
    """Take back what a batch that did not end has created."""
    for batch in own.glob("batch-*"):
        found = httpx.get(SERVICE, params={"batch": batch.name}, timeout=10)
        found.raise_for_status()
        for task in found.json():
            answer = httpx.delete(f"{SERVICE}/{task['id']}", timeout=10)
            if answer.status_code != 404:
                answer.raise_for_status()
        batch.unlink()


BREAKS = {"all_or_nothing"}
CAUSES = ["left over: http.post:api.tasks.test/tasks in plan", "not the same: llm.chat:api.openai.com in plan"]


def explore(chaos, tmp_path, items=items):
    """One task service, one model; the agent promises to clean up by itself when an error leaves it."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.tasks.test")
    chaos.llm({PROMPT: json.dumps(REPLY)})
    chaos.explore(run=lambda: plan("roof", own, items), recover=lambda: restart(own), errors="handled")
