"""After a timeout the agent looks whether its order arrived; a look that is answered by an error sees no order.

One fault does no harm. A lost answer and then an error of the service make the same order twice.
"""

import httpx

ORDERS = "https://api.supply.test/orders"
DEPTH = 2
FAULTS = ("process.kill", "http.timeout", "http.server_error")


def arrived(number):
    """Say whether the supplier has the order."""
    answer = httpx.get(ORDERS, params={"number": number}, timeout=10)
    return answer.status_code == 200 and bool(answer.json())


def order(number, arrived=arrived):
    """Order once: look first, and after a timeout look again."""
    if arrived(number):
        return "ordered"
    try:
        httpx.post(ORDERS, json={"number": number}, timeout=10).raise_for_status()
    except httpx.TimeoutException:
        if not arrived(number):
            httpx.post(ORDERS, json={"number": number}, timeout=10).raise_for_status()
    return "ordered"


BREAKS = {"all_or_nothing"}
CAUSES = ["twice: http.post:api.supply.test/orders in order"]


def explore(chaos, tmp_path, arrived=arrived):
    """A supplier; the supervisor starts the agent again."""
    chaos.api("https://api.supply.test")
    chaos.explore(run=lambda: order("A-7", arrived))
