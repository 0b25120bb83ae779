"""What a step made is logged by one thread while another one writes the checkpoint that the step is done.

The log is the faster one, nearly always. When the checkpoint is, and the process dies then, the next start takes the
step for one that made nothing: an order is placed, and the customer is never told.
"""

from concurrent.futures import ThreadPoolExecutor

import httpx

SHOP = "https://api.shop.test"


def post(path, body):
    """Create something at the shop, once however often it is tried."""
    answer = httpx.post(f"{SHOP}/{path}", json=body, headers={"Idempotency-Key": f"run-7 {path}"}, timeout=10)
    return answer.raise_for_status().json()["id"]


def keep(*marks):
    """Leave the log's mark and the checkpoint's, and wait for both."""
    with ThreadPoolExecutor(len(marks)) as pool:
        for done in [pool.submit(mark.touch) for mark in marks]:
            done.result()


def work(own, keep=keep):
    """Order what is not ordered; tell the customer of what the log says that was ordered."""
    if not (own / "ordered").exists():
        number = post("orders", {"item": "panel"})
        keep(own / f"log-{number}", own / "ordered")
    for entry in own.glob("log-*"):
        post("mails", {"about": entry.name.removeprefix("log-")})
    return "ordered"


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill",)


def explore(chaos, tmp_path, keep=keep):
    """A shop, and a private folder with log and checkpoint; the supervisor starts the agent again."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SHOP)
    chaos.explore(run=lambda: work(own, keep))
