"""A model is asked which order a letter is about, and the order that it names is refunded, whichever that is.

The model knows all orders of the customer. Where it names another one, the schema holds, and the wrong
order is refunded.
"""

import json
import sqlite3
from contextlib import closing

from openai import OpenAI

SCHEMA = "CREATE TABLE orders (id TEXT PRIMARY KEY, cents INTEGER, state TEXT)"
ORDERS = [("ord_17", 1900), ("ord_18", 250), ("ord_19", 7400)]
LETTER = "My order ord_18 came broken. I want my money back."
TOOL = {
    "type": "function",
    "function": {
        "name": "refund",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string"}, "cents": {"type": "integer"}},
            "required": ["order_id", "cents"],
            "additionalProperties": False,
        },
    },
}


def ask_model(letter, orders):
    """Return the order that the model wants to refund, and how much."""
    listed = json.dumps([{"id": id, "cents": cents} for id, cents in orders])
    question = [{"role": "system", "content": f"Orders: {listed}"}, {"role": "user", "content": letter}]
    with OpenAI() as client:
        answer = client.chat.completions.create(model="gpt-5", messages=question, tools=[TOOL])
    return json.loads(answer.choices[0].message.tool_calls[0].function.arguments)


def is_meant(call, letter, orders):
    """Say whether a refund is the one that the letter asks for: nobody looks."""
    return True


def refund(letter, database, look):
    """Start or start again: an order is refunded once."""
    with closing(sqlite3.connect(database)) as connection, connection:
        orders = connection.execute("SELECT id, cents FROM orders").fetchall()
        if connection.execute("SELECT 1 FROM orders WHERE state = 'refunded'").fetchone():
            return "refunded"
        call = ask_model(letter, orders)
        if not look(call, letter, orders):
            raise ValueError(f"the letter does not ask for {call}")
        connection.execute(
            "UPDATE orders SET state = 'refunded', cents = ? WHERE id = ?", (call["cents"], call["order_id"])
        )
    return "refunded"


FAULTS = ("process.kill", "llm.plausible_value")
BREAKS = {"all_or_nothing", "honest_outcome"}
CAUSES = ["missing: llm.chat:api.openai.com in ask_model"]


def explore(chaos, tmp_path, look=is_meant):
    """One watched database of orders; the supervisor starts the agent again after a failure."""
    database = tmp_path / "orders.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(SCHEMA)
        connection.executemany("INSERT INTO orders VALUES (?, ?, 'paid')", ORDERS)
    chaos.watch(database)
    chaos.llm({LETTER: {"tool_calls": [{"name": "refund", "arguments": {"order_id": "ord_18", "cents": 250}}]}})
    chaos.explore(run=lambda: refund(LETTER, database, look))
