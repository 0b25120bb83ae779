"""GraphQL over one URL, asked by gql with each of its transports for HTTP."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from gql import Client, GraphQLRequest, gql
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.httpx import HTTPXTransport
from gql.transport.requests import RequestsHTTPTransport
from graphql import GraphQLError
from rollproof.chaos import Chaos
from rollproof.plugin.installed import Builtins
from rollproof.testing import check_source
from rollproof.twins.ready.graphql import graphql
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest

from tests.exploring import breaks, explored, only, options

URL = "https://api.shop.test/graphql"
SCHEMA = """
type Customer { name: String! }
type Order { id: ID!, item: String!, customer: Customer! }
type Query { orders: [Order!]!, order(id: ID!): Order }
type Mutation { createOrder(item: String!, key: String): Order, cancelOrder(id: ID!): Boolean }
"""
CREATE = """
mutation Create($item: String!, $key: String) { createOrder(item: $item, key: $key) { ...F } }
fragment F on Order { id item }
"""
READ = '{ orders { customer { name } } order(id: "0") { id } other: order(id: "1") { id } }'
HALF = 'mutation { a: createOrder(item: "sofa") { id } b: createOrder(item: "nothing") { id } }'


def create_order(state: Any, item: str, key: str | None = None) -> Any:
    """Create an order, once for each key."""
    orders = state.setdefault("orders", [])
    if item == "nothing":
        raise GraphQLError("Sold out", extensions={"code": "SOLD_OUT"})
    known = [order for order in orders if key is not None and order["key"] == key]
    if not known:
        orders.append({"id": str(len(orders)), "item": item, "key": key})
    return known[0] if known else orders[-1]


async def order(state: Any, id: str) -> Any:
    """Find an order."""
    return next((order for order in state["orders"] if order["id"] == id), None)


RESOLVERS = {
    "Mutation": {"createOrder": create_order},
    "Query": {"order": order},
    "Order": {"customer": lambda state, parent: {"name": f"Ada, who wants a {parent['item']}"}},
}


def asked(document: str, *, service: Any = None, **variables: Any) -> Any:
    """Return the answer to one request, as it is sent."""
    body = httpx.Request("POST", URL, json={"query": document, "variables": variables}).content
    return (service or graphql(URL, SCHEMA, resolvers=RESOLVERS)).handle(HttpRequest("POST", URL, {}, body))


@pytest.mark.parametrize("transport", [HTTPXTransport, RequestsHTTPTransport])
def test_gql_is_answered(transport: Any) -> None:
    """Introspection, variables, fragments, batches and errors, through the client's own checks."""
    chaos = Chaos(options(twins=Builtins().pytest_chaos_twins))
    service = chaos.twin("graphql", URL, SCHEMA, resolvers=RESOLVERS)
    with Client(transport=transport(url=URL), fetch_schema_from_transport=True) as session:
        assert session.execute(GraphQLRequest(CREATE, variable_values={"item": "lamp"})) == {
            "createOrder": {"id": "0", "item": "lamp"}
        }
        found = session.execute(gql(READ))
        with pytest.raises(TransportQueryError) as partial:
            session.execute(gql(HALF))
        both = session.execute_batch([gql("{ orders { id } }"), gql("query All { orders { item } }")])
    assert found == {"orders": [{"customer": {"name": "Ada, who wants a lamp"}}], "order": {"id": "0"}, "other": None}
    assert partial.value.data == {"a": {"id": "1"}, "b": None}
    assert partial.value.errors is not None
    assert (partial.value.errors[0]["path"], partial.value.errors[0]["extensions"]) == (["b"], {"code": "SOLD_OUT"})
    assert [one["orders"] for one in both] == [[{"id": "0"}, {"id": "1"}], [{"item": "lamp"}, {"item": "sofa"}]]
    targets = [service.target(request) for request in service.requests]
    assert targets[:2] == ["api.shop.test/graphql/IntrospectionQuery", "api.shop.test/graphql/Create"]


def test_its_state_is_a_part_of_the_outside(tmp_path: Path) -> None:
    """Saved, put back and described; a schema may be in a file, and a list that is not there yet is empty."""
    (tmp_path / "shop.graphql").write_text(SCHEMA)
    service = graphql(URL, tmp_path / "shop.graphql", resolvers=RESOLVERS)
    assert asked("{ orders { id } }", service=service).json() == {"data": {"orders": []}}
    check_source(service, lambda: asked(CREATE, service=service, item="lamp"))
    assert service.describe(service.save()) == {"api.shop.test/graphql/orders": service.state["orders"]}


def test_it_says_no_as_graphql_does() -> None:
    """By a code in the answer: a rate limit with the status 200, the rest with their own; one's own words win."""
    service, request = graphql(URL, SCHEMA), HttpRequest("POST", URL)
    said = {status: service.refuse(request, status, {"retry-after": "7"}) for status in (401, 429, 500, 503)}
    assert [answer.status for answer in said.values()] == [401, 200, 500, 503]
    codes = [answer.json()["errors"][0]["extensions"]["code"] for answer in said.values()]
    assert codes == ["UNAUTHENTICATED", "RATE_LIMITED", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"]
    assert said[429].headers["retry-after"] == "7"
    assert graphql(URL, SCHEMA, refuse=lambda kind: {"errors": []}).refuse(request, 401, {}).status == 200


def test_what_is_no_request_of_graphql_is_refused() -> None:
    """A wrong document is an error at 200 and no data; what is none at all, or no POST, has another status."""
    wrong = asked("{ nothing }")
    assert (wrong.status, list(wrong.json())) == (200, ["errors"])
    service = graphql(URL, SCHEMA)
    assert service.handle(HttpRequest("GET", URL)).status == 405
    for body in (b"", b"[]", b'{"query": 3}', b"[1]", b'{"query": "{ orders { id } }", "variables": [1]}'):
        assert service.handle(HttpRequest("POST", URL, {}, body)).status == 400


@pytest.mark.parametrize(
    ("schema", "resolvers", "code", "words"),
    [
        ("no file", {}, "bad-schema", "no schema"),
        ("type Query { a: B }", {}, "bad-schema", "Unknown type 'B'"),
        ("type A { b: Int }", {}, "bad-schema", "Query root type"),
        (SCHEMA, {"Mutaton": {}}, "bad-resolver", "nearest: Mutation"),
        (SCHEMA, {"Mutation": {"createOder": create_order}}, "bad-resolver", "nearest: createOrder"),
        (SCHEMA, {"Mutation": {"createOrder": 3}}, "bad-resolver", "no function"),
    ],
)
def test_a_wrong_declaration_is_told(schema: str, resolvers: Any, code: str, words: str) -> None:
    """Where it is made, with the nearest right name."""
    with pytest.raises(ChaosError) as problem:
        graphql(URL, schema, resolvers=resolvers)
    assert (problem.value.code, words in str(problem.value)) == (code, True)


@pytest.mark.parametrize(
    ("document", "code", "words"),
    [
        ('mutation { cancelOrder(id: "0") }', "no-resolver", "nobody answers Mutation.cancelOrder"),
        ('{ order(id: "0") { id } }', "service-failed", "test_graphql.py:"),
    ],
)
def test_a_test_that_is_wrong_is_told(document: str, code: str, words: str) -> None:
    """A field that nobody answers, and a resolver that raises by mistake, are no errors of the service."""
    with pytest.raises(ChaosError) as problem:
        asked(document)
    assert (problem.value.code, words in str(problem.value)) == (code, True)


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """graphql-core is of an extra."""
    monkeypatch.setattr("rollproof.twins.ready.graphql.find_spec", lambda name: None)
    with pytest.raises(ChaosError, match=r"pip install 'rollproof\[graphql\]'"):
        graphql(URL, SCHEMA)


def buy(key: str | None) -> str:
    """Order a lamp, and try again where there was no answer or a rate limit."""
    client = Client(transport=HTTPXTransport(url=URL))
    for _ in range(3):
        try:
            client.execute(GraphQLRequest(CREATE, variable_values={"item": "lamp", "key": key}))
            return "ordered"
        except TransportQueryError as refused:
            if refused.errors[0]["extensions"]["code"] != "RATE_LIMITED":  # type: ignore[index]
                raise
        except TransportError:
            pass
    raise RuntimeError("no answer")


@pytest.mark.parametrize(
    ("key", "broken"), [(None, {"all_or_nothing", "honest_outcome", "recovery_idempotent"}), ("order of today", set())]
)
def test_an_order_that_is_sent_again(
    key: str | None, broken: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key a lost answer is a second order; a refusal with 200 is seen by gql."""
    monkeypatch.setattr("rollproof.engine.curing._REMEDIES", ())  # what would mend it is not asked

    def explore(chaos: Any, folder: Path) -> None:
        chaos.twin(graphql(URL, SCHEMA, resolvers=RESOLVERS))
        chaos.explore(lambda: buy(key))

    narrow = only("http.timeout", "http.rate_limited")
    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **narrow)
    assert (breaks(result), result.errors) == (broken, ())
    assert {cell.point for cell in result.cells} == {"http.post:api.shop.test/graphql/Create#1"}
