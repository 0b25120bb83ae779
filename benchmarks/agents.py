"""The agent that is measured: files, SQLite, HTTP and a model, in 25, 65 or 129 points; right under every schedule."""

import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from typing import Any

import httpx
from openai import OpenAI

TABLES = "CREATE TABLE IF NOT EXISTS steps (name TEXT PRIMARY KEY, value TEXT)"


def connect(own: Path) -> sqlite3.Connection:
    """Open the agent's memory."""
    connection = sqlite3.connect(own / "memory.db", isolation_level=None)
    connection.execute(TABLES)
    return connection


def remembered(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what is known already; steps from ``~`` on are not of this job."""
    return dict(connection.execute("SELECT name, value FROM steps WHERE name < '~'"))


def remember(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Note a result, once and for all."""
    connection.execute("INSERT OR REPLACE INTO steps VALUES (?, ?)", (name, value))


def ask_model(sections: int) -> str:
    """Ask for the plan; a bad one is no plan."""
    answer = OpenAI(max_retries=0).chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Plan the solar report"}]
    )
    text = answer.choices[0].message.content or ""
    plan = json.loads(text)
    if set(plan) != {"title", "sections"} or len(plan["sections"]) != sections:
        raise ValueError("not a plan")
    return text


def write(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(text)
    os.replace(temporary, path)


def publish(shared: Path, own: Path, sections: int) -> str:
    """Do the task, or go on where the last process died."""
    connection = connect(own)
    try:
        shared = shared / "solar"
        shared.mkdir(exist_ok=True)
        for leftover in shared.glob("*.tmp"):
            leftover.unlink()
        known = remembered(connection)
        if "plan" not in known:
            remember(connection, "plan", ask_model(sections))
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


@dataclass(frozen=True)
class Publisher:
    """The agent with so many sections; each is four points, and all else nine."""

    sections: int

    def explore(self, chaos: Any, tmp_path: Path) -> Any:
        """Explore the agent; recovery is the run started again, as a queue would."""
        shared, own = tmp_path / "shared", tmp_path / "agent"
        shared.mkdir(exist_ok=True)
        own.mkdir(exist_ok=True)
        chaos.watch(shared)
        chaos.private(own)
        chaos.api("https://api.mail.test")
        names = [f"section-{letter}" for letter in ascii_letters[: self.sections]]
        chaos.llm({"Plan the solar report": json.dumps({"title": "Solar", "sections": names})})
        return chaos.explore(run=lambda: publish(shared, own, self.sections))


SMALL, LARGE, HUGE = Publisher(4), Publisher(14), Publisher(30)
