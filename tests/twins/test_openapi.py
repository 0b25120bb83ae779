"""Services that an OpenAPI document answers for: what clients meet, and what openapi-core says of each answer."""

import json
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import openapi_core
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_core.testing import MockRequest, MockResponse
from rollproof.testing import check_twin
from rollproof.twins.handled import HandledService
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse

from tests.exploring import explored, only

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
DOCUMENTS = Path(__file__).parent / "openapi"
DOCS = Path(__file__).parents[2] / "docs" / "services.md"
SHOP, PAY, TRACKER = "https://shop.test/v1", "https://pay.test", "https://tracker.test/api"
OF = {SHOP: "shop.yaml", PAY: "payments.yaml", TRACKER: "tracker.yaml"}
ADA = {"name": "Ada", "email": "ada@shop.test"}
BEARER = {"authorization": "Bearer sk_test"}


@cache
def document(base: str) -> openapi_core.OpenAPI:
    """Return the document of a service, read by openapi-core itself."""
    config = openapi_core.Config(extra_media_type_deserializers={"application/problem+json": json.loads})
    return openapi_core.OpenAPI.from_file_path(str(DOCUMENTS / OF[base]), config=config)


def service(base: str = SHOP, **given: Any) -> HandledService:
    """Return a service by its document."""
    return HandledService(base, DOCUMENTS / OF[base], **given)


class Client:
    """Sends requests to a service, and has openapi-core check each answer against the document."""

    def __init__(self, twin: HandledService, **headers: str) -> None:
        self.twin, self.headers = twin, headers

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Return status and content of an answer; `body` is sent as JSON, or as a form where it is a text."""
        content = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
        kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
        sent = {**self.headers, **({} if body is None else {"content-type": kind}), **headers}
        request = HttpRequest(method, f"{self.twin.base_url}{path}", sent, content)
        answer = self.twin.handle(request)
        if method != "HEAD":
            check(self.twin.base_url, request, answer)
        return answer.status, json.loads(answer.body) if answer.body else None


def check(base: str, request: HttpRequest, answer: HttpResponse) -> None:
    """Raise where the document does not allow an answer."""
    parts = urlsplit(request.url)
    asked = MockRequest(f"https://{request.host}", request.method, parts.path, args=dict(parse_qsl(parts.query)))
    kind = answer.headers.get("content-type", "")
    document(base).validate_response(asked, MockResponse(answer.body, answer.status, dict(answer.headers), kind))


def test_real_clients_meet_a_service_with_a_state(serve: Serve) -> None:
    """What was sent is kept, what is missing is made, and what does not fit is refused in the document's own words."""
    twin = service(state={"users": [{"id": "7b2f1e2e-0000-4000-8000-000000000001", **ADA}]})
    serve(twin.handle)
    bo = httpx.post(f"{SHOP}/users", json={"name": "Bo", "email": "bo@shop.test", "password": "secret"})
    assert (bo.status_code, bo.headers["location"]) == (201, f"/v1/users/{bo.json()['id']}")
    assert bo.json() | {"id": ""} == {
        "id": "",
        "name": "Bo",
        "email": "bo@shop.test",
        "role": "member",
        "created_at": "2024-01-01T00:00:00Z",
    }
    refused = httpx.post(f"{SHOP}/users", json={"name": "Bo"})
    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
    assert "'email' is a required property" in refused.json()["title"]
    assert httpx.get(f"{SHOP}/nothing").json()["title"] == "There is nothing at /v1/nothing"
    not_allowed = httpx.patch(f"{SHOP}/users")
    assert (not_allowed.status_code, not_allowed.headers["allow"]) == (405, "GET, POST")
    rows = twin.describe(twin.save())["shop.test/v1/users"]
    assert [(row["name"], row.get("password")) for row in rows] == [("Ada", None), ("Bo", "secret")]
    assert list(twin.state) == ["users"]
    assert [request.method for request in twin.requests] == ["POST", "POST", "GET", "PATCH"]


def test_things_are_read_changed_and_taken_away() -> None:
    """By their path; PUT takes away what was not sent, and what no client may write stays. Parts go with the whole."""
    client = Client(service())
    _, ada = client("POST", "/users", ADA | {"role": "admin"})
    user = f"/users/{ada['id']}"
    assert client("GET", user) == (200, ada)
    assert client("HEAD", user) == (200, None)
    assert client("PUT", user, ada | {"name": "Ada L", "id": "7b2f1e2e-0000-4000-8000-000000000009"})[1] == ada | {
        "name": "Ada L"
    }
    assert client("PUT", user, ADA)[1]["role"] == "member"
    assert client("POST", f"{user}/orders", {"amount": 3, "note": None})[0] == 422
    made = {"id": 1, "user_id": ada["id"], "amount": 3, "status": "open"}
    assert client("POST", f"{user}/orders", {"amount": 3}) == (201, made)
    assert client("GET", f"{user}/orders") == (200, [made])
    assert client("POST", f"{user}/orders/1/cancel") == (200, made | {"status": "cancelled"})
    assert client("GET", f"{user}/orders/x")[0] == 400
    rows = client.twin.describe(client.twin.save())["shop.test/v1/users/*/orders"]
    assert rows == [made | {"status": "cancelled", "users id": ada["id"]}]
    assert client("DELETE", user) == (204, None)
    assert (
        client("GET", user) == (404, {"title": text, "status": 404, "detail": text})
        if (text := f"There is no user {ada['id']!r}.")
        else None
    )
    assert client("GET", f"{user}/orders")[0] == 404
    assert client("POST", "/users", ADA)[1]["id"] != ada["id"], "no id is used twice"
    assert client("GET", "/me")[1]["role"] == "member"


def test_lists_have_the_documents_shape_and_pages() -> None:
    """With what stands around them; parameters that are properties filter, and the document's default cuts."""
    client = Client(service(state={"users": {f"7b2f1e2e-0000-4000-8000-00000000000{n}": ADA for n in range(3)}}))
    _, page = client("GET", "/users")
    assert (len(page["data"]), page["has_more"], page["total"]) == (2, True, 3)
    assert page["next_cursor"] == page["data"][-1]["id"]
    _, last = client("GET", f"/users?cursor={page['next_cursor']}")
    assert (len(last["data"]), last["has_more"], last["next_cursor"]) == (1, False, None)
    assert client("GET", "/users?cursor=gone")[0] == 400
    assert client("GET", "/users?role=admin")[1]["data"] == []
    tracker = Client(service(TRACKER))
    for n in range(3):
        tracker("POST", "/projects/p/tickets", {"ticket": {"title": f"t{n}", "kind": "task"}})
    _, page = tracker("GET", "/projects/p/tickets")
    assert page["meta"] == {"total": 3, "page": 1, "next": f"{TRACKER}/projects/p/tickets?page=2"}
    assert tracker("POST", "/projects/p/tickets/3/close") == (204, None)
    assert [one["number"] for one in tracker("GET", "/projects/p/tickets")[1]["tickets"]] == [1, 2]
    assert tracker("GET", "/projects/p/tickets?state=all&page=2&per_page=2")[1]["tickets"][0]["state"] == "closed"


def test_a_document_in_the_style_of_a_payment_service() -> None:
    """Forms, expandable objects, ids by a pattern, headers that must be there, POST as change, an action, a key."""
    client = Client(service(PAY, state={"v1/customers": {"cus_1": {}}}), **BEARER)
    form = "amount=5&currency=usd&metadata[order]=o1&capture=true"
    status, charge = client("POST", "/v1/charges", form, **{"idempotency-key": "k"})
    assert (status, charge["amount"], charge["metadata"], charge["billing"]) == (
        200,
        5,
        {"order": "o1"},
        {"email": None, "parent": None},
    )
    assert client("POST", "/v1/charges", form, **{"idempotency-key": "k"}) == (200, charge)
    assert client("POST", "/v1/charges", "amount=6&currency=usd", **{"idempotency-key": "k"})[0] == 409
    path = f"/v1/charges/{charge['id']}"
    assert client("POST", path, "description=new")[1] == charge | {"description": "new"}
    assert client("POST", f"{path}/refund")[1]["refunded"] is True
    assert client("POST", f"{path}/refund")[1]["refunded"] is True
    assert client("POST", f"{path}/notes", {"text": "a"}) == (204, None)
    assert client("POST", f"{path}/notes", {"text": "a"}) == (204, None)
    rows = client.twin.describe(client.twin.save())
    assert {name: len(some) for name, some in rows.items()} == {
        "pay.test/v1/charges": 1,
        "pay.test/v1/charges/*/notes": 2,
        "pay.test/v1/customers": 1,
    }
    assert "pay.test/idempotency-keys" in client.twin.full_state(client.twin.save())
    _, listed = client("GET", "/v1/charges?limit=1&expand[]=data.customer")
    assert listed | {"data": []} == {"data": [], "has_more": False, "object": "list", "url": "/v1/charges"}
    assert client("POST", "/v1/charges", "amount=0&currency=usd")[1]["error"]["type"] == "invalid_request_error"
    assert client("DELETE", "/v1/customers/cus_1")[1] == {"id": "cus_1", "object": "customer", "deleted": True}
    assert Client(client.twin)("GET", path)[0] == 401


def test_a_document_in_several_files_with_kinds_of_things() -> None:
    """3.1: discriminators, wrapped bodies, numbers within limits, what is there or not, and what leaves nothing."""
    client = Client(service(TRACKER))
    bug = {"kind": "bug", "severity": 2, "title": "t"}
    status, made = client("POST", "/projects/p/tickets", {"ticket": bug})
    assert (status, made["ticket"] | {"token": ""}) == (
        201,
        {"number": 1, "token": "", "state": "open", "author": "robot", **bug},
    )
    assert client("POST", "/projects/p/tickets", {"ticket": bug | {"severity": 5}})[0] == 422
    assert client("POST", "/projects/p/tickets", {"ticket": bug | {"kind": "idea"}})[0] == 422
    status, refused = client("PATCH", "/projects/p/tickets/9", {"ticket": {"title": "n"}})
    assert (status, refused["errors"]) == (404, [{"message": "There is no ticket '9'."}])
    client("PATCH", "/projects/p/tickets/1", {"ticket": {"labels": ["x"]}})
    assert client("GET", "/projects/p/tickets/1")[1]["ticket"]["labels"] == ["x"]
    client("POST", "/projects/p/tickets/1/close")
    client("DELETE", "/projects/p/tickets/1/close")
    assert client("GET", "/projects/p/tickets/1")[1]["ticket"]["state"] == "open"
    assert client("DELETE", "/projects/p/tickets/1") == (202, {"ok": True})
    assert client("GET", "/projects/p/settings") == (200, {"theme": "dark", "size": 4})
    client("PUT", "/projects/p/settings", {"theme": "light", "size": 8})
    assert client("GET", "/projects/p/settings") == (200, {"theme": "light", "size": 8})
    before = client.twin.save()
    assert client("POST", "/search", {"query": "x"})[0] == 200
    assert client.twin.save() == before
    assert client("PUT", "/starred/p") == (204, None)
    assert client("GET", "/starred/p") == (204, None)
    assert client("DELETE", "/starred/p") == (204, None)
    assert client.twin.handle(HttpRequest("GET", f"{TRACKER}/starred/p")).status == 404


OPERATIONS = [
    (base, path, method)
    for base in OF
    for path, item in document(base).spec.read_value()["paths"].items()
    for method in item
    if method != "parameters"
]
SCALARS = st.sampled_from([None, True, 0, 3, 2.5, "", "ada", "ada@shop.test", "2024-02-30", "bug", "open", [], {}])
NAMES = [
    "id",
    "name",
    "email",
    "role",
    "amount",
    "currency",
    "note",
    "title",
    "kind",
    "severity",
    "theme",
    "size",
    "text",
]
BODIES = st.sampled_from(
    [ADA, {"amount": 3, "currency": "eur"}, {"ticket": {"title": "t", "kind": "task"}}, {"theme": "dark", "size": 8}]
) | st.dictionaries(st.sampled_from([*NAMES, "ticket"]), SCALARS | st.dictionaries(st.sampled_from(NAMES), SCALARS))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(OF)), st.lists(st.tuples(st.integers(0, 99), st.integers(0, 2), BODIES), max_size=6))
def test_no_answer_violates_the_document(base: str, steps: list[tuple[int, int, Any]]) -> None:
    """Whatever is asked in whatever order, refusals included; and the same requests lead to the same state."""
    operations = [(path, method) for one, path, method in OPERATIONS if one == base]
    states = []
    for _ in range(2):
        client = Client(service(base), **BEARER)
        for which, thing, body in steps:
            path, method = operations[which % len(operations)]
            ids = [key for rows in client.twin.state.values() for key in rows]
            for name in ("userId", "orderId", "charge", "customer", "project", "ticket_number"):
                path = path.replace(f"{{{name}}}", ids[thing % len(ids)] if ids and thing else "1")
            is_form = base == PAY and method == "post" and not path.endswith("notes")
            client(method.upper(), path, None if method in ("get", "delete") else urlencode(body) if is_form else body)
        states.append(client.twin.save())
    assert states[0] == states[1]


def test_it_is_a_twin_whose_points_are_templates() -> None:
    """Also where the document's server has a path that the base URL leaves out."""
    request = HttpRequest("POST", f"{SHOP}/users", {"content-type": "application/json"}, json.dumps(ADA).encode())
    check_twin(service(), request)
    orders = HttpRequest("POST", f"{SHOP}/users/ada/orders")
    assert service().target(orders) == "shop.test/v1/users/*/orders"
    assert HandledService("https://shop.test", DOCUMENTS / "shop.yaml").target(orders) == "shop.test/v1/users/*/orders"


def test_faults_refuse_in_the_documents_words() -> None:
    """By the schema of the status, else of default; `refuse` goes before, and no headers are lost."""
    twin, request = service(), HttpRequest("POST", f"{SHOP}/users/ada/orders")
    limited = twin.refuse(request, 429, {"retry-after": "7"})
    assert (limited.json(), limited.headers["retry-after"]) == ({"error": "rate_limited"}, "7")
    for status in (401, 429, 500, 503):
        check(SHOP, request, twin.refuse(request, status, {}, "Closed"))
    assert twin.refuse(request, 503, {}, "Closed").json()["title"] == "Closed"
    own = service(refuse=lambda kind: {"no": kind} if kind == "rate_limited" else None)
    assert own.refuse(request, 429, {}).json() == {"no": "rate_limited"}
    assert own.refuse(request, 500, {}).json()["status"] == 500


def test_lists_lag() -> None:
    """They show what was made some requests later, and say so; all else is at once, and the count of requests ends."""
    twin = service(lag=2, state={"users": [{"id": "7b2f1e2e-0000-4000-8000-000000000001", **ADA}]})
    client = Client(twin)
    bo = client("POST", "/users", {"name": "Bo", "email": "bo@shop.test"})[1]
    assert client("GET", f"/users/{bo['id']}")[0] == 200
    late = twin.handle(HttpRequest("GET", f"{SHOP}/users?role=member"))
    assert late.note == f"the list of GET /v1/users did not show users/{bo['id']} yet (lag 2)"
    assert [row["name"] for row in late.json()["data"]] == ["Ada"]
    assert "shop.test/v1/not-listed-yet" in twin.full_state(twin.save())
    assert [row["name"] for row in client("GET", "/users")[1]["data"]] == ["Ada", "Bo"]
    settled = twin.save()
    client("GET", "/users")
    assert twin.save() == settled


def test_a_route_replaces_one_operation() -> None:
    """Its handler sees and changes the things; all else stays the document's."""
    twin = service(kind="shop")

    def cancelled(request: HttpRequest, state: Any, user: str, id: str) -> object:
        state[f"users/{user}/orders"][id]["status"] = "paid"
        return 409, {"title": "Too late"}

    twin.route("POST", "/users/{user}/orders/{id}/cancel", cancelled)
    client = Client(twin)
    _, ada = client("POST", "/users", ADA)
    client("POST", f"/users/{ada['id']}/orders", {"amount": 1})
    late = twin.handle(HttpRequest("POST", f"{SHOP}/users/{ada['id']}/orders/1/cancel"))
    assert (late.status, twin.kind) == (409, "shop")
    assert client("GET", f"/users/{ada['id']}/orders/1")[1]["status"] == "paid"


def minimal(**changed: Any) -> dict[str, Any]:
    """Return a small document."""
    answer = {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}
    paths = {"/a": {"get": {"responses": {"200": answer}}}}
    return {"openapi": "3.0.0", "info": {"title": "a", "version": "1"}, "paths": paths, **changed}


def with_schema(schema: Any) -> dict[str, Any]:
    """Return a document whose only answer has this schema."""
    document = minimal()
    document["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = schema
    return document


def test_answers_without_a_schema_are_the_thing_and_links_lead_on() -> None:
    """As frameworks write documents: with a slash at the end, and nothing of answers; a thing may have a second id."""
    anything = {"description": "", "content": {"application/json": {"schema": {}}}}
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "number": {"type": "integer"}}}
    body = {"content": {"application/json": {"schema": schema}}}
    listed = {**anything, "headers": {"Link": {"schema": {"type": "string"}}}}
    pages = [{"name": name, "in": "query", "schema": {"type": "integer"}} for name in ("page", "per_page")]
    number = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
    paths = {
        "/a/": {
            "post": {"requestBody": body, "responses": {"200": anything}},
            "get": {"parameters": pages, "responses": {"200": listed}},
        },
        "/a/{number}/": {"get": {"parameters": [number], "responses": {"200": {"description": "", **body}}}},
    }
    twin = HandledService("https://x.test", minimal(paths=paths))
    for _ in range(2):
        twin.handle(HttpRequest("POST", "https://x.test/a/", {"content-type": "application/json"}, b'{"x": 1}'))
    answer = twin.handle(HttpRequest("GET", "https://x.test/a?per_page=1&page=1"))
    assert answer.json() == [{"id": 1, "number": 1, "x": 1}]
    assert twin.handle(HttpRequest("GET", "https://x.test/a/2/")).json() == {"id": 2, "number": 2}
    assert answer.headers["link"] == '<https://x.test/a?per_page=1&page=2>; rel="next"'


def test_pages_may_be_texts_and_what_is_no_number_is_refused() -> None:
    """A page or an offset that the document calls a string is a cursor; a body that no answer can have is a 400."""
    thing = {"type": "object", "properties": {"id": {"type": "string"}}}
    text, number = {"type": "string"}, {"type": "number"}
    fields = {"data": {"type": "array", "items": thing}, "next_page": text, "offset": text}

    def path(name: str, word: Any, size: Any) -> dict[str, Any]:
        listed = {"type": "object", "properties": fields}
        given = [{"name": one, "in": "query", "schema": schema} for one, schema in ((name, word), ("limit", size))]
        ok, made = ({"description": "", "content": {"application/json": {"schema": one}}} for one in (listed, thing))
        post = {"requestBody": {"content": {"application/json": {"schema": {}}}}, "responses": {"200": made}}
        return {"get": {"parameters": given, "responses": {"200": ok, "400": {"description": ""}}}, "post": post}

    paths = {"/a": path("page", text, text), "/b": path("offset", text, text), "/c": path("offset", number, number)}
    state = {name: [{"id": one} for one in ("x", "y", "z")] for name in "abc"}
    twin = HandledService("https://x.test", minimal(paths=paths), state=state)

    def listed(query: str) -> Any:
        answer = twin.handle(HttpRequest("GET", f"https://x.test{query}"))
        return answer.json() if answer.status == 200 else answer.status

    first = listed("/a?limit=2")
    assert (len(first["data"]), first["next_page"]) == (2, "y")
    assert [one["id"] for one in listed("/a?limit=2&page=y")["data"]] == ["z"]
    assert listed("/b?limit=1&offset=x")["offset"] == "y"
    assert [one["id"] for one in listed("/c?limit=1.0&offset=2")["data"]] == ["z"]
    for wrong in ("/a?limit=abc", "/a?page=1", "/c?limit=2.5", "/c?offset=-1"):
        assert listed(wrong) == 400
    for body in (b'{"x": "\\ud800"}', b'{"x": NaN}', b"{"):
        request = HttpRequest("POST", "https://x.test/a", {"content-type": "application/json"}, body)
        assert [twin.handle(request).status for _ in range(2)] == [400, 400]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no OpenAPI document at"),
        ("{", "neither JSON nor YAML"),
        ("- 1", "is no OpenAPI document"),
        ("openapi: 4.0.0\npaths: {}", "its version is '4.0.0'"),
        ("openapi: 3.0.0", "has no paths"),
        ("swagger: '2.0'", "Swagger 2.0.*\n.*swagger2openapi"),
        (json.dumps(minimal(info={})), "is no valid OpenAPI 3.0 at info"),
        (json.dumps(with_schema({"$ref": "#/components/schemas/Usr"})), "nothing is at [$]ref '#/components"),
        (json.dumps(with_schema({"$ref": "gone.yaml#/A"})), "no OpenAPI document at 'gone.yaml, which"),
        (json.dumps(with_schema({"$ref": "https://x.test/a.yaml"})), "on the network"),
    ],
)
def test_what_is_no_document_is_told(text: str | None, said: str, tmp_path: Path) -> None:
    """Where the service is declared, with what is wrong."""
    path = tmp_path / "api.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ChaosError, match=said) as problem:
        HandledService("https://x.test", str(path))
    assert problem.value.code == "bad-openapi"


def test_xml_is_an_example_or_a_route() -> None:
    """An answer in XML is the text that the document has; without one, and for what is sent, the way out is told."""
    answer: Any = {"description": "", "content": {"application/xml": {"schema": {"type": "object"}}}}
    paths: Any = {"/feed": {"get": {"responses": {"200": answer}}}}
    asked = HttpRequest("GET", "https://x.test/feed")
    with pytest.raises(ChaosError, match=r"answers with application/xml(.|\n)*an example(.|\n)*\.route\('GET'"):
        HandledService("https://x.test", minimal(paths=paths)).handle(asked)
    answer["content"]["application/xml"]["example"] = "<feed/>"
    said = HandledService("https://x.test", minimal(paths=paths)).handle(asked)
    assert (said.body, said.headers["content-type"]) == (b"<feed/>", "application/xml")
    sent = {"content-type": "text/xml", **BEARER}
    refused = service().handle(HttpRequest("POST", f"{SHOP}/users", sent, b"<user/>"))
    assert b".route(method, path, handler)" in refused.body


def test_near_names_and_wrong_states_are_told() -> None:
    """A reference that leads nowhere has a neighbour; a state has paths of the document and rows."""
    wrong = {**with_schema({"$ref": "#/components/schemas/Usr"}), "components": {"schemas": {"User": {}}}}
    with pytest.raises(ChaosError, match="nearest: User"):
        HandledService("https://x.test", wrong)
    for state in ([], {"nothing": []}, {"users": [3]}, {"users": {"ada": "x"}}):
        with pytest.raises(ChaosError) as problem:
            service(state=state)
        assert problem.value.code == "bad-state"


def test_what_no_answer_can_be_made_for_is_told_with_the_way_out() -> None:
    """A schema that nothing known fits, and a body that is neither JSON nor text; an example helps."""
    odd = {"type": "string", "not": {"type": "string"}}
    with pytest.raises(ChaosError, match=r"no answer to GET /a can be made .*\n.*\.route\('GET'"):
        HandledService("https://x.test", with_schema(odd)).handle(HttpRequest("GET", "https://x.test/a"))
    hex = {"type": "string", "pattern": "^(?=.*b)[ab]{3}$", "example": "aab"}
    assert (
        HandledService("https://x.test", with_schema(hex)).handle(HttpRequest("GET", "https://x.test/a")).json()
        == "aab"
    )


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the extra."""
    for name in [one for one in sys.modules if one.startswith("rollproof.twins.openapi")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openapi_core", None)
    with pytest.raises(ChaosError, match=r"rollproof\[openapi\]"):
        service()


def test_the_agent_of_the_documentation_orders_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/services.md says; the point has the path's name, and a new order that is too much is a row."""
    blocks = re.findall(r"```(?:yaml|python)\n# (openapi.yaml|test_order.py)\n(.*?)```", DOCS.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openapi.yaml").write_text(dict(blocks)["openapi.yaml"])
    names: dict[str, Any] = {}
    exec(compile(dict(blocks)["test_order.py"], str(tmp_path / "test_order.py"), "exec"), names)
    agent = SimpleNamespace(explore=lambda chaos, folder: names["test_order"](chaos))
    result = explored(agent, tmp_path / "it", **only("http.timeout"))
    broken = {str(one.schedule): set(one.invariants) for one in result.violations}
    assert any("http.post:shop.test/v1/orders#1:after" in schedule for schedule in broken), broken
    assert {"all_or_nothing", "honest_outcome"} <= set().union(*broken.values())
    assert result.errors == ()
    assert result.executions < 30
