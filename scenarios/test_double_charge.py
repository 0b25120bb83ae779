"""A shop's agent charges a customer at Stripe and writes the receipt; the answer is lost, and nobody pays twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import stripe
from rollproof import Chaos

ORDER = {"number": 7, "customer": "cus_ada", "cents": 4900}
KEY = "sk_test_ofTheShop4eC39HqLyjWDarjtT1zdp7dc"
ATTEMPTS = 3


def key_of(order: dict[str, object]) -> str:
    """Return the idempotency key: the order's own, so that each attempt has it, also that of another process."""
    return f"order-{order['number']}-charge"


def charge(order: dict[str, object]) -> stripe.PaymentIntent:
    """Charge an order; asks again where no answer came, which under the same key is safe."""
    payments = stripe.StripeClient(KEY, max_network_retries=0).v1.payment_intents
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return payments.create(
                {
                    "amount": int(str(order["cents"])),
                    "currency": "eur",
                    "customer": str(order["customer"]),
                    "payment_method": "pm_card_visa",
                    "confirm": True,
                    "metadata": {"order": str(order["number"])},
                },
                {"idempotency_key": key_of(order)},
            )
        except stripe.APIConnectionError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("not reached")


def sell(shared: Path) -> str:
    """Charge, then publish the receipt as a whole."""
    receipt = {"order": ORDER["number"], "paid": charge(ORDER).amount_received}
    draft = shared / "receipt.json.tmp"
    draft.write_text(json.dumps(receipt))
    os.replace(draft, shared / "receipt.json")
    return "sold"


@pytest.mark.chaos(epic="Payments", feature="Double charge")
def test_an_order_is_charged_once_and_has_its_receipt(chaos: Chaos, tmp_path: Path) -> None:
    """However often the agent asks and starts again, there is one charge, and one receipt of it."""
    shared = tmp_path / "receipts"
    shared.mkdir()
    chaos.watch(shared)
    bank = chaos.twin("stripe", KEY, seed={"customers": [{"id": "cus_ada", "email": "ada@example.com"}]})

    chaos.explore(run=lambda: sell(shared))

    (paid,) = bank.state["v1/charges"].values()
    assert (paid["amount"], paid["customer"], paid["status"]) == (4900, "cus_ada", "succeeded")
