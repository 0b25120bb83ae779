"""What a step made is logged by one thread while another one writes the checkpoint that the step is done.

The checkpoint waits a moment, and the log comes first, nearly always. When it does not, and the process dies then, the
next start takes the step for one that made nothing: an order is placed, and the customer is never told.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx

SHOP = "https://api.shop.test"
SETTLING_S = 0.1


def post(path, body):
    """Create something at the shop, once however often it is tried."""
    answer = httpx.post(f"{SHOP}/{path}", json=body, headers={"Idempotency-Key": f"run-7 {path}"}, timeout=10)
    return answer.raise_for_status().json()["id"]


def settled(checkpoint):
    """Leave the checkpoint's mark when nothing has come for a while."""
    time.sleep(SETTLING_S)
    checkpoint.touch()


def keep(log, checkpoint):
    """Leave the log's mark and the checkpoint's, and wait for both."""
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(log.touch), pool.submit(settled, checkpoint)]:
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
CAUSES = ["missing: http.post:api.shop.test/mails in post"]


def explore(chaos, tmp_path, keep=keep):
    """A shop, and a private folder with log and checkpoint; the supervisor starts the agent again."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api(SHOP)
    chaos.explore(run=lambda: work(own, keep))
