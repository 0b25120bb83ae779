"""A model's list of tickets that was cut off is "repaired" by closing the bracket, and filed as if it were whole.

After a truncated answer the first tickets stand in the database, the others never come, and the run says done.
"""

import json
import sqlite3
from contextlib import closing

from openai import OpenAI

PROMPT = "List the tickets agreed in the meeting"
SCHEMA = "CREATE TABLE tickets (meeting TEXT, place INTEGER, title TEXT, owner TEXT, PRIMARY KEY (meeting, place))"
REPLY = [
    {"title": "Order panels", "owner": "Ada"},
    {"title": "Call the installer", "owner": "Grace"},
    {"title": "Renew the permit", "owner": "Edsger"},
]


def parse(text):
    """Read the model's list; models forget a bracket now and then."""
    try:
        tickets = json.loads(text)
    except json.JSONDecodeError:
        tickets = json.loads(text[: text.rindex("}") + 1] + "]")
    for ticket in tickets:
        if not ticket["title"] or not ticket["owner"]:
            raise ValueError(f"a ticket without title or owner: {ticket}")
    return tickets


def ask_model(meeting):
    """Return the tickets that the model names."""
    question = [{"role": "user", "content": f"{PROMPT} {meeting}"}]
    with OpenAI() as client:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=question)
    return parse(answer.choices[0].message.content)


def file_tickets(meeting, database):
    """Start or start again: the place in the list makes filing twice harmless."""
    rows = [(meeting, place, ticket["title"], ticket["owner"]) for place, ticket in enumerate(ask_model(meeting))]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany("INSERT OR REPLACE INTO tickets VALUES (?, ?, ?, ?)", rows)
    return "tickets filed"


BREAKS = {"all_or_nothing", "honest_outcome"}
CAUSES = ["left over: llm.chat:api.openai.com in ask_model"]


def explore(chaos, tmp_path):
    """One watched database with its table; the supervisor starts the agent again after a failure."""
    database = tmp_path / "tickets.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(SCHEMA)
        connection.commit()
    chaos.watch(database)
    chaos.llm({PROMPT: json.dumps(REPLY)})
    chaos.explore(run=lambda: file_tickets("m-7", database))
