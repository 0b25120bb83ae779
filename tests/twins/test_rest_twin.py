"""The REST twin keeps the contract's row `api`, seen through real clients, and its state can be put back."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from rollproof.twins.rest import RestTwin
from rollproof.twins.store import singular
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse
from rollproof.values.points import canonical
from rollproof.values.sources import Twin

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
BASE = "https://api.mail.test"
MAILS = f"{BASE}/mails"


@pytest.fixture
def twin(serve: Serve) -> RestTwin:
    """A service that answers httpx and httpx2."""
    twin = RestTwin(BASE)
    serve(twin.handle)
    return twin


def ask(
    twin: RestTwin, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Send a request without a client."""
    content = b"" if body is None else HttpResponse.of_json(0, body).body
    return twin.handle(HttpRequest(method, f"{BASE}{path}", headers or {}, content))


def test_a_rest_twin_is_a_twin() -> None:
    """It has all that the boundary asks for."""
    assert isinstance(RestTwin(BASE).save(), bytes)
    service: Twin = RestTwin(BASE)
    assert service.kind == "http"


def test_the_life_of_a_thing(twin: RestTwin) -> None:
    """It is created, read, replaced, changed in part, deleted, and gone; httpx and httpx2 see the same service."""
    created = httpx.post(MAILS, json={"to": "a@b.test", "n": 1})
    assert created.status_code == 201
    url = f"{MAILS}/{created.json()['id']}"
    assert httpx2.get(url).json() == {"id": created.json()["id"], "to": "a@b.test", "n": 1}
    assert httpx.put(url, json={"to": "c@d.test"}).json() == {"id": created.json()["id"], "to": "c@d.test"}
    assert httpx2.patch(url, json={"n": None}).json() == {"id": created.json()["id"], "to": "c@d.test", "n": None}
    assert twin.resources("mails") == httpx.get(MAILS).json() == [httpx.get(url).json()]
    assert httpx.delete(url).status_code == 204
    assert [httpx.request(method, url).status_code for method in ("GET", "PUT", "PATCH", "DELETE")] == [404] * 4
    assert httpx.get(MAILS).json() == twin.resources("mails") == []
    assert [request.method for request in twin.requests][:3] == ["POST", "GET", "PUT"]


def test_ids_are_the_services_own_and_unmistakable(twin: RestTwin) -> None:
    """A posted id loses; ids name their kind, are not sequential, come never twice, and canonicalise in paths."""
    ids = [httpx.post(MAILS, json={"id": "mine"}).json()["id"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"mail_[a-f]\d[0-9a-f]{18}", id) for id in ids)
    assert canonical(f"out/{ids[0]}.json") == "out/mail_*.json"
    assert httpx.put(f"{MAILS}/{ids[0]}", json={"id": "mine"}).json()["id"] == ids[0]


@given(st.integers(0, 50), st.integers(0, 50))
def test_ids_come_from_seed_and_run(seed: int, run: int) -> None:
    """The same seed and run give the same id; another run gives another."""
    first, again, varied = (RestTwin(BASE, seed=seed) for _ in range(3))
    again.set_run(0)
    varied.set_run(run + 1)
    made = [ask(twin, "POST", "/mails", {}).json()["id"] for twin in (first, again, varied)]
    assert made[0] == made[1] != made[2]


def test_ids_are_not_used_again_after_a_delete() -> None:
    """What was deleted keeps its id for ever, also across save and restore."""
    twin = RestTwin(BASE)
    first = ask(twin, "POST", "/mails", {}).json()["id"]
    ask(twin, "DELETE", f"/mails/{first}")
    twin.restore(twin.save())
    assert ask(twin, "POST", "/mails", {}).json()["id"] != first


@pytest.mark.parametrize(
    ("plural", "one"),
    [("mails", "mail"), ("v1/entries", "entry"), ("boxes", "box"), ("orders/1/items", "item"), ("address", "address")],
)
def test_what_one_thing_is_called(plural: str, one: str) -> None:
    """The prefix of an id is the singular of its collection."""
    assert singular(plural) == one


def test_an_idempotency_key_returns_the_first_answer(twin: RestTwin) -> None:
    """The same key gives the first answer, says so, and creates nothing; after a DELETE too."""
    key = {"Idempotency-Key": "k1"}
    first = httpx.post(MAILS, json={"a": 1, "b": 2}, headers=key)
    again = httpx.post(MAILS, json={"b": 2, "a": 1}, headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    httpx.patch(f"{MAILS}/{first.json()['id']}", json={"a": 3})
    httpx.delete(f"{MAILS}/{first.json()['id']}")
    assert httpx.post(MAILS, json={"a": 1, "b": 2}, headers=key).json() == first.json()
    assert twin.resources("mails") == []


def test_an_idempotency_key_belongs_to_one_request(twin: RestTwin) -> None:
    """Another body or path under the same key is refused as Stripe does; a refused request does not use a key up."""
    key = {"Idempotency-Key": "k1"}
    assert httpx.post(MAILS, json=[1], headers=key).status_code == 400
    assert httpx.post(MAILS, json={"a": 1}, headers=key).status_code == 201
    for url, body in [(MAILS, {"a": 2}), (f"{BASE}/notes", {"a": 1})]:
        refused = httpx.post(url, json=body, headers=key)
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "idempotency_error")
    assert len(twin.resources("mails")) == 1


def test_query_parameters_filter_by_equality(twin: RestTwin) -> None:
    """Values are compared as text, JSON's way for what is no text; a thing without the key does not match.

    A key that nothing there has is ignored, as real services do.
    """
    for body in ({"n": 1, "on": True}, {"n": "1", "on": None}, {"n": 2}):
        httpx.post(MAILS, json=body)
    count = {
        query: len(httpx.get(f"{MAILS}?{query}").json())
        for query in ("n=1", "n=2", "on=true", "on=null", "n=1&on=true", "x=1", "on=")
    }
    assert count == {"n=1": 2, "n=2": 1, "on=true": 1, "on=null": 1, "n=1&on=true": 1, "x=1": 3, "on=": 0}


@pytest.mark.parametrize(
    "body", [b"[]", b'"text"', b"3", b"{", b"\xff\xfe", b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"a": 1e999}']
)
def test_a_body_that_is_no_json_object_is_a_400(twin: RestTwin, body: bytes) -> None:
    """The message says what is wrong, and nothing happened."""
    response = httpx.post(MAILS, content=body)
    assert response.status_code == 400
    assert "JSON" in response.json()["error"]["message"]
    assert twin.resources("mails") == []


def test_methods_that_mean_nothing_are_405(twin: RestTwin) -> None:
    """The answer names what is allowed."""
    assert httpx.delete(MAILS).headers["allow"] == "GET, POST"
    assert httpx.post(f"{MAILS}/x", json={}).headers["allow"] == "GET, PUT, PATCH, DELETE"
    assert httpx.request("BREW", MAILS).status_code == 405
    assert httpx.get(BASE).status_code == 404


def test_a_base_path_and_a_version_belong_to_the_address() -> None:
    """`/v1` is no thing, whether the base URL names it or not."""
    named, unnamed = RestTwin("https://api.test/v1/"), RestTwin("https://API.test:443")
    for twin in (named, unnamed):
        request = HttpRequest("POST", "https://api.test/v1/mails/", {}, b"{}")
        id = twin.handle(request).json()["id"]
        assert list(twin.describe(twin.save())) == ["api.test/v1/mails"]
        assert twin.target(request) == "api.test/v1/mails"
        assert twin.target(HttpRequest("GET", f"https://api.test/v1/mails/{id}")) == "api.test/v1/mails/*"
        assert len(twin.resources("mails")) == 1
    assert len(unnamed.resources("v1/mails")) == 1
    assert named.handle(HttpRequest("POST", "https://api.test/v2/mails", {}, b"{}")).status == 404


def test_a_url_that_is_none_is_refused() -> None:
    """A base URL without a scheme is an error that shows a right one."""
    with pytest.raises(ChaosError, match=re.escape("https://api.mail.test/v1")) as caught:
        RestTwin("api.mail.test")
    assert caught.value.code == "bad-url"


def test_collections_below_a_thing_live_and_go_with_it(twin: RestTwin) -> None:
    """Items of an order are a collection of their own: 404 without the order, gone with it."""
    order = httpx.post(f"{BASE}/orders", json={}).json()["id"]
    items = f"{BASE}/orders/{order}/items"
    item = httpx.post(items, json={"n": 1}).json()
    assert httpx.get(items).json() == twin.resources(f"orders/{order}/items") == [item]
    assert twin.target(HttpRequest("GET", f"{items}/{item['id']}")) == "api.mail.test/orders/*/items/*"
    outside = {"api.mail.test/orders/*/items": [{**item, "orders id": order}]}
    assert {**twin.describe(twin.save()), **outside} == twin.describe(twin.save())
    httpx.delete(f"{BASE}/orders/{order}")
    assert httpx.get(items).status_code == httpx.post(items, json={}).status_code == 404
    assert twin.describe(twin.save()) == {}
    assert httpx.post(f"{BASE}/users/me/drafts", json={}).status_code == 201


def test_targets_can_stand_in_a_token() -> None:
    """What would end a target inside a replay token is replaced."""
    target = RestTwin(BASE).target(HttpRequest("GET", f"{BASE}/my%20%23mails%25/1"))
    assert target == "api.mail.test/my__mails_/*"


def test_a_token_is_asked_for() -> None:
    """With a token: no bearer and a wrong one are 401 in the service's words; an API key header is no bearer."""
    twin = RestTwin(BASE, token="t-1")
    headers: list[dict[str, str]] = [{}, {"authorization": "Bearer t-2"}, {"x-api-key": "t-1"}]
    answers = [ask(twin, "GET", "/mails", headers=h) for h in headers]
    assert [answer.status for answer in answers] == [401] * 3
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert answers[1].json()["error"]["type"] == "authentication_error"
    assert ask(twin, "GET", "/mails", headers={"authorization": "bearer t-1"}).status == 200


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 418])
def test_refusals_are_in_the_services_words(status: int) -> None:
    """A refusal has the error body, keeps the fault's headers, and does nothing."""
    twin = RestTwin(BASE)
    refusal = twin.refuse(HttpRequest("POST", MAILS, {}, b"{}"), status, {"retry-after": "7"})
    assert (refusal.status, refusal.headers["retry-after"]) == (status, "7")
    assert refusal.json()["error"]["message"]
    assert twin.resources("mails") == []


def test_settled_things_do_not_count(twin: RestTwin) -> None:
    """What is settled is still there for GET and no longer part of the outside."""
    twin = RestTwin(BASE, settled=lambda resource: resource.get("status") == "refunded")
    paid = ask(twin, "POST", "/charges", {"status": "paid"}).json()
    assert twin.describe(twin.save()) == {"api.mail.test/charges": [paid]}
    ask(twin, "PATCH", f"/charges/{paid['id']}", {"status": "refunded"})
    assert twin.describe(twin.save()) == {}
    assert len(twin.resources("charges")) == 1


def test_settled_that_raises_is_named() -> None:
    """A settled that forgets other collections is an error that says what to type."""
    twin = RestTwin(BASE, settled=lambda resource: bool(resource["status"]))
    ask(twin, "POST", "/notes", {})
    with pytest.raises(ChaosError, match=r"resource\.get") as caught:
        twin.describe(twin.save())
    assert caught.value.code == "settled-failed"


def test_the_log_is_no_part_of_the_state(twin: RestTwin) -> None:
    """Reading changes the log and not the state; a new list can take its place."""
    before = twin.save()
    httpx.get(MAILS)
    seen = twin.requests
    assert twin.save() == before
    twin.requests = []
    httpx.get(f"{MAILS}/x")
    assert [request.path for request in seen] == ["/mails"]
    assert [request.path for request in twin.requests] == ["/mails/x"]


def test_what_is_read_can_be_changed_without_harm(twin: RestTwin) -> None:
    """`resources` gives copies, down to the nested parts."""
    httpx.post(MAILS, json={"to": ["a"]})
    twin.resources("mails")[0]["to"].append("b")
    assert twin.resources("mails")[0]["to"] == ["a"]


class AgainstADict(RuleBasedStateMachine):
    """The service behaves as a dict does, and putting any earlier state back brings back just that dict."""

    things = Bundle("things")

    def __init__(self) -> None:
        super().__init__()
        self.twin = RestTwin(BASE)
        self.model: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, Any]] = {}
        self.ids: set[str] = set()
        self.saved: list[tuple[bytes, dict[str, Any], dict[str, tuple[int, Any]]]] = []

    @rule(target=things, n=st.integers(0, 2), key=st.sampled_from(["", "k1", "k2"]))
    def post(self, n: int, key: str) -> str:
        """A new key or none creates; a known one repeats the first answer or is refused."""
        headers = {"idempotency-key": key} if key else {}
        answer = ask(self.twin, "POST", "/things", {"n": n}, headers)
        if key in self.answers:
            first, made = self.answers[key]
            assert (answer.status, answer.json() == made) == ((201, True) if first == n else (400, False))
            return str(made["id"])
        thing = answer.json()
        assert thing == {"id": thing["id"], "n": n}
        self.model[thing["id"]] = thing
        self.ids.add(thing["id"])
        if key:
            self.answers[key] = (n, thing)
        return str(thing["id"])

    @rule(id=things, n=st.integers(0, 2))
    def patch(self, id: str, n: int) -> None:
        """A thing that is there changes."""
        assert ask(self.twin, "PATCH", f"/things/{id}", {"n": n}).status == (200 if id in self.model else 404)
        if id in self.model:
            self.model[id] = {"id": id, "n": n}

    @rule(id=consumes(things))
    def delete(self, id: str) -> None:
        """A thing that is there goes."""
        assert ask(self.twin, "DELETE", f"/things/{id}").status == (204 if id in self.model else 404)
        self.model.pop(id, None)

    @rule()
    def save(self) -> None:
        """Keep a state."""
        self.saved.append((self.twin.save(), dict(self.model), dict(self.answers)))

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """Put back a state that was kept, perhaps into a new service."""
        if self.saved:
            state, model, answers = data.draw(st.sampled_from(self.saved))
            if data.draw(st.booleans()):
                self.twin = RestTwin(BASE)
            self.twin.restore(state)
            self.model, self.answers = dict(model), dict(answers)
            assert self.twin.save() == state

    @invariant()
    def agrees(self) -> None:
        """All that can be read agrees with the dict, in the order of creation."""
        live = list(self.model.values())
        assert ask(self.twin, "GET", "/things").json() == self.twin.resources("things") == live
        assert self.twin.describe(self.twin.save()) == ({"api.mail.test/things": live} if live else {})


TestAgainstADict = AgainstADict.TestCase

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from("abc"), JSON))
def test_equal_states_are_equal_bytes(content: dict[str, Any]) -> None:
    """The order of keys, and of collections, does not show in the bytes; values come back as they were."""
    one, other = RestTwin(BASE), RestTwin(BASE)
    ask(one, "POST", "/xs", content)
    ask(one, "POST", "/ys", {})
    ask(other, "POST", "/ys", {})
    ask(other, "POST", "/xs", dict(reversed(content.items())))
    assert one.save() == other.save()
    [thing] = other.resources("xs")
    assert {key: value for key, value in thing.items() if key != "id"} == content
