"""Stripe: customers, payments, refunds and invoices, as the parts of its API that agents use most."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from operator import eq, ge, gt, le, lt
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ...values.epoch import MADE
from ...values.errors import ChaosError, shown
from ...values.http import HttpRequest, HttpResponse
from ...values.world import Row
from ..answers import Refused, response_of
from ..brackets import nested
from ..listing import page_behind
from ..ready_service import Provider, ReadyService, State, seeded
from ..rest import key_reused
from ..store import FirstAnswers, KeyReused
from ..stripe_calls import (
    CARDS,
    DEFAULTS,
    OF_THE_CALL,
    OPEN,
    PREFIXES,
    Action,
    Call,
    invalid,
    no_such,
    refusal,
    unexpected,
)
from ..stripe_invoices import POSTS as OF_INVOICES
from ..stripe_payments import POSTS as OF_PAYMENTS

_NUMBERS = ("amount", "unit_amount", "amount_to_capture", "quantity", "days_until_due")
_FILTERS = ("customer", "payment_intent", "charge", "email", "status", "product", "invoice", "active", "type")
_COMPARED: Mapping[str, Callable[[int, int], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le, "": eq}


def stripe(
    api_key: str | None = None, *, base_url: str = "https://api.stripe.com", seed: Mapping[str, Any] | None = None
) -> ReadyService:
    """Stripe: customers, products, prices, payment intents, charges, refunds, invoices; with idempotency keys.

    What is there for a person is what was not taken back: an intent that is cancelled, a charge that failed or is
    refunded as a whole, its refunds, and what is archived, void or deleted count as gone.

    Args:
        api_key: the only key that is accepted; None accepts each.
        base_url: where the client sends its requests.
        seed: what there is before the run: ``{"customers": [{"id": "cus_ada", "email": "ada@example.com"}]}``.
    """
    state: State = {f"v1/{name}": {} for name in PREFIXES}
    service = ReadyService(base_url, Provider(refusal, _live, _unknown), {**state, "_keys": {}, CARDS: {}}, api_key)
    for name in PREFIXES:
        _route(service, "GET", name, _lister(name))
        _route(service, "GET", f"{name}/{{id}}", _reader(name))
        _route(service, "POST", f"{name}/{{id}}", _updater(name))
    for path, action in _POSTS.items():
        _route(service, "POST", path, action)
    for name in ("customers", "products", "invoices", "invoiceitems"):
        _route(service, "DELETE", f"{name}/{{id}}", _deleter(name))
    begin = service.state
    for name, rows in (seed or {}).items():
        if name not in PREFIXES:
            raise ChaosError("bad-seed", f"{shown(name)} of stripe", f"one of {', '.join(PREFIXES)}")
        for row in seeded(rows, f"{name} of stripe", '[{"id": "cus_ada", "email": "ada@example.com"}]'):
            Call(service, begin, {}, "").add(name, row) if "id" not in row else _put(begin, name, row)
    service.begin_with(begin)
    return service


def _put(state: State, name: str, row: Row) -> None:
    state[f"v1/{name}"][row["id"]] = {"object": name[:-1], "created": MADE, "metadata": {}, **DEFAULTS[name], **row}


def _route(service: ReadyService, method: str, path: str, action: Action) -> None:
    def handler(request: HttpRequest, state: State, id: str = "") -> object:
        given = _parameters(request)
        call = Call(service, state, given, id)
        try:
            # A request that is refused before it begins, by Refused, does not use the key up.
            return FirstAnswers(state["_keys"]).answer(request, given, lambda: _expanded(call, action(call), path))
        except KeyReused as problem:
            return 400, {"error": {"type": "idempotency_error", "message": key_reused(problem.key)}}

    service.own_route(method, f"/v1/{path}", handler)


def _parameters(request: HttpRequest) -> Row:
    pairs = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    pairs += parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)
    return {name: _typed(name, value) for name, value in nested(pairs).items()}


def _typed(name: str, value: Any) -> Any:
    """Return a value as what it means: names of numbers have numbers."""
    if name in _NUMBERS:
        return _whole(value, name)
    if name == "metadata" or not isinstance(value, str):
        return value
    return {"true": True, "false": False}.get(value, value)


def _whole(value: Any, param: str) -> int:
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()):
        raise Refused(invalid(f"Invalid integer: {value}", "parameter_invalid_integer", param))
    return int(value)


def _expanded(call: Call, said: object, path: str) -> HttpResponse:
    """Return an answer with the objects in it whose fields the request wants expanded."""
    answer = response_of(said, path)
    wanted = call.given.get("expand") or []
    if not wanted or answer.status != 200:
        return answer
    document = answer.json()
    for path in wanted:
        _expand(call.state, document, path.split("."))
    return HttpResponse.of_json(200, document)


def _expand(state: State, row: Any, path: list[str]) -> None:
    if isinstance(row, list):
        for one in row:
            _expand(state, one, path)
    elif path and isinstance(row, dict) and path[0] in row:
        name, value = path[0], row[path[0]]
        if isinstance(value, str):
            found = (rows[value] for kind, rows in state.items() if kind.startswith("v1/") and value in rows)
            row[name] = deepcopy(next(found, value))
        _expand(state, row[name], path[1:])


def _lister(name: str) -> Action:
    def action(call: Call) -> object:
        wanted = {key: value for key, value in call.given.items() if key in _FILTERS}
        known = {*_FILTERS, "limit", "starting_after", "ending_before", "expand", "created"}
        for param in (one for one in call.given if one not in known):
            raise Refused(invalid(f"Received unknown parameter: {param}", "parameter_unknown", param))
        rows = [row for row in reversed(call.rows(name).values()) if not row.get("deleted")]
        rows = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
        rows = [row for row in rows if _is_of_time(row, call.given.get("created"))]
        size = str(call.given.get("limit", 10))
        if not size.isdigit() or not 1 <= int(size) <= 100:
            raise Refused(
                invalid(f"A limit is a number from 1 to 100, not {size}", "parameter_invalid_integer", "limit")
            )
        param = "ending_before" if "ending_before" in call.given else "starting_after"
        behind = call.given.get(param)
        ordered = rows[::-1] if param == "ending_before" else rows
        try:
            page, more = page_behind(ordered, int(size), (lambda row: row["id"] == behind) if behind else None)
        except ValueError:
            raise Refused(no_such(name, str(behind), param, 400)) from None
        page = page[::-1] if param == "ending_before" else page
        return {"object": "list", "data": page, "has_more": more, "url": f"/v1/{name}"}

    return action


def _is_of_time(row: Row, wanted: Any) -> bool:
    """Return whether an object was created when it is ``wanted``: at a second, or ``{"gte": …, "lt": …}``."""
    limits = wanted if isinstance(wanted, dict) else {} if wanted is None else {"": wanted}
    return all(_COMPARED[how](row["created"], _whole(value, "created")) for how, value in limits.items())


def _reader(name: str) -> Action:
    def action(call: Call) -> object:
        row = call.there(name)
        return _gone(row) if row.get("deleted") else row

    return action


def _updater(name: str) -> Action:
    def action(call: Call) -> object:
        row = call.there(name)
        if row.get("deleted"):
            raise Refused(no_such(name, call.id, "id", 404))
        if name == "payment_intents" and "amount" in call.given and row["status"] not in OPEN[:3]:
            raise Refused(unexpected(row, "update its amount"))
        if name == "payment_intents":
            call.check_amount()
        call.check_references()
        changed = {key: value for key, value in call.given.items() if key not in OF_THE_CALL}
        if name == "payment_intents" and changed.get("payment_method") and row["status"] == OPEN[0]:
            changed["status"] = OPEN[1]
        metadata = {**row["metadata"], **(changed.pop("metadata", None) or {})}
        row.update(changed, metadata={key: value for key, value in metadata.items() if value != ""})
        return row

    return action


def _deleter(name: str) -> Action:
    def action(call: Call) -> object:
        row = call.there(name)
        if name == "invoices" and row["status"] != "draft":
            raise Refused(invalid("Only an invoice that is a draft can be deleted.", "invoice_not_editable", "id"))
        if name == "customers":
            row["deleted"] = True
        else:
            del call.rows(name)[call.id]
        return _gone(row)

    return action


def _gone(row: Row) -> Row:
    return {"id": row["id"], "object": row["object"], "deleted": True}


def _creator(name: str) -> Action:
    return lambda call: call.create(name)


def _attach(call: Call) -> object:
    row = call.rows("payment_methods").get(call.id)
    if row is None and not call.id.startswith("pm_card_"):
        raise Refused(no_such("payment_methods", call.id, "payment_method", 400))
    call.check_references()
    if row is None:
        row = call.add("payment_methods", {"type": "card"})
        call.state[CARDS][row["id"]] = call.id
    row["customer"] = call.given.get("customer")
    return row


def _live(state: State) -> Mapping[str, Any]:
    charges = state["v1/charges"]
    names = [name for name in state if name.startswith("v1/")]
    there = {name: [row for row in state[name].values() if not _is_settled(row, charges)] for name in names}
    return {name: [_without_form(row) for row in rows] for name, rows in there.items()}


def _without_form(row: Row) -> Row:
    """Return an object without ``object``, which its collection tells, ``livemode`` and ``client_secret``."""
    return {key: value for key, value in row.items() if key not in ("object", "livemode", "client_secret")}


def _is_settled(row: Row, charges: Mapping[str, Row]) -> bool:
    """Return whether an object counts as gone: taken back, or never paid."""
    charge = charges.get(row.get("charge") or row.get("latest_charge") or "", {})
    match row["object"]:
        case "charge":
            return bool(row["refunded"] or row["status"] == "failed")
        case "payment_intent":
            return bool(row["status"] == "canceled" or charge.get("refunded"))
        case "refund":
            return bool(charge.get("refunded"))
        case "invoice":
            return bool(row["status"] == "void")
        case "product" | "price":
            return not row["active"]
    return bool(row.get("deleted"))


def _unknown(request: HttpRequest, state: State) -> object:
    message = f"Unrecognized request URL ({request.method}: {request.path})."
    return 404, {"error": {"type": "invalid_request_error", "message": message}}


_PLAIN = ("customers", "products", "prices", "payment_methods")
_POSTS: Mapping[str, Action] = {
    **{name: _creator(name) for name in _PLAIN},
    "payment_methods/{id}/attach": _attach,
    **OF_PAYMENTS,
    **OF_INVOICES,
}
