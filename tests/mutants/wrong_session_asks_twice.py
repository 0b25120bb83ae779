"""A conversation is kept in a database; a turn adds the question, asks the model, and adds the answer.

Whoever starts the turn again after a failure adds the question again: it stands in the session twice, for ever.
"""

import sqlite3
from contextlib import closing

from openai import OpenAI

QUESTION = "Which roof faces south?"


def add(session, role, text):
    """Add one item to the conversation."""
    with session:
        session.execute("INSERT INTO items (role, content) VALUES (?, ?)", (role, text))


def items(session):
    """Return the conversation."""
    rows = session.execute("SELECT role, content FROM items ORDER BY place")
    return [{"role": role, "content": content} for role, content in rows]


def ask(session):
    """Add the question to the conversation."""
    add(session, "user", QUESTION)


def turn(database, ask=ask):
    """Start the turn, or start it again where it was not answered."""
    with closing(sqlite3.connect(database)) as session, OpenAI() as client:
        said = items(session)
        if not said or said[-1]["role"] != "assistant":
            ask(session)
            answer = client.chat.completions.create(model="gpt-4o-mini", messages=items(session))
            choice = answer.choices[0]
            if choice.finish_reason != "stop" or choice.message.content != "The garage's.":
                raise ValueError("the model's answer is no roof of ours")
            add(session, "assistant", choice.message.content)
    return "answered"


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill",)
CAUSES = ["twice: sqlite.insert:session.db:items in add"]


def explore(chaos, tmp_path, ask=ask):
    """A watched database with the session; the supervisor starts the turn again after a failure."""
    database = tmp_path / "session.db"
    with closing(sqlite3.connect(database)) as session:
        session.execute("CREATE TABLE items (place INTEGER PRIMARY KEY, role TEXT, content TEXT)")
        session.commit()
    chaos.watch(database)
    chaos.llm({QUESTION: "The garage's."})
    chaos.explore(run=lambda: turn(database, ask))
