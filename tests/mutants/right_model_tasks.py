"""Lets a model break a goal into tasks as JSON, and creates them in a task service.

Right although the model may be asked three times and a request sent four times: only a complete, well formed plan
counts, it is stored in one transaction with a key for each task, and all attempts and later starts use those keys.
"""

import json
import sqlite3
import time
import uuid
from contextlib import closing
from pathlib import Path

import httpx
from openai import OpenAI

BREAKS = set()
BOARD = "https://board.example.test"
PASSING = {429, 500, 502, 503, 504}
PLAN = {"tasks": [{"title": "Measure the roof", "days": 1}, {"title": "Order the panels", "days": 14}]}
SCHEMA = "CREATE TABLE IF NOT EXISTS tasks (n INTEGER PRIMARY KEY, title TEXT, days INT, key TEXT, made TEXT)"


def checked(reply) -> list[dict]:
    """Return the tasks that a reply of the model holds, or raise ValueError."""
    if reply.choices[0].finish_reason != "stop":
        raise ValueError("the reply is not complete")
    plan = json.loads(reply.choices[0].message.content or "")
    tasks = plan.get("tasks") if isinstance(plan, dict) else None
    if not isinstance(tasks, list) or not tasks:
        raise ValueError("a plan needs tasks")
    for task in tasks:
        if not isinstance(task, dict) or type(task.get("title")) is not str or type(task.get("days")) is not int:
            raise ValueError("a task needs a title and a number of days")
    return tasks


def ask(goal: str) -> list[dict]:
    """Ask the model for the tasks; a reply that cannot be used is asked for again twice."""
    client = OpenAI()
    question = [{"role": "user", "content": f"Break down into tasks: {goal}"}]
    for _ in range(2):
        try:
            return checked(client.chat.completions.create(model="gpt-4o-mini", messages=question))
        except ValueError:
            time.sleep(1)
    return checked(client.chat.completions.create(model="gpt-4o-mini", messages=question))


def create(api: httpx.Client, task: dict, key: str) -> str:
    """Create one task and return its id; what may pass is tried again, with the same key."""
    for pause in (1, 2, 4, None):
        try:
            response = api.post("/tasks", json=task, headers={"Idempotency-Key": key})
            if response.status_code not in PASSING or pause is None:
                return response.raise_for_status().json()["id"]
        except httpx.TransportError:
            if pause is None:
                raise
        time.sleep(pause)


def pursue(goal: str, own: Path, token: str) -> int:
    """Plan a goal and create its tasks, or go on where an earlier start ended; return how many tasks there are."""
    headers = {"Authorization": f"Bearer {token}"}
    with closing(sqlite3.connect(own / "tasks.db")) as con, httpx.Client(base_url=BOARD, headers=headers) as api:
        con.execute(SCHEMA)
        if con.execute("SELECT count(*) FROM tasks").fetchone()[0] == 0:
            rows = [(task["title"], task["days"], str(uuid.uuid4())) for task in ask(goal)]
            with con:
                con.executemany("INSERT INTO tasks (title, days, key) VALUES (?, ?, ?)", rows)
        for n, title, days, key in con.execute("SELECT n, title, days, key FROM tasks WHERE made IS NULL").fetchall():
            made = create(api, {"title": title, "days": days}, key)
            with con:
                con.execute("UPDATE tasks SET made = ? WHERE n = ?", (made, n))
        return con.execute("SELECT count(*) FROM tasks").fetchone()[0]


def explore(chaos, tmp_path):
    """A goal becomes two tasks; the agent is started again after a breakdown."""
    own = tmp_path / "agent"
    own.mkdir()
    token = "board-token-c04e7d519a3f4b68"
    chaos.private(own)
    chaos.api(BOARD, token=token)
    chaos.llm({"Break down into tasks": json.dumps(PLAN)})
    return chaos.explore(run=lambda: pursue("solar power", own, token))
