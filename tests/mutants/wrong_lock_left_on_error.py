"""A digest is written under an O_EXCL lock that is let go on success only.

After any error or crash `agent/digest.lock` stays, and the next run refuses to start.
"""

import json
import os

from openai import OpenAI

PROMPT = "Write the digest of the week"


def ask_model():
    """Ask once and take nothing but a complete answer."""
    with OpenAI() as client:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": PROMPT}])
    choice = answer.choices[0]
    digest = json.loads(choice.message.content)
    if choice.finish_reason != "stop" or not all(isinstance(digest[part], str) for part in ("title", "body")):
        raise ValueError("the model's digest is not complete")
    return digest


def take_lock(path):
    """Create the lock file; raise FileExistsError while somebody has it."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.close(descriptor)


def write_digest(shared, own):
    """Ask, draft, and put the digest into place, one agent at a time."""
    lock = own / "digest.lock"
    take_lock(lock)
    digest = ask_model()
    draft = own / "digest.md.part"
    draft.write_text(f"# {digest['title']}\n\n{digest['body']}\n")
    os.replace(draft, shared / "digest.md")
    lock.unlink()
    return "published"


def restart(own):
    """Remove the draft of a run that died."""
    (own / "digest.md.part").unlink(missing_ok=True)


BREAKS = {"no_leftovers", "clean_retry"}
CAUSES = ["left over: file.open:agent/digest.lock in take_lock"]


def explore(chaos, tmp_path):
    """One watched folder, one private folder, one question to a model."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.llm({PROMPT: '{"title": "Week 12", "body": "Two releases, no incident."}'})
    chaos.explore(run=lambda: write_digest(shared, own), recover=lambda: restart(own))
