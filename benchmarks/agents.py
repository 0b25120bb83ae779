"""The agent that is measured: files, SQLite, HTTP and a model, in 25 points, right under every single fault."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import httpx
from openai import OpenAI

REPLY = json.dumps({"title": "Solar", "sections": ["costs", "storage", "grid", "outlook"]})
TABLES = "CREATE TABLE IF NOT EXISTS steps (name TEXT PRIMARY KEY, value TEXT)"


def connect(own: Path) -> sqlite3.Connection:
    """Open the agent's memory."""
    connection = sqlite3.connect(own / "memory.db", isolation_level=None)
    connection.execute(TABLES)
    return connection


def remembered(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what is known already."""
    return dict(connection.execute("SELECT name, value FROM steps"))


def remember(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Note a result, once and for all."""
    connection.execute("INSERT OR REPLACE INTO steps VALUES (?, ?)", (name, value))


def ask_model() -> str:
    """Ask for the plan; a bad one is no plan."""
    answer = OpenAI(max_retries=0).chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Plan the solar report"}]
    )
    text = answer.choices[0].message.content or ""
    plan = json.loads(text)
    if set(plan) != {"title", "sections"} or len(plan["sections"]) != 4:
        raise ValueError("not a plan")
    return text


def write(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def publish(shared: Path, own: Path) -> str:
    """Do the task, or go on where the last process died."""
    connection = connect(own)
    try:
        shared = shared / "solar"
        shared.mkdir(exist_ok=True)
        for leftover in shared.glob("*.tmp"):
            leftover.unlink()
        known = remembered(connection)
        if "plan" not in known:
            remember(connection, "plan", ask_model())
            known = remembered(connection)
        for section in json.loads(known["plan"])["sections"]:
            if section not in known:
                write(shared / f"{section}.md", f"# {section}\n" * 3)
                remember(connection, section, "written")
        for address in ("press", "board"):
            if address not in known:
                httpx.post(
                    "https://api.mail.test/mails", json={"to": address}, headers={"Idempotency-Key": address}
                ).raise_for_status()
                remember(connection, address, "sent")
    finally:
        connection.close()
    return "published"


def explore(chaos: Any, tmp_path: Path) -> Any:
    """Explore the agent; recovery is the run started again, as a queue would."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir(exist_ok=True)
    own.mkdir(exist_ok=True)
    chaos.watch(shared)
    chaos.private(own)
    chaos.api("https://api.mail.test")
    chaos.llm({"Plan the solar report": REPLY})
    return chaos.explore(run=lambda: publish(shared, own))
