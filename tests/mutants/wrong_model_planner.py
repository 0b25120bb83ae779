"""Lets a model plan the pages of a small handbook as JSON, and writes the pages.

Bug: an overloaded or unreachable model is asked again without any limit (errors that cannot pass, such as a refused
key, are not retried, and a malformed plan is an error). It shows when the model stays away: the agent never ends.
"""

import json
import os
import time
from pathlib import Path

import openai

BREAKS = {"terminates"}
PLAN = {
    "pages": [
        {"file": "start.md", "text": "# Start\nPlug it in.\n"},
        {"file": "care.md", "text": "# Care\nKeep it dry.\n"},
    ]
}
CAUSES = ["not ended: llm.chat:api.openai.com in ask"]


def ask(question: str) -> str:
    """Ask the model, and ask again as long as it is overloaded or cannot be reached."""
    client = openai.OpenAI(max_retries=0)
    pause = 1
    while True:
        try:
            reply = client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
            )
        except (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError):
            time.sleep(pause)
            pause = min(2 * pause, 30)
            continue
        if reply.choices[0].finish_reason != "stop":
            raise ValueError("the model did not finish its plan")
        return reply.choices[0].message.content or ""


def checked(text: str) -> dict:
    """Return the plan that a reply holds, or raise ValueError."""
    plan = json.loads(text)
    pages = plan.get("pages") if isinstance(plan, dict) else None
    if not isinstance(pages, list) or not pages:
        raise ValueError("a plan needs pages")
    for page in pages:
        if not isinstance(page, dict) or not isinstance(page.get("text"), str):
            raise ValueError("a page needs a text")
        if page.get("file") not in ("start.md", "care.md"):
            raise ValueError("a page has a strange name")
    return plan


def write_handbook(subject: str, book: Path, own: Path) -> list[str]:
    """Plan the handbook unless that is done already, write its pages and return their names."""
    plan_file = own / "plan.json"
    if not plan_file.exists():
        plan = checked(ask(f"Plan a handbook about {subject}."))
        (own / "plan.tmp").write_text(json.dumps(plan), encoding="utf-8")
        os.replace(own / "plan.tmp", plan_file)
    pages = json.loads(plan_file.read_text(encoding="utf-8"))["pages"]
    for page in pages:
        (own / "page.tmp").write_text(page["text"], encoding="utf-8")
        os.replace(own / "page.tmp", book / page["file"])
    return [page["file"] for page in pages]


def explore(chaos, tmp_path):
    """An empty handbook is filled; the agent is started again after a breakdown."""
    book, own = tmp_path / "handbook", tmp_path / "agent"
    book.mkdir()
    own.mkdir()
    chaos.watch(book)
    chaos.private(own)
    chaos.llm({"Plan a handbook": json.dumps(PLAN)})
    return chaos.explore(run=lambda: write_handbook("toasters", book, own))
