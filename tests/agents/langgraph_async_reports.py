"""The same graph as in `langgraph_reports`, asynchronous and as LangGraph stores it by default.

Built, started and resumed as LangGraph's documentation shows: `AsyncSqliteSaver`, `ainvoke(input)` at first,
`ainvoke(None)` once a checkpoint is there. Without a `durability` a checkpoint is stored while the next step runs
already, by aiosqlite's own thread.
"""

import httpx
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from .langgraph_reports import MAILS, State, builder


async def send_mail(state: State, headers: dict[str, str] | None = None) -> State:
    """Mail the report."""
    mail = {"to": "team@example.test", "text": state["report"]}
    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.post(MAILS, json=mail, headers=headers)
    return {"mail": answer.raise_for_status().json()["id"]}


async def send_mail_once(state: State) -> State:
    """Mail the report under a key that is the same on every attempt."""
    return await send_mail(state, {"Idempotency-Key": f"report on {state['topic']}"})


async def run(database, send):
    """Start the thread, or go on with it where a checkpoint is there."""
    config = {"configurable": {"thread_id": "solar"}}
    async with AsyncSqliteSaver.from_conn_string(str(database)) as checkpointer:
        graph = builder(send).compile(checkpointer=checkpointer)
        begun = await checkpointer.aget_tuple(config) is not None
        return (await graph.ainvoke(None if begun else {"topic": "solar"}, config))["report"]
