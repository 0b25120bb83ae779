"""The REST twin as real services are: pages, an order, what was there before, lists that lag, tags, forms."""

import re
from base64 import b64encode
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollproof.twins.listing import listed
from rollproof.twins.rest import RestTwin
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse

from tests.exploring import breaks, explored, only, replayed, scenario

BASE = "https://api.shop.test"
ROWS = [{"id": f"item_{n}", "n": n, "even": n % 2 == 0} for n in range(7)]


def ask(twin: RestTwin, method: str, path: str, body: object = None, **headers: str) -> HttpResponse:
    """Send a request without a client."""
    content = body if isinstance(body, bytes) else b"" if body is None else HttpResponse.of_json(0, body).body
    return twin.handle(
        HttpRequest(method, f"{BASE}{path}", {k.replace("_", "-"): v for k, v in headers.items()}, content)
    )


def numbers(response: HttpResponse) -> list[int]:
    """Return what a list has."""
    return [row["n"] for row in response.json()]


def links(response: HttpResponse) -> dict[str, str]:
    """Return the links of a response, as a client reads them."""
    found = httpx.Response(200, headers=dict(response.headers)).links
    return {rel: str(link["url"]).removeprefix(BASE) for rel, link in found.items()}


@pytest.fixture
def shop() -> RestTwin:
    """A service where something is before the run."""
    return RestTwin(BASE, resources={"items": ROWS, "orders": [{"of": "item_1"}]})


def test_what_was_there_before_is_there(shop: RestTwin) -> None:
    """With its own ids, or with ids of the service's; nothing new gets an id twice."""
    assert numbers(ask(shop, "GET", "/items")) == list(range(7))
    (order,) = shop.resources("orders")
    assert re.fullmatch(r"order_[a-f]\d[0-9a-f]{18}", order["id"])
    assert ask(shop, "POST", "/orders", {"of": "item_2"}).json()["id"] != order["id"]
    assert ask(shop, "DELETE", "/items/item_3").status == 204


@pytest.mark.parametrize(
    ("query", "rows", "rels"),
    [
        ("per_page=3", [0, 1, 2], {"next": "page=2", "last": "page=3"}),
        ("per_page=3&page=2", [3, 4, 5], {"prev": "page=1", "next": "page=3", "first": "page=1", "last": "page=3"}),
        ("per_page=3&page=9", [], {"first": "page=1", "last": "page=3"}),
        ("page=1", list(range(7)), {}),
        ("limit=4", [0, 1, 2, 3], {"next": "offset=4", "last": "offset=4"}),
        (
            "limit=4&offset=2",
            [2, 3, 4, 5],
            {"prev": "offset=0", "next": "offset=6", "first": "offset=0", "last": "offset=4"},
        ),
        ("cursor=&limit=5", [0, 1, 2, 3, 4], {"next": "cursor=after-item_4"}),
        ("cursor=after-item_4&limit=5", [5, 6], {}),
        ("sort=-n&per_page=2&even=true", [6, 4], {"next": "page=2", "last": "page=2"}),
        ("sort=even,-n", [5, 3, 1, 6, 4, 2, 0], {}),
    ],
)
def test_pages(shop: RestTwin, query: str, rows: list[int], rels: dict[str, str]) -> None:
    """The words of pages do what they say, and ``Link`` has the other pages."""
    response = ask(shop, "GET", f"/items?{query}")
    assert numbers(response) == rows
    found = links(response)
    assert {
        rel: next(p for p in url.split("?")[1].split("&") if p in rels.get(rel, "")) for rel, url in found.items()
    } == rels


@given(st.integers(0, 12), st.integers(1, 5), st.sampled_from(["per_page", "offset", "cursor"]))
def test_following_the_links_gives_everything_once(count: int, size: int, style: str) -> None:
    """Whatever the style and the size of pages."""
    rows = [{"id": f"item_{n}", "n": n} for n in range(count)]
    first = {"per_page": f"per_page={size}", "offset": f"limit={size}&offset=0", "cursor": f"limit={size}&cursor="}
    url, seen = f"{BASE}/items?{first[style]}", []
    while url:
        page = listed(rows, [], HttpRequest("GET", url))
        seen += page.rows
        url = next(
            (
                str(one["url"])
                for rel, one in httpx.Response(200, headers={"link": page.link}).links.items()
                if rel == "next"
            ),
            "",
        )
    assert seen == rows


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "per_page=0", "limit=-1", "offset=1.5", "cursor=gone", "page=" + "9" * 5000]
)
def test_a_page_that_cannot_be_is_a_400(shop: RestTwin, query: str) -> None:
    """The text says which word is wrong."""
    response = ask(shop, "GET", f"/items?{query}")
    assert response.status == 400
    assert query.partition("=")[0] in response.json()["error"]["message"]


def test_a_new_thing_shows_in_lists_later() -> None:
    """After `lag` further requests, whatever they are; it can be read by its id at once, and the count ends."""
    twin = RestTwin(BASE, lag=2)
    before = twin.save()
    made = ask(twin, "POST", "/items", {"n": 1}).json()
    assert ask(twin, "GET", f"/items/{made['id']}").status == 200
    assert numbers(ask(twin, "GET", "/items")) == []
    assert twin.full_state(twin.save()).keys() - twin.describe(twin.save()).keys()
    assert numbers(ask(twin, "GET", "/items")) == [1]
    assert twin.save() == (ask(twin, "GET", "/items"), twin.save())[1]
    twin.restore(before)
    assert twin.resources("items") == []


def test_tags_keep_two_writers_apart(shop: RestTwin) -> None:
    """``If-Match`` that is not so is a 412 and changes nothing; ``If-None-Match`` spares the body, or creates once."""
    tag = ask(shop, "GET", "/items/item_1").headers["etag"]
    assert ask(shop, "PATCH", "/items/item_1", {"n": 9}, if_match=tag).status == 200
    for method in ("PATCH", "PUT", "DELETE"):
        assert ask(shop, method, "/items/item_1", {"n": 8}, if_match=tag).status == 412
    new = ask(shop, "GET", "/items/item_1")
    assert (new.json()["n"], new.headers["etag"] != tag) == (9, True)
    assert ask(shop, "GET", "/items/item_1", if_none_match=new.headers["etag"]).status == 304
    assert ask(shop, "DELETE", "/items/item_1", if_match=f'"x", {new.headers["etag"]}').status == 204
    created = ask(shop, "PUT", "/items/mine", {"n": 1}, if_none_match="*")
    assert (created.status, created.json()) == (201, {"id": "mine", "n": 1})
    assert ask(shop, "PUT", "/items/mine", {"n": 2}, if_none_match="*").status == 412
    assert ask(shop, "POST", "/items", {"id": "mine", "n": 3}, idempotency_key="k").status == 409
    assert ask(shop, "GET", "/items/mine").json() == {"id": "mine", "n": 1}
    assert ask(shop, "POST", "/items", {"id": "other"}, idempotency_key="k").status == 201
    assert ask(shop, "PUT", "/items/nobody", {"n": 2}).status == 404


def test_forms_and_heads(shop: RestTwin) -> None:
    """What a form has are the fields of the resource; HEAD is GET without the body."""
    made = ask(shop, "POST", "/items", b"n=1&name=a+b", content_type="application/x-www-form-urlencoded")
    assert made.json() == {"id": made.json()["id"], "n": "1", "name": "a b"}
    head, got = ask(shop, "HEAD", "/items/item_1"), ask(shop, "GET", "/items/item_1")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", got.headers["etag"])
    assert ask(shop, "HEAD", "/items/nobody").status == 404


@pytest.mark.parametrize("seed", [[], {"items": {}}, {"items": ["a"]}, {1: []}])
def test_a_bad_seed_is_refused(seed: Any, tmp_path: Path) -> None:
    """Before anything runs, with what to type."""

    def explore(chaos: Any, folder: Path) -> None:
        chaos.api(BASE, seed=seed)

    with pytest.raises(ChaosError, match="bad-seed"):
        explored(SimpleNamespace(explore=explore), tmp_path / "it")


def test_a_lagging_list_is_explored_to_its_end(tmp_path: Path) -> None:
    """An agent that looks before it creates makes two where the list lags; a query nobody understands is told."""

    def work() -> None:
        httpx.get(f"{BASE}/notes", params={"page_size": "5"})
        if not httpx.get(f"{BASE}/notes", params={"title": "a"}).json():
            httpx.post(f"{BASE}/notes", json={"title": "a"}).raise_for_status()

    def explore(chaos: Any, folder: Path) -> None:
        chaos.api(BASE, lag=2, seed={"notes": [{"title": "b"}]})
        chaos.explore(work)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill"))
    assert [finding.title for finding in result.violations] == ["Note 'a' is there twice"]
    assert result.closed
    told = "nobody understands 'page_size' of GET api.shop.test/notes"
    assert (told in result.statement, told in " ".join(result.notes)) == (True, True)
    steps = [step.outcome for step in result.violations[0].story]
    note = re.compile(r"the list of GET /notes did not show note_[a-f]\d[0-9a-f]{18} yet \(lag 2\)")
    assert any(map(note.search, steps)), steps


def test_the_scenario_of_a_lagging_search_has_teeth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key of the attempt's the ticket is there twice; the story says that a search did not show the first."""
    story = import_module("rollproof.scenarios.test_lagging_search")
    monkeypatch.setattr(story, "key_of", lambda what: str(uuid4()))
    agent = scenario("lagging_search", "test_an_incident_has_one_ticket")
    found = replayed(agent, tmp_path / "it", "process.kill@http.post:api.tracker.test/tickets#1:after")
    assert {"all_or_nothing", "one_ticket_an_incident"} <= breaks(found)
    told = [step.outcome for finding in found.violations for step in finding.story]
    assert any("did not show ticket_" in outcome for outcome in told)


def test_a_parameter_that_nobody_understands_filters_nothing(tmp_path: Path) -> None:
    """A right agent that looks before it creates is left alone, whatever else it asks for; it is told."""

    def work() -> None:
        query = {"per_page": "100", "issue": "7", "with_drafts": "yes"}
        if not any(one["text"] == "done" for one in httpx.get(f"{BASE}/comments", params=query).json()):
            httpx.post(f"{BASE}/comments", json={"issue": "7", "text": "done"}).raise_for_status()

    def explore(chaos: Any, folder: Path) -> None:
        chaos.api(BASE, seed={"comments": [{"issue": "8", "text": "done"}]})
        chaos.explore(work)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill"))
    assert (result.violations, result.closed) == ((), True)
    assert "nobody understands 'with_drafts'" in result.statement
    assert "'issue'" not in result.statement


KEY = "k-7f31c09b5a2e4d68"
FORMS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "bearer": (KEY, {"headers": {"Authorization": f"Bearer {KEY}"}}, {"headers": {"Authorization": "Bearer x"}}),
    "basic": (("basic", "ada", KEY), {"auth": ("ada", KEY)}, {"auth": ("ada", "x")}),
    "header": (
        ("header", "X-Shop-Key", KEY),
        {"headers": {"X-Shop-Key": KEY}},
        {"headers": {"X-Shop-Key": "x"}},
    ),
    "query": (("query", "api_key", KEY), {"params": {"api_key": KEY}}, {"params": {"api_key": "x"}}),
}


def sent(**how: Any) -> HttpRequest:
    """Return a request as httpx sends it."""
    with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, request=request))) as client:
        request = client.get(f"{BASE}/items", **how).request
    return HttpRequest("GET", str(request.url), dict(request.headers))


@pytest.mark.parametrize("form", FORMS)
def test_a_service_wants_its_credential_in_its_own_form(form: str) -> None:
    """With another one, and with none, it says so; a parameter with a key is no filter."""
    token, right, wrong = FORMS[form]
    twin = RestTwin(BASE, token=token, resources={"items": ROWS})
    assert len(twin.handle(sent(**right)).json()) == len(ROWS)
    assert twin.remarks == []
    assert (twin.handle(sent(**wrong)).status, twin.handle(sent()).status) == (401, 401)
    assert "wrong, has expired" in twin.handle(sent(**wrong)).json()["error"]["message"]
    assert "Missing credentials: send them as" in twin.handle(sent()).json()["error"]["message"]


@pytest.mark.parametrize("form", FORMS)
def test_a_refused_credential_is_known_in_every_form(form: str, tmp_path: Path) -> None:
    """It is refused from the fault on, the one that tries on and on with it is told, and nothing shows it."""
    token, right, _ = FORMS[form]

    def work(own: Path) -> None:
        for _ in range(5):
            answer = httpx.get(f"{BASE}/items", **right)
            (own / "asked.txt").write_text(str(answer.request.url) + str(answer.request.headers.multi_items()))
            if answer.status_code == 200:
                return

    def explore(chaos: Any, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        chaos.private(folder)
        chaos.api(BASE, token=token)
        chaos.explore(lambda: work(folder))

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("credentials.revoked"))
    said = " ".join(finding.message for finding in result.violations)
    assert "the token of https://api.shop.test is written down in the clear" in said
    assert "the credential for api.shop.test was refused and sent 4 times again" in said
    told = repr(result)
    assert KEY not in told
    assert b64encode(f"ada:{KEY}".encode()).decode() not in told
