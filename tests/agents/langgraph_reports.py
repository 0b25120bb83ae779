"""A LangGraph graph that keeps its checkpoints in SQLite: write a report, mail it, note that it was mailed.

Built, started and resumed as LangGraph's documentation shows: `invoke(input)` at first, `invoke(None)` once a
checkpoint is there. `durability="sync"` is its documented mode in which a checkpoint is stored before the next
step starts.
"""

from typing import TypedDict

import httpx
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

MAILS = "https://api.mail.test/mails"


class State(TypedDict, total=False):
    """What the nodes hand on."""

    topic: str
    report: str
    mail: str


def write_report(state: State) -> State:
    """Write the report."""
    return {"report": f"All about {state['topic']}."}


def send_mail(state: State, headers: dict[str, str] | None = None) -> State:
    """Mail the report."""
    mail = {"to": "team@example.test", "text": state["report"]}
    answer = httpx.post(MAILS, json=mail, headers=headers, timeout=10).raise_for_status()
    return {"mail": answer.json()["id"]}


def send_mail_once(state: State) -> State:
    """Mail the report under a key that is the same on every attempt."""
    return send_mail(state, {"Idempotency-Key": f"report on {state['topic']}"})


def builder(send):
    """Return the graph: one node after the other."""
    graph = StateGraph(State)
    graph.add_node("write_report", write_report)
    graph.add_node("send_mail", send)
    graph.add_edge(START, "write_report")
    graph.add_edge("write_report", "send_mail")
    graph.add_edge("send_mail", END)
    return graph


def run(database, send):
    """Start the thread, or go on with it where a checkpoint is there."""
    config = {"configurable": {"thread_id": "solar"}}
    with SqliteSaver.from_conn_string(str(database)) as checkpointer:
        graph = builder(send).compile(checkpointer=checkpointer)
        begun = checkpointer.get_tuple(config) is not None
        return graph.invoke(None if begun else {"topic": "solar"}, config, durability="sync")["report"]
