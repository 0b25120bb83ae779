"""An agent that pays what a model says, with a bug. Knows nothing of chaos."""

import httpx
from keyvalue import Client

LEDGER, MODEL = "https://ledger.test/rpc", "https://api.openai.com/v1/chat/completions"


def pay(store: str) -> str:
    """Pay once: what was paid is remembered in the store, at ``host:port``."""
    memory = Client(store)
    if memory.get("paid") != "yes":
        cents = how_much("How much is due? " + "The invoice says so. " * 20)
        params = {"key": "invoice-7", "cents": cents}
        httpx.post(LEDGER, json={"method": "transfer", "params": params}).raise_for_status()
        memory.set("paid", "yes")
    return "paid"


def how_much(question: str) -> int:
    """Ask the model; where its account has no credit left, the bug guesses."""
    asked = {"model": "m", "messages": [{"role": "user", "content": question}]}
    answer = httpx.post(MODEL, json=asked, headers={"authorization": "Bearer key"})
    if answer.status_code == 429 and answer.json()["error"]["code"] == "insufficient_quota":
        return 999
    answer.raise_for_status()
    return int(answer.json()["choices"][0]["message"]["content"])
