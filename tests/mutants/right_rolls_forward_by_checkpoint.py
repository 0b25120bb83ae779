"""A model's report is published as two files and a mail; from the first checkpoint on, every start finishes the work.

A naive harness accuses it: after a crash the report stands without its mail, and the mail may be requested twice.
"""

import json
import os
import uuid

import httpx
from openai import OpenAI

MAILS = "https://api.mail.test/mails"
PROMPT = "Write the report about"


def ask_model(topic):
    """Return title and body, or raise before anything outside was touched."""
    question = [{"role": "user", "content": f"{PROMPT} {topic}"}]
    with OpenAI() as client:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=question)
    choice = answer.choices[0]
    report = json.loads(choice.message.content)
    if choice.finish_reason != "stop" or not all(isinstance(report[part], str) for part in ("title", "body")):
        raise ValueError("the model's report is not complete")
    return report


def replace(path, text, own):
    """Replace a file as a whole; the draft stays in the agent's own folder."""
    draft = own / f"{path.name}.tmp"
    with open(draft, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def publish(topic, shared, own):
    """Ask, set the checkpoint, and do the steps."""
    job = {"topic": topic, "report": ask_model(topic), "key": uuid.uuid4().hex}
    replace(own / "job.json", json.dumps(job), own)
    finish(job, shared, own)
    return {"topic": topic, "status": "published"}


def finish(job, shared, own):
    """Each step can be repeated: the files are replaced, the mail has its key."""
    report = job["report"]
    replace(shared / f"{job['topic']}.md", f"# {report['title']}\n\n{report['body']}\n", own)
    replace(shared / f"{job['topic']}.title", report["title"] + "\n", own)
    mail = {"to": "team@example.test", "subject": report["title"]}
    httpx.post(MAILS, json=mail, headers={"Idempotency-Key": job["key"]}, timeout=10).raise_for_status()
    (own / "job.json").unlink()


def resume(shared, own):
    """Finish the job whose checkpoint is there; without one nothing has happened yet."""
    for draft in own.glob("*.tmp"):
        draft.unlink(missing_ok=True)
    job = own / "job.json"
    if job.exists():
        finish(json.loads(job.read_text()), shared, own)


BREAKS = set()


def explore(chaos, tmp_path):
    """A watched folder, a mail service and a model."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.api("https://api.mail.test")
    chaos.llm({PROMPT: '{"title": "Solar", "body": "Prices fell by a tenth."}'})
    chaos.explore(run=lambda: publish("solar", shared, own), recover=lambda: resume(shared, own))
