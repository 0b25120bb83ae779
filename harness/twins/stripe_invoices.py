"""Stripe's invoices and what stands on them."""

from collections.abc import Mapping

from ..values.world import Row
from .answers import Refused
from .stripe_calls import DECLINED, Action, Call, invalid
from .stripe_payments import charged


def create_item(call: Call) -> object:
    """Add an item to an invoice that is a draft, or to none yet."""
    call.check_references()
    price = call.rows("prices").get(call.given.get("price", ""), {})
    each = call.given.get("amount", price.get("unit_amount", 0))
    amount = each if "amount" in call.given else each * call.given.get("quantity", 1)
    invoice = call.rows("invoices").get(call.given.get("invoice", ""))
    if invoice is not None and invoice["status"] != "draft":
        raise Refused(invalid("Only an invoice that is a draft takes items.", "invoice_not_editable", "invoice"))
    return call.create("invoiceitems", amount=amount, currency=call.given.get("currency", "usd"))


def create_invoice(call: Call) -> object:
    """Create a draft, of items that wait where that is asked."""
    row = call.create("invoices", status="draft", currency=call.given.get("currency", "usd"), amount_paid=0)
    if call.given.get("pending_invoice_items_behavior") == "include":
        for item in call.rows("invoiceitems").values():
            if item["customer"] == row["customer"] and item["invoice"] is None:
                item["invoice"] = row["id"]
    return _with_total(call, row)


def _with_total(call: Call, row: Row) -> Row:
    items = [item for item in call.rows("invoiceitems").values() if item["invoice"] == row["id"]]
    total = sum(item["amount"] for item in items)
    row.update(total=total, amount_due=total, amount_remaining=total - row["amount_paid"])
    return row


def finalize(call: Call) -> object:
    """Make an open invoice of a draft."""
    row = call.there("invoices")
    if row["status"] != "draft":
        raise Refused(invalid("This invoice is already finalized.", "invoice_already_finalized", ""))
    row["status"] = "open"
    return _with_total(call, row)


def pay_invoice(call: Call) -> object:
    """Charge an invoice."""
    row = call.there("invoices")
    if row["status"] not in ("draft", "open"):
        raise Refused(invalid(f"The invoice is {row['status']}.", "invoice_not_editable", ""))
    call.check_references()
    customer = call.rows("customers")[row["customer"]]
    usual = (customer.get("invoice_settings") or {}).get("default_payment_method")
    method = str(call.given.get("payment_method") or row.get("default_payment_method") or usual or "")
    if not method:
        message = "This customer has no attached payment source or default payment method."
        raise Refused(invalid(message, "resource_missing", ""))
    total = _with_total(call, row)["total"]
    charge = charged(call, {**row, "amount": total}, method, True, invoice=row["id"])
    if charge["status"] == "failed":
        row["status"] = "open"
        return 402, {"error": DECLINED[call.card(method)].error(charge["id"])}
    row.update(status="paid", amount_paid=total, amount_remaining=0)
    return row


def void(call: Call) -> object:
    """Take an open invoice back."""
    row = call.there("invoices")
    if row["status"] != "open":
        raise Refused(invalid("Only an open invoice can be voided.", "invoice_not_editable", ""))
    row["status"] = "void"
    return row


POSTS: Mapping[str, Action] = {
    "invoiceitems": create_item,
    "invoices": create_invoice,
    "invoices/{id}/finalize": finalize,
    "invoices/{id}/pay": pay_invoice,
    "invoices/{id}/void": void,
}
