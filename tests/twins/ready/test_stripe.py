"""Stripe's twin and Stripe's own SDK: payments, keys, pages, errors; and a charge that an exploration sees twice."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import stripe
from rollproof.scenarios import test_double_charge
from rollproof.testing import check_twin
from rollproof.twins.stripe_calls import PREFIXES
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest

from tests.exploring import explored, only, scenario

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
BASE = "https://api.stripe.com/v1"
SEED = {"customers": [{"id": "cus_ada", "email": "ada@example.com"}]}
PAYMENT: dict[str, Any] = {"amount": 1200, "currency": "eur", "customer": "cus_ada"}


def client(key: str = KEY, retries: int = 0) -> stripe.StripeClient:
    """Return the SDK's client."""
    return stripe.StripeClient(key, max_network_retries=retries)


def live(twin: Any) -> dict[str, list[dict[str, Any]]]:
    """Return what a person sees at Stripe, by the name of the collection."""
    return {name.removeprefix("api.stripe.com/v1/"): rows for name, rows in twin.describe(twin.save()).items()}


def refused(call: Any, *args: Any) -> stripe.StripeError:
    """Return the error of a call that Stripe refuses."""
    with pytest.raises(stripe.StripeError) as problem:
        call(*args)
    return problem.value


def test_a_payment_is_made_captured_cancelled_and_refunded(declared: Any) -> None:
    """What is taken back as a whole counts as gone, and the rest stays."""
    twin = declared("stripe", KEY, seed=SEED)
    v1 = client().v1
    assert v1.customers.retrieve("cus_ada").email == "ada@example.com"
    intent = v1.payment_intents.create({**PAYMENT, "metadata": {"order": "7"}})
    assert (intent.status, intent.metadata["order"], intent.id[:3]) == ("requires_payment_method", "7", "pi_")
    paid = v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa", "expand": ["latest_charge.customer"]}
    )
    assert (paid.status, paid.latest_charge.status, paid.latest_charge.customer.id) == (
        "succeeded",
        "succeeded",
        "cus_ada",
    )
    assert refused(v1.payment_intents.cancel, intent.id).code == "payment_intent_unexpected_state"
    held = {**PAYMENT, "payment_method": "pm_card_visa", "confirm": True, "capture_method": "manual"}
    second = v1.payment_intents.create(held)
    assert (second.status, second.amount_capturable) == ("requires_capture", 1200)
    assert v1.payment_intents.capture(second.id, {"amount_to_capture": 1000}).amount_received == 1000
    third = v1.payment_intents.create(held)
    assert v1.payment_intents.cancel(third.id).status == "canceled"
    part = v1.refunds.create({"payment_intent": intent.id, "amount": 200})
    assert [row["amount_refunded"] for row in live(twin)["charges"]] == [200, 0]
    assert [row["id"] for row in live(twin)["refunds"]] == [part.id]
    assert [row["id"] for row in live(twin)["payment_intents"]] == [intent.id, second.id]
    v1.refunds.create({"payment_intent": intent.id})
    v1.refunds.create({"payment_intent": second.id})
    assert live(twin).keys() == {"customers"}
    assert refused(v1.refunds.create, {"payment_intent": intent.id}).code == "charge_already_refunded"
    v1.customers.delete("cus_ada")
    assert (live(twin), v1.customers.retrieve("cus_ada").deleted) == ({}, True)
    charge = v1.charges.create({"amount": 500, "currency": "usd", "source": "tok_visa", "capture": False})
    assert (charge.captured, v1.charges.capture(charge.id).captured) == (False, True)


def test_a_card_is_declined_as_documented(declared: Any) -> None:
    """The intent stays, to be tried with another card; the failed charge counts as none."""
    twin = declared("stripe", seed=SEED)
    v1 = client().v1
    card = {"payment_method": "pm_card_visa_chargeDeclined", "confirm": True}
    problem = refused(v1.payment_intents.create, {**PAYMENT, **card}, {"idempotency_key": "order-7"})
    assert isinstance(problem, stripe.CardError)
    assert (problem.code, problem.http_status) == ("card_declined", 402)
    again = refused(v1.payment_intents.create, {**PAYMENT, **card}, {"idempotency_key": "order-7"})
    assert (again.headers or {}).get("idempotent-replayed") == "true"
    (intent,) = live(twin)["payment_intents"]
    assert (intent["status"], "charges" in live(twin)) == ("requires_payment_method", False)
    assert v1.payment_intents.confirm(intent["id"], {"payment_method": "pm_card_visa"}).status == "succeeded"
    source = {"amount": 500, "currency": "usd", "source": "tok_chargeDeclinedExpiredCard"}
    assert refused(v1.charges.create, source).code == "expired_card"


def test_idempotency_keys_are_kept(declared: Any) -> None:
    """The same request has the first answer, another one under the same key is refused, a refused one uses none up."""
    declared("stripe", seed=SEED)
    v1, key = client().v1, {"idempotency_key": "order-7"}
    assert refused(v1.payment_intents.create, {"currency": "eur"}, key).code == "parameter_missing"
    first = v1.payment_intents.create(PAYMENT, key)
    again = v1.payment_intents.create(PAYMENT, key)
    assert (again.id, again.last_response.headers["idempotent-replayed"]) == (first.id, "true")
    assert "idempotent-replayed" not in first.last_response.headers
    other = refused(v1.payment_intents.create, {**PAYMENT, "amount": 1}, key)
    assert (type(other), other.http_status) == (stripe.IdempotencyError, 400)
    assert len(v1.payment_intents.list().data) == 1


def test_lists_have_pages_and_filters(declared: Any) -> None:
    """Newest first; the SDK goes through all pages, and a parameter that nobody knows is refused."""
    declared("stripe", seed=SEED)
    v1 = client().v1
    ids = [v1.products.create({"name": f"Thing {number}"}).id for number in range(5)]
    page = v1.products.list({"limit": 2})
    assert ([one.id for one in page.data], page.has_more) == ([ids[4], ids[3]], True)
    assert [one.id for one in page.auto_paging_iter()] == ids[::-1]
    before = v1.products.list({"limit": 2, "ending_before": ids[1]})
    assert [one.id for one in before.data] == [ids[3], ids[2]]
    assert refused(v1.products.list, {"starting_after": "prod_none"}).code == "resource_missing"
    assert refused(v1.products.list, {"colour": "red"}).code == "parameter_unknown"
    price = v1.prices.create({"product": ids[0], "currency": "eur", "unit_amount": 300})
    assert [one.id for one in v1.prices.list({"product": ids[0], "expand": ["data.product"]}).data] == [price.id]
    assert v1.prices.update(price.id, {"active": False, "metadata": {"a": "1"}}).metadata["a"] == "1"
    assert v1.customers.list({"email": "bob@example.com"}).data == []


def test_invoices_are_made_of_items(declared: Any) -> None:
    """A draft is finalized and paid by the customer's method, or voided."""
    twin = declared("stripe", seed=SEED)
    v1 = client().v1
    v1.customers.update("cus_ada", {"invoice_settings": {"default_payment_method": "pm_card_visa"}})
    invoices = [v1.invoices.create({"customer": "cus_ada"}) for _ in range(3)]
    for invoice in invoices:
        v1.invoice_items.create({"customer": "cus_ada", "invoice": invoice.id, "amount": 400, "currency": "eur"})
    assert v1.invoices.pay(invoices[0].id).amount_paid == 400
    assert v1.invoices.finalize_invoice(invoices[1].id).amount_due == 400
    assert v1.invoices.void_invoice(invoices[1].id).status == "void"
    assert v1.invoices.delete(invoices[2].id).deleted
    assert [row["status"] for row in live(twin)["invoices"]] == ["paid"]
    assert [row["amount"] for row in live(twin)["charges"]] == [400]


def test_errors_have_stripes_words(declared: Any) -> None:
    """What is not there, a wrong key, a number that is none, an address that nobody has."""
    twin = declared("stripe", KEY)
    v1 = client().v1
    problem = refused(v1.customers.retrieve, "cus_none")
    assert isinstance(problem, stripe.InvalidRequestError)
    assert (problem.http_status, problem.code, problem.param) == (404, "resource_missing", "id")
    assert refused(v1.payment_intents.create, PAYMENT).code == "resource_missing"
    assert refused(v1.payment_intents.create, {"amount": "much", "currency": "eur"}).code == "parameter_invalid_integer"
    assert isinstance(refused(client("sk_test_other").v1.customers.list), stripe.AuthenticationError)
    assert refused(v1.coupons.list).http_status == 404
    limited = twin.refuse(HttpRequest("GET", BASE), 429, {"retry-after": "Thu, 15 Jan 2026 00:00:00 GMT"})
    assert (limited.json()["error"]["code"], limited.headers["retry-after"]) == ("rate_limit", "2")
    for seed in ({"orders": []}, {"customers": "ada"}):
        with pytest.raises(ChaosError, match="of stripe"):
            declared("stripe", base_url="https://stripe.test", seed=seed)


def test_a_card_that_was_attached_is_the_card_that_it_was(declared: Any) -> None:
    """It is declined, and asked for again, whatever its new id; one that is unknown, and a payment of 0, are errors."""
    declared("stripe", seed=SEED)
    v1 = client().v1
    bad, good = (
        v1.payment_methods.attach(card, {"customer": "cus_ada"}).id
        for card in ("pm_card_chargeCustomerFail", "pm_card_visa")
    )
    intent = v1.payment_intents.create(PAYMENT)
    assert v1.payment_intents.update(intent.id, {"payment_method": bad}).status == "requires_confirmation"
    assert refused(v1.payment_intents.confirm, intent.id).code == "card_declined"
    assert v1.payment_intents.confirm(intent.id, {"payment_method": good}).status == "succeeded"
    assert refused(v1.payment_intents.create, {**PAYMENT, "payment_method": "pm_none"}).code == "resource_missing"
    for create in (v1.payment_intents.create, v1.charges.create):
        assert refused(create, {**PAYMENT, "amount": 0}).param == "amount"


def test_money_is_captured_once(declared: Any) -> None:
    """By the charge, which its intent shows; more than is authorized, and a failed charge, cannot be captured."""
    declared("stripe", seed=SEED)
    v1 = client().v1
    held = {**PAYMENT, "payment_method": "pm_card_visa", "confirm": True, "capture_method": "manual"}
    intent = v1.payment_intents.create(held)
    assert refused(v1.charges.capture, intent.latest_charge, {"amount": 1201}).code == "amount_too_large"
    v1.charges.capture(intent.latest_charge, {"amount": 1000})
    seen = v1.payment_intents.retrieve(intent.id)
    assert (seen.status, seen.amount_received) == ("succeeded", 1000)
    assert refused(v1.payment_intents.capture, intent.id).code == "payment_intent_unexpected_state"
    refused(v1.payment_intents.create, {**held, "payment_method": "pm_card_chargeDeclined"})
    assert refused(v1.charges.capture, v1.charges.list().data[0].id).code == "charge_already_captured"
    intent = v1.payment_intents.create(held)
    assert refused(v1.refunds.create, {"payment_intent": intent.id, "amount": 1}).code == "charge_not_captured"
    v1.refunds.create({"payment_intent": intent.id})
    assert v1.payment_intents.retrieve(intent.id).status == "canceled"
    assert refused(v1.payment_intents.capture, intent.id).code == "payment_intent_unexpected_state"
    assert refused(v1.charges.capture, intent.latest_charge).code == "charge_already_captured"


@pytest.mark.parametrize("name", PREFIXES)
def test_what_is_seeded_by_its_id_alone_is_there(name: str, declared: Any) -> None:
    """Each collection can hold it, show it and list it, as created an hour before the run."""
    twin = declared("stripe", seed={name: [{"id": "x_1"}]})
    assert [row["id"] for row in live(twin)[name]] == ["x_1"]
    assert twin.handle(HttpRequest("GET", f"{BASE}/{name}/x_1")).json()["id"] == "x_1"
    for query, ids in (("created[gte]=1768464000", ["x_1"]), ("created[gt]=1768464000", [])):
        listed = twin.handle(HttpRequest("GET", f"{BASE}/{name}?{query}")).json()
        assert [row["id"] for row in listed["data"]] == ids


def test_values_of_a_wrong_type_are_refused(declared: Any) -> None:
    """Lists where texts and numbers are meant; of two unknown parameters the first one is told."""
    twin = declared("stripe", KEY, seed=SEED)
    v1, before = client().v1, twin.state
    wrong: list[dict[str, Any]] = [{"amount": ["1"]}, {"customer": ["cus_ada"]}, {"payment_method": {"a": "b"}}]
    assert [refused(v1.payment_intents.create, {**PAYMENT, **one}).http_status for one in wrong] == [400] * 3
    assert refused(v1.customers.update, "cus_ada", {"metadata": "x"}).http_status == 400
    assert refused(v1.customers.list, {"z": 1, "a": 2, "m": 3}).param == "z"
    assert (twin.state, twin.own_secrets) == (before, {"the token of https://api.stripe.com": KEY})


def test_it_is_a_twin(declared: Any) -> None:
    """It keeps the contract of every twin; another run has other ids and times."""
    twin = declared("stripe", seed=SEED)
    form = {"content-type": "application/x-www-form-urlencoded", "idempotency-key": "k"}
    request = HttpRequest("POST", f"{BASE}/customers", form, b"email=a&metadata[1]=x&preferred_locales[0]=de")
    check_twin(twin, request)
    before, made = twin.save(), twin.handle(HttpRequest("POST", f"{BASE}/customers")).json()
    assert twin.target(request) == "api.stripe.com/v1/customers"
    twin.restore(before)
    twin.set_run(7)
    other = twin.handle(HttpRequest("POST", f"{BASE}/customers")).json()
    assert (other["id"] != made["id"], other["created"] > made["created"]) == (True, True)
    assert live(twin)["customers"][1]["preferred_locales"] == ["de"]


@pytest.mark.parametrize("right", [False, True])
def test_an_exploration_sees_a_second_charge(right: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The answer is lost, and the shop asks again: with a new key it is paid twice, with the order's key once."""
    if not right:
        monkeypatch.setattr(test_double_charge, "key_of", lambda order: str(uuid.uuid4()))
    shop = scenario("double_charge", "test_an_order_is_charged_once_and_has_its_receipt")
    result = explored(
        shop, tmp_path / "it", **only("http.timeout", *["http.rate_limited", "credentials.revoked"] * right)
    )
    assert result.errors == ()
    assert {cell.point for cell in result.cells} == {"http.post:api.stripe.com/v1/payment_intents#1"}
    titles = [finding.title for finding in result.violations]
    assert ("Charge '7' is made twice" in titles, bool(titles)) == (not right, not right), titles
