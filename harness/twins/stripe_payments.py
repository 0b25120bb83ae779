"""Stripe's payment intents, charges and refunds."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ..values.world import Row
from .answers import Refused
from .stripe_calls import DECLINED, OPEN, REQUIRED, Action, Call, invalid, missing, unexpected

_NO_METHOD = invalid("The payment intent has no payment method.", "payment_intent_unexpected_state")


def create_intent(call: Call) -> object:
    """Create a payment intent, and confirm it at once where that is asked."""
    method, at_once = call.given.get("payment_method"), call.given.get("confirm") is True
    if at_once and not method:
        raise Refused(_NO_METHOD)
    call.check_amount()
    status = "requires_confirmation" if method else "requires_payment_method"
    row = call.create("payment_intents", status=status, amount_received=0, latest_charge=None, last_payment_error=None)
    row["client_secret"] = f"{row['id']}_secret_{row['id'][-8:]}"
    return _pay(call, row) if at_once else row


def confirm(call: Call) -> object:
    """Charge a payment intent."""
    row = call.there("payment_intents")
    if row["status"] not in OPEN[:3]:
        raise Refused(unexpected(row, "confirm it"))
    call.check_references()
    return _pay(call, row)


def _pay(call: Call, row: Row) -> object:
    """Charge the payment method of an intent, and return the intent, or why it was declined."""
    method = call.given.get("payment_method") or row["payment_method"]
    if not method:
        raise Refused(_NO_METHOD)
    row["payment_method"] = method
    if call.card(method) == "pm_card_authenticationRequired":
        row.update(status="requires_action", next_action={"type": "use_stripe_sdk"})
        return row
    captured = row["capture_method"] != "manual"
    charge = charged(call, row, method, captured, payment_intent=row["id"])
    row["latest_charge"] = charge["id"]
    if charge["status"] == "failed":
        problem = DECLINED[call.card(method)].error(charge["id"])
        row.update(status="requires_payment_method", payment_method=None, last_payment_error=problem)
        return 402, {"error": {**problem, "payment_intent": deepcopy(row)}}
    row.update(status="succeeded" if captured else "requires_capture", last_payment_error=None)
    row["amount_received" if captured else "amount_capturable"] = row["amount"]
    return row


def charged(call: Call, of: Row, method: str, captured: bool, **more: Any) -> Row:
    """Add the charge of `of`, its amount and currency; it failed where the payment method is declined."""
    declined = DECLINED.get(call.card(method))
    taken = {key: of.get(key) for key in ("amount", "currency", "customer", "description", "metadata")}
    charge = {
        **taken,
        "metadata": dict(of.get("metadata") or {}),
        "payment_method": method,
        "amount_captured": of["amount"] if captured and not declined else 0,
        "amount_refunded": 0,
        "refunded": False,
        "captured": captured and not declined,
        "paid": not declined,
        "status": "failed" if declined else "succeeded",
        "failure_code": declined.code if declined else None,
    }
    return call.add("charges", {**charge, **more})


def capture_intent(call: Call) -> object:
    """Take the money that an intent has authorized."""
    row = call.there("payment_intents")
    if row["status"] != "requires_capture":
        raise Refused(unexpected(row, "capture it"))
    _capture(call, call.rows("charges")[row["latest_charge"]], "amount_to_capture")
    return row


def _capture(call: Call, charge: Row, param: str) -> None:
    """Take the money of a charge, or the part of it that a parameter says; its intent, if it has one, has succeeded."""
    amount = call.given.get(param, charge["amount"])
    if amount > charge["amount"]:
        raise Refused(invalid("More cannot be captured than is authorized.", "amount_too_large", param))
    charge.update(captured=True, amount_captured=amount)
    intent = call.rows("payment_intents").get(charge["payment_intent"])
    if intent is not None:
        intent.update(status="succeeded", amount_received=amount, amount_capturable=0)


def _release(call: Call, charge: Row) -> None:
    """Cancel the intent, if it has one, of a charge that was refunded before its money was taken."""
    intent = call.rows("payment_intents").get(charge["payment_intent"])
    if intent is not None:
        intent.update(status="canceled", amount_capturable=0)


def cancel(call: Call) -> object:
    """Cancel an intent; money that it has authorized is free again."""
    row = call.there("payment_intents")
    if row["status"] not in OPEN:
        raise Refused(unexpected(row, "cancel it"))
    if row["status"] == "requires_capture":
        call.rows("charges")[row["latest_charge"]].update(refunded=True, amount_refunded=row["amount"])
    row.update(status="canceled", cancellation_reason=call.given.get("cancellation_reason"), amount_capturable=0)
    return row


def create_charge(call: Call) -> object:
    """Charge without an intent."""
    for param in REQUIRED["charges"]:
        if param not in call.given:
            raise Refused(missing(param))
    call.check_amount()
    call.check_references()
    method = call.given.get("source") or call.given.get("payment_method") or call.given.get("customer")
    if not method:
        raise Refused(missing("source"))
    method = str(method).replace("tok_", "pm_card_")
    charge = charged(call, call.given, method, call.given.get("capture") is not False)
    return (402, {"error": DECLINED[call.card(method)].error(charge["id"])}) if charge["status"] == "failed" else charge


def capture_charge(call: Call) -> object:
    """Take the money that a charge has authorized."""
    charge = call.there("charges")
    if charge["captured"] or charge["refunded"] or charge["status"] == "failed":
        raise Refused(invalid("This charge has been captured or released already.", "charge_already_captured", ""))
    _capture(call, charge, "amount")
    return charge


def refund(call: Call) -> object:
    """Give a charge back, or a part of it."""
    call.check_references()
    intent = call.rows("payment_intents").get(call.given.get("payment_intent", ""), {})
    charge = call.rows("charges").get(call.given.get("charge") or intent.get("latest_charge") or "")
    if charge is None:
        raise Refused(missing("charge"))
    if charge["refunded"] or charge["status"] == "failed":
        raise Refused(invalid(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded", "charge"))
    paid = charge["amount_captured"] or charge["amount"]
    left = paid - charge["amount_refunded"]
    amount = call.given.get("amount", left)
    if not charge["captured"] and amount != left:
        message = "A part of a charge that is not captured cannot be refunded: capture less of it instead."
        raise Refused(invalid(message, "charge_not_captured", "amount"))
    if not 0 < amount <= left:
        message = f"The refund of {amount} is not within the {left} that is left of the charge."
        raise Refused(invalid(message, "charge_exceeds_source_limit", "amount"))
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == paid
    if not charge["captured"]:
        _release(call, charge)
    of = {"charge": charge["id"], "payment_intent": charge["payment_intent"], "currency": charge["currency"]}
    return call.create("refunds", **of, amount=amount, status="succeeded")


POSTS: Mapping[str, Action] = {
    "payment_intents": create_intent,
    "payment_intents/{id}/confirm": confirm,
    "payment_intents/{id}/capture": capture_intent,
    "payment_intents/{id}/cancel": cancel,
    "charges": create_charge,
    "charges/{id}/capture": capture_charge,
    "refunds": refund,
}
