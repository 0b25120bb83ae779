"""A request to Stripe, the objects that it is about, and Stripe's words for what is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..values.world import Row
from .answers import Refused
from .ready_service import ReadyService, State

PREFIXES = {
    "customers": "cus", "products": "prod", "prices": "price", "payment_methods": "pm", "payment_intents": "pi",
    "charges": "ch", "refunds": "re", "invoices": "in", "invoiceitems": "ii",
}  # fmt: skip
REQUIRED = {
    "products": ("name",), "prices": ("currency",), "payment_methods": ("type",), "invoices": ("customer",),
    "invoiceitems": ("customer",), "payment_intents": ("amount", "currency"), "charges": ("amount", "currency"),
}  # fmt: skip
DEFAULTS: Mapping[str, Row] = {
    "customers": {"email": None, "name": None, "description": None},
    "products": {"active": True, "description": None},
    "prices": {"active": True, "type": "one_time"},
    "payment_methods": {"customer": None},
    "payment_intents": {
        "status": "requires_payment_method", "amount": 0, "currency": "usd", "amount_received": 0,
        "latest_charge": None, "capture_method": "automatic", "customer": None, "payment_method": None,
        "description": None,
    },
    "charges": {
        "status": "succeeded", "amount": 0, "currency": "usd", "paid": True, "captured": True, "refunded": False,
        "amount_refunded": 0, "amount_captured": 0, "customer": None, "payment_intent": None, "description": None,
    },
    "refunds": {"reason": None},
    "invoices": {
        "status": "draft", "currency": "usd", "amount_paid": 0, "customer": None, "description": None,
        "collection_method": "charge_automatically",
    },
    "invoiceitems": {"amount": 0, "customer": None, "invoice": None, "description": None},
}  # fmt: skip
"""With all that is asked of an object that a test has given its id alone."""
OF_THE_CALL = ("confirm", "expand", "off_session", "return_url", "error_on_requires_action", "source", "capture")
CARDS = "_cards"
"""Where the state has the test cards that were attached, by the ids of their payment methods."""
_TEST_CARD = "pm_card_"
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")


@dataclass(frozen=True, slots=True)
class Declined:
    """A refusal by the bank of a test card.

    Attributes:
        code: of the error.
        reason: the bank's own code, or "".
        message: for a person.
    """

    code: str
    reason: str
    message: str

    def error(self, charge: str) -> Row:
        """Return the error, for the charge that failed."""
        reason = {"decline_code": self.reason} if self.reason else {}
        return {"type": "card_error", "code": self.code, **reason, "message": self.message, "charge": charge}


_CARD = "Your card was declined."
DECLINED = {
    "pm_card_visa_chargeDeclined": Declined("card_declined", "generic_decline", _CARD),
    "pm_card_chargeDeclined": Declined("card_declined", "generic_decline", _CARD),
    "pm_card_chargeCustomerFail": Declined("card_declined", "generic_decline", _CARD),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Declined("card_declined", "insufficient_funds", "No funds."),
    "pm_card_chargeDeclinedInsufficientFunds": Declined("card_declined", "insufficient_funds", "No funds."),
    "pm_card_visa_chargeDeclinedLostCard": Declined("card_declined", "lost_card", _CARD),
    "pm_card_visa_chargeDeclinedStolenCard": Declined("card_declined", "stolen_card", _CARD),
    "pm_card_chargeDeclinedExpiredCard": Declined("expired_card", "", "Your card has expired."),
    "pm_card_chargeDeclinedIncorrectCvc": Declined("incorrect_cvc", "", "The security code is not right."),
    "pm_card_chargeDeclinedProcessingError": Declined("processing_error", "", "The card could not be processed."),
}
"""The payment methods for tests that Stripe documents as declined; a token ``tok_…`` is the same card."""


def invalid(message: str, code: str, param: str = "", status: int = 400) -> tuple[int, Row]:
    """Return the answer to a request that asks for something impossible."""
    named = {"param": param} if param else {}
    return status, {"error": {"type": "invalid_request_error", "code": code, **named, "message": message}}


def missing(param: str) -> tuple[int, Row]:
    """Return the answer where a parameter is missing."""
    return invalid(f"Missing required param: {param}.", "parameter_missing", param)


def no_such(name: str, id: str, param: str, status: int) -> tuple[int, Row]:
    """Return the answer where an object of a collection is not there."""
    return invalid(f"No such {name[:-1].replace('_', ' ')}: '{id}'", "resource_missing", param, status)


def unexpected(intent: Row, what: str) -> tuple[int, Row]:
    """Return the answer where a payment intent is in no state for it."""
    status, answer = invalid(
        f"A payment intent that is {intent['status']}: nobody can {what}.", "payment_intent_unexpected_state"
    )
    answer["error"]["payment_intent"] = dict(intent)
    return status, answer


def refusal(status: int, reason: str) -> object:
    """Return Stripe's answer to a request that it does not look at."""
    match status:
        case 400:
            return invalid(reason or "Invalid request: a value is of a wrong type.", "parameter_invalid")
        case 401:
            return 401, {"error": {"type": "invalid_request_error", "message": reason or "Invalid API Key provided."}}
        case 429:
            return invalid(reason or "Request rate limit exceeded.", "rate_limit", "", 429)
    return status, {"error": {"type": "api_error", "message": reason or "An error occurred on Stripe's side."}}


@dataclass(frozen=True, slots=True)
class Call:
    """A request as its parameters, with what it is about.

    Attributes:
        service: makes ids and times.
        state: of the service.
        given: the parameters, with numbers and truth values as such.
        id: from the path, or "".
    """

    service: ReadyService
    state: State
    given: Row
    id: str

    def rows(self, name: str) -> dict[str, Row]:
        """Return the objects of a collection by id."""
        found: dict[str, Row] = self.state[f"v1/{name}"]
        return found

    def there(self, name: str) -> Row:
        """Return the object that the path names; refuses with 404 where there is none."""
        row = self.rows(name).get(self.id)
        if row is None:
            raise Refused(no_such(name, self.id, "id", 404))
        return row

    def check_references(self) -> None:
        """Refuse parameters that name objects which are not there."""
        for param in ("customer", "product", "invoice", "payment_intent", "charge", "price", "payment_method"):
            id, name = self.given.get(param) or "", f"{param}s"
            if not isinstance(id, str):
                raise Refused(invalid(f"Invalid string: {id}", "parameter_invalid", param))
            is_card = param == "payment_method" and id.startswith(_TEST_CARD)
            row = self.rows(name).get(id) if id and not is_card else {}
            if row is None or row.get("deleted"):
                raise Refused(no_such(name, str(id), param, 400))

    def check_amount(self) -> None:
        """Refuse a payment of nothing."""
        if self.given.get("amount") == 0:
            message = "This value must be greater than or equal to 1."
            raise Refused(invalid(message, "parameter_invalid_integer", "amount"))

    def card(self, method: str) -> str:
        """Return the test card that a payment method was when it was attached, else the method itself."""
        return str(self.state[CARDS].get(method, method))

    def create(self, name: str, **more: Any) -> Row:
        """Add an object of what was given and `more`; refuses where something is missing."""
        for param in REQUIRED.get(name, ()):
            if self.given.get(param) in (None, ""):
                raise Refused(missing(param))
        self.check_references()
        fields = {key: value for key, value in self.given.items() if key not in OF_THE_CALL}
        return self.add(name, {**fields, **more})

    def add(self, name: str, fields: Row) -> Row:
        """Add an object of these fields."""
        id = f"{PREFIXES[name]}_{self.service.hexadecimal(self.state, name)}"
        common = {"id": id, "object": name[:-1], "created": self.service.time(self.state), "livemode": False}
        row = {**common, "metadata": {}, **DEFAULTS[name], **fields}
        self.rows(name)[id] = row
        return row


Action = Callable[[Call], object]
"""What a request does; returns its answer."""
