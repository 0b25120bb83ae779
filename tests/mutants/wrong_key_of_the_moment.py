"""A payment's idempotency key is the second in which it is sent: two attempts of one process share it, a restart's not.

A harness whose clock stands still, or that restarts in the same second, would miss it: the key would be the same.
"""

import os
from datetime import UTC, datetime

import httpx

PAYMENTS = "https://api.pay.test/payments"


def moment(own):
    """Return the second of this payment."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def pay(own, moment=moment):
    """Pay the rent, unless it is noted that it was paid."""
    if not (own / "paid").exists():
        at = moment(own)
        body = {"name": "rent", "cents": 95000, "at": at}
        httpx.post(PAYMENTS, json=body, headers={"Idempotency-Key": f"rent {at}"}, timeout=10).raise_for_status()
        os.close(os.open(own / "paid", os.O_CREAT | os.O_WRONLY))
    return "paid"


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill", "http.timeout")
CAUSES = ["twice: http.post:api.pay.test/payments in pay"]


def explore(chaos, tmp_path, moment=moment):
    """A payment service, and a private folder with the note; the supervisor starts the agent again after a failure."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.pay.test")
    chaos.explore(run=lambda: pay(own, moment))
