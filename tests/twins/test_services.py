"""Services of one's own: what a handler returns and keeps, seen through real clients, and what is refused."""

import asyncio
import gzip
import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollproof.testing import check_twin
from rollproof.twins.answers import response_of
from rollproof.twins.handled import HandledService
from rollproof.twins.operations import operation_of
from rollproof.twins.plain_data import dumped, rows_by_name
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse

from tests.exploring import breaks, explored, only

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
BASE = "https://slack.test/api"
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("aé", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def slack(request: HttpRequest, state: Any) -> object:
    """Answer as Slack does: always with 200, and with its own word for what went wrong."""
    if request.path != "/api/chat.postMessage":
        return {"ok": False, "error": "unknown_method"}
    state.setdefault("messages", []).append(request.form())
    return {"ok": True, "ts": f"17.{len(state['messages'])}"}


def words(kind: str) -> object:
    """Refuse as Slack does."""
    return {"ok": False, "error": "ratelimited"} if kind == "rate_limited" else None


def test_a_handler_answers_real_clients_and_keeps_state(serve: Serve) -> None:
    """Forms are read in both of their forms; the state is described, and comes back."""
    service = HandledService(BASE, slack, refuse=words)
    serve(service.handle)
    before = service.save()
    assert httpx.post(f"{BASE}/chat.postMessage", data={"text": "hé"}).json() == {"ok": True, "ts": "17.1"}
    sent = httpx.post(f"{BASE}/chat.postMessage", data={"text": "two"}, files={"file": ("a.txt", b"content")})
    assert sent.json()["ts"] == "17.2"
    assert service.state == {"messages": [{"text": "hé"}, {"text": "two", "file": "content"}]}
    assert service.describe(service.save()) == {"slack.test/api/messages": service.state["messages"]}
    assert httpx.get(f"{BASE}/users").json()["error"] == "unknown_method"
    assert [request.method for request in service.requests] == ["POST", "POST", "GET"]
    service.restore(before)
    assert service.state == {}


def test_it_is_a_twin() -> None:
    """It keeps the contract of every twin, with the usual words where it has none of its own."""
    request = HttpRequest("POST", f"{BASE}/chat.postMessage", {}, b"text=hello")
    check_twin(HandledService(BASE, slack), request)
    assert HandledService(BASE, slack).target(request) == "slack.test/api/chat.postMessage"


def test_it_says_no_in_its_own_way() -> None:
    """Also with the status 200; a kind for which it has no word, and each without `refuse`, has the usual answer."""
    service = HandledService(BASE, slack, refuse=words)
    request = HttpRequest("POST", f"{BASE}/chat.postMessage")
    limited = service.refuse(request, 429, {"retry-after": "7"})
    assert (limited.status, limited.json()["error"], limited.headers["retry-after"]) == (200, "ratelimited", "7")
    assert service.refuse(request, 503, {}, "Closed").json()["error"]["message"] == "Closed"
    assert service.refuse(request, 401, {}).status == 401


def test_routes_have_templates() -> None:
    """Named parts are arguments and one point's name; what fits no route goes to the service's own handler."""
    service = HandledService(
        "https://hr.test/v2", lambda request, state: (404, {"error": "no such page"}), state={"n": {}}
    )
    service.route(
        "PUT", "/users/{id}/{field}", lambda request, state, id, field: (201, state["n"].setdefault(id, field))
    )
    asked = HttpRequest("PUT", "https://hr.test/v2/users/a%20b/city")
    assert (service.handle(asked).status, service.state) == (201, {"n": {"a b": "city"}})
    assert service.target(asked) == "hr.test/v2/users/*/*"
    assert service.handle(HttpRequest("GET", asked.url)).status == 404
    same, wrong = ("PUT", "/users/{a}/{b}"), ["users", "/{a}/{a}", "/{1}", "/{a-b}", "/{}", "/{a", "/a}", "/{{a}}"]
    for method, path in [same, ("P T", "/"), *(("GET", path) for path in wrong)]:
        with pytest.raises(ChaosError):
            service.route(method, path, lambda request, state, **parts: {})
    with pytest.raises(ChaosError, match="no handler of"):
        service.route("GET", "/x/{id}", slack)


def notes(request: HttpRequest, state: Any) -> object:
    """Make a note of what is posted; return all notes else."""
    rows = state.setdefault("notes", [])
    if request.method == "POST":
        rows.append({"id": f"n{len(rows)}", **request.json()})
        state.setdefault("log", []).append("a note was made")
        return 201, rows[-1]
    return rows


def test_a_route_lags_answers_once_and_has_pages() -> None:
    """The story names only what this list lacks; the count of requests ends; no error uses up a key."""
    service = HandledService("https://n.test", lambda request, state: {"all": len(state["notes"])}, state={"notes": []})
    service.route("GET", "/notes", notes, lag=2, pages=True)
    service.route("POST", "/notes", notes, idempotent=True)

    def ask(method: str, path: str, body: bytes = b"", key: str = "") -> HttpResponse:
        return service.handle(HttpRequest(method, f"https://n.test{path}", {"idempotency-key": key}, body))

    made = ask("POST", "/notes", b'{"text": "a"}', "k")
    before = service.save()
    assert ask("GET", "/count").json() == {"all": 1}
    late = ask("GET", "/notes")
    assert (late.json(), late.note) == ([], "the list of GET /notes did not show notes/n0 yet (lag 2)")
    assert "n.test/not-listed-yet" in service.full_state(service.save())
    shown = ask("GET", "/notes")
    settled = service.save()
    assert (shown.json(), shown.note, ask("GET", "/notes").json()) == ([{"id": "n0", "text": "a"}], "", shown.json())
    assert (service.save(), set(service.describe(settled))) == (settled, {"n.test/notes", "n.test/log"})
    again = ask("POST", "/notes", b'{"text": "a"}', "k")
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (201, made.body, "true")
    assert (ask("POST", "/notes", b'{"text": "b"}', "k").status, len(service.state["notes"])) == (409, 1)
    for _ in range(2):
        ask("POST", "/notes", b"{}")
    for _ in range(2):
        ask("GET", "/count")
    page = ask("GET", "/notes?per_page=2")
    assert ([row["id"] for row in page.json()], 'page=2>; rel="next"' in page.headers["link"]) == (["n0", "n1"], True)
    assert ask("GET", "/notes?page=0").status == 400
    service.restore(before)
    assert ask("GET", "/notes").json() == []


def test_a_lag_that_nobody_can_keep_is_refused() -> None:
    """With what to do instead: of a handler, of an application, of a route that changes something, of no number."""
    with pytest.raises(ChaosError, match=r"which answers of a handler are lists[^]]*\.route[^]]*\[bad-lag"):
        HandledService("https://n.test", notes, lag=1)
    with pytest.raises(ChaosError, match=r"is an application[^]]*\[bad-lag"):
        HandledService("https://n.test", Asgi(), lag=1)
    service = HandledService("https://n.test", notes)
    service.route("POST", "/notes", notes, lag=1)
    service.route("GET", "/notes", notes, lag=1)
    assert service.handle(HttpRequest("GET", "https://n.test/notes")).json() == []
    with pytest.raises(ChaosError, match=r"changes the state[^]]*\[bad-lag"):
        service.handle(HttpRequest("POST", "https://n.test/notes", {}, b"{}"))
    for lag in (-1, True, "2"):
        with pytest.raises(ChaosError, match="bad-lag"):
            service.route("GET", "/notes", notes, lag=lag)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"query": "mutation CreateIssue($t: String) { createIssue(title: $t) { id } }"}', "CreateIssue"),
        (b'{"query": "query A { a } query B { b }", "operationName": "B"}', "B"),
        (b'{"query": "{ alias: viewer { login } }"}', "viewer"),
        (b'{"query": "# query Not\\n{ viewer { login } }"}', "viewer"),
        (b'{"query": "fragment F on User { id } query Who { viewer { ...F } }"}', "Who"),
        (b'{"query": "{ search(text: \\"query Not {\\") { id } }"}', "search"),
        (b'{"query": "cats and {dogs}"}', ""),
        (b'{"query": "query for shoes"}', ""),
        (b'{"query": "query A @live { b }"}', "A"),
        (b'{"jsonrpc": "2.0", "method": "tools/call", "id": 1}', "tools/call"),
        (b'{"method": "transfer"}', ""),
        (b'{"query": 3', ""),
    ],
)
def test_operations_behind_one_path_have_names(body: bytes, name: str) -> None:
    """Those of GraphQL and of JSON-RPC; a search with a field called query is none."""
    assert operation_of(HttpRequest("POST", "https://x.test/graphql", {}, body)) == name
    target = HandledService("https://x.test", slack).target(HttpRequest("POST", "https://x.test/graphql", {}, body))
    assert target == f"x.test/graphql/{name}".rstrip("/")


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """Count what is posted."""
    wsgi.count += len(environ["wsgi.input"].read())  # type: ignore[attr-defined]
    start_response("201 Created", [("Content-Type", "text/plain")])
    return [str(wsgi.count).encode()]  # type: ignore[attr-defined]


class Asgi:
    """Counts what is posted; its state is plain data."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        self.count += len((await receive()).get("body", b""))
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": str(self.count).encode()})

    def save(self) -> dict[str, int]:
        """Return the state."""
        return {"count": self.count}

    def restore(self, state: dict[str, int]) -> None:
        """Put the state back."""
        self.count = state["count"]


def test_an_application_is_a_service() -> None:
    """WSGI with bytes as its state and ASGI with plain data; both are restored, and described where that can be."""
    wsgi.count = 0  # type: ignore[attr-defined]
    wsgi.save = lambda: str(wsgi.count).encode()  # type: ignore[attr-defined]
    wsgi.restore = lambda state: setattr(wsgi, "count", int(state))  # type: ignore[attr-defined]
    for application, rows in (
        (wsgi, {"x.test/state": [{"name": "state", "value": 5}]}),
        (Asgi(), {"x.test/state": [{"name": "count", "value": 5}]}),
    ):
        service = HandledService("https://x.test", application)
        before, request = service.save(), HttpRequest("POST", "https://x.test/things", {}, b"12345")
        answer = service.handle(request)
        assert (answer.status, answer.body, answer.headers["content-type"]) == (201, b"5", "text/plain")
        assert service.describe(service.save()) == rows
        service.restore(before)
        assert service.handle(request) == answer


def test_a_compressed_answer_of_an_application_stays_as_it_is() -> None:
    """Its headers say how the body is encoded, and clients decode it."""
    headers, body = [("Content-Encoding", "gzip")], gzip.compress(b"hello")

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        encoded = [(name.encode(), text.encode()) for name, text in headers]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        await send({"type": "http.response.body", "body": body})

    def by_wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return [body]

    for application in (asgi, by_wsgi):
        application.save, application.restore = dict, lambda state: None  # type: ignore[attr-defined]
        answer = HandledService("https://x.test", application).handle(HttpRequest("GET", "https://x.test/"))
        assert (answer.body, answer.headers["content-encoding"]) == (body, "gzip")


def test_an_application_answers_beside_a_running_loop() -> None:
    """A test that is a coroutine itself can use one."""

    async def inside() -> HttpResponse:
        return HandledService("https://x.test", Asgi()).handle(HttpRequest("POST", "https://x.test/", {}, b"1"))

    assert asyncio.run(inside()).body == b"1"


@pytest.mark.parametrize(
    ("handler", "state", "code"),
    [
        (3, None, "bad-service"),
        (lambda request: {}, None, "bad-service"),
        ("openapi.yaml", None, "bad-openapi"),
        (Asgi(), {}, "bad-service"),
        (lambda scope, receive, send: None, None, "bad-service"),
        (slack, {"a": {1}}, "bad-state"),
        (slack, {1: 2}, "bad-state"),
        (slack, [float("nan")], "bad-state"),
        (slack, "\ud800", "bad-state"),
    ],
)
def test_what_cannot_be_a_service_is_refused_where_it_is_declared(handler: Any, state: Any, code: str) -> None:
    """Before anything runs."""
    with pytest.raises(ChaosError) as problem:
        HandledService(BASE, handler, state=state)
    assert problem.value.code == code


@pytest.mark.parametrize("kind", ["my bank", "", "a.b", 3])
def test_a_kind_that_no_token_can_name_is_refused(kind: Any) -> None:
    """What is printed can be pasted."""
    with pytest.raises(ChaosError, match="no kind of points"):
        HandledService(BASE, slack, kind=kind)


@pytest.mark.parametrize("refuse", [lambda: {}, lambda kind: 3, lambda kind: {}[kind], {"ok": False}])
def test_a_bad_refusal_is_refused_where_it_is_declared(refuse: Any) -> None:
    """Not in the middle of an exploration."""
    with pytest.raises(ChaosError):
        HandledService(BASE, slack, refuse=refuse)


def raises(request: HttpRequest, state: Any) -> object:
    """Change the state, and raise."""
    state["half"] = True
    raise KeyError("id")


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (raises, "service-failed"),
        (lambda request, state: None, "bad-answer"),
        (lambda request, state: (99, {}), "bad-answer"),
        (lambda request, state: ({}, 200), "bad-answer"),
        (lambda request, state: {"a": {1}}, "bad-answer"),
        (lambda request, state: {"a": float("nan")}, "bad-answer"),
        (lambda request, state: "\ud800", "bad-answer"),
        (lambda request, state: request.json(), "service-failed"),
        (lambda request, state: [state.update(a=slack)], "bad-state"),
    ],
)
def test_a_handler_that_goes_wrong_is_an_error_that_says_where(handler: Any, code: str) -> None:
    """The state is as before a handler that raised."""
    service = HandledService(BASE, handler, state={})
    with pytest.raises(ChaosError) as problem:
        service.handle(HttpRequest("POST", f"{BASE}/x"))
    assert problem.value.code == code
    assert code != "service-failed" or ("test_services.py:" in problem.value.hint and service.state == {})


@pytest.mark.parametrize("name", ["save", "restore"])
def test_an_application_that_cannot_save_or_restore_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is declared, by the name of the method."""
    monkeypatch.setattr(Asgi, name, lambda self, *state: {}["x"])
    with pytest.raises(ChaosError, match=rf"{name}\(\) of the application at https://x.test raised KeyError"):
        HandledService("https://x.test", Asgi())


def test_a_handler_that_keeps_state_elsewhere_is_told() -> None:
    """The same request in the same state has another answer, which no search can do with."""
    numbers = itertools.count()
    service = HandledService(BASE, lambda request, state: {"number": next(numbers)})
    service.handle(HttpRequest("GET", BASE))
    service.handle(HttpRequest("GET", f"{BASE}/other"))
    with pytest.raises(ChaosError, match="otherwise the second time") as told:
        service.handle(HttpRequest("GET", BASE))
    assert "its answer['number']: 2, then 3" in str(told.value)


def test_what_differs_in_the_state_is_shown_by_its_place() -> None:
    """In plain data; the service is left as it was after the second time."""
    numbers = itertools.count()

    def handler(request: HttpRequest, state: Any) -> tuple[int, str]:
        state["drawn"]["at"] = next(numbers)
        return 200, ""

    service = HandledService(BASE, handler, state={"drawn": {"at": 0}})
    before = service.save()
    service.handle(HttpRequest("GET", BASE))
    service.restore(before)
    with pytest.raises(ChaosError, match=r"the state after it\['drawn'\]\['at'\]: 1, then 2"):
        service.handle(HttpRequest("GET", BASE))
    assert service.state == {"drawn": {"at": 1}}


def test_cookies_of_a_service_stay_several() -> None:
    """Of an application, and of a handler that gives a list; a client keeps each."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2")])
        return [b""]

    application.save = bytes  # type: ignore[attr-defined]
    application.restore = lambda state: None  # type: ignore[attr-defined]
    cookies = {"set-cookie": ["a=1; Path=/", "b=2"]}
    for handler in (application, lambda request, state: (200, "", cookies)):
        answer = HandledService("https://x.test", handler).handle(HttpRequest("GET", "https://x.test/"))
        told = [value for name, value in answer.header_lines if name == "set-cookie"]
        assert told == ["a=1; Path=/", "b=2"]
        request = httpx.Request("GET", "https://x.test/")
        response = httpx.Response(200, headers=answer.header_lines, request=request)
        assert dict(response.cookies) == {"a": "1", "b": "2"}


@given(PLAIN)
def test_plain_data_comes_back_and_is_shown(data: Any) -> None:
    """Whatever the state is, it is saved as it is, and each part of it that is there has rows."""
    rows = rows_by_name(data)
    assert dumped(data, "it") == dumped(data, "it")
    assert all(rows.values())
    assert all(isinstance(row, dict) for found in rows.values() for row in found)


def test_rows_of_a_state() -> None:
    """A row for each element and for each key; an id of the row's own stays, and single values are together."""
    state = {"list": [{"a": 1}, 2], "by_id": {"x": {"a": 1}, "y": {"id": "z"}}, "keys": {"k": 5}, "n": 3, "none": []}
    assert rows_by_name(state) == {
        "list": [{"a": 1}, {"value": 2}],
        "by_id": [{"id": "x", "a": 1}, {"key": "y", "id": "z"}],
        "keys": [{"id": "k", "value": 5}],
        "state": [{"name": "n", "value": 3}],
    }
    assert rows_by_name([1]) == {"state": [{"value": 1}]}


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        ({"a": 1}, 200, b'{"a": 1}'),
        ("hé", 200, "hé".encode()),
        ((204, None), 204, b""),
        ((500, b"\xff", {"X-A": 1}), 500, b"\xff"),
    ],
)
def test_forms_of_an_answer(answer: object, status: int, body: bytes) -> None:
    """What the contract lists."""
    response = response_of(answer, "it")
    assert (response.status, response.body) == (status, body)
    assert response.headers.get("x-a", "1") == "1"


def conversations(request: HttpRequest, state: Any) -> object:
    """Keep messages by the id that the client gives, and list them."""
    if request.path == "/api/conversations.history":
        return {"ok": True, "messages": list(state.values())}
    message = request.form()
    state[message["client_msg_id"]] = message
    return {"ok": True}


def careless(token: str = "") -> str:
    """Believe the status, which is 200 whatever happened."""
    httpx.post(f"{BASE}/chat.postMessage", data={"text": "hello"}, headers={"authorization": token}).raise_for_status()
    return "announced"


def careful() -> str:
    """Read what the service says, and give each message an id."""
    for _ in range(3):
        answer = httpx.post(f"{BASE}/chat.postMessage", data={"text": "hello", "client_msg_id": "1"}).json()
        if answer["ok"]:
            return "announced"
        if answer["error"] != "ratelimited":
            break
    raise RuntimeError(answer["error"])


def insistent() -> None:
    """Send a refused credential again and again."""
    for _ in range(5):
        answer = httpx.post(f"{BASE}/chat.postMessage", headers={"authorization": "Bearer xoxb-17-hT5kQ2"}).json()
        if answer["ok"]:
            return


def says_all(kind: str) -> object:
    """Refuse with 200."""
    return {
        "ok": False,
        "error": {"rate_limited": "ratelimited", "unauthorized": "invalid_auth"}.get(kind, "fatal_error"),
    }


@pytest.mark.parametrize(
    ("run", "handler", "faults", "broken"),
    [
        (careless, slack, ["http.rate_limited"], {"honest_outcome"}),
        (careful, conversations, ["http.rate_limited", "http.timeout", "http.server_error", "process.kill"], set()),
        (insistent, slack, ["credentials.revoked"], {"credential_hygiene"}),
    ],
)
def test_faults_come_in_the_services_own_words(
    run: Any, handler: Any, faults: list[str], broken: set[str], tmp_path: Path
) -> None:
    """Who believes a 200 is found, who reads the word is clean, and a key that is refused with 200 is a refused key."""

    def explore(chaos: Any, folder: Path) -> None:
        chaos.service(BASE, handler, refuse=says_all)
        chaos.explore(run)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only(*faults))
    if run is careless:
        (finding,) = result.violations
        assert 'with 200 {"ok": false, "error": "ratelimited"}' in finding.sentence
        assert any('answers 200 {"ok": false, "error": "ratelimited"}' in step.outcome for step in finding.story)
    assert (breaks(result), result.errors) == (broken, ())
    assert "slack.test/api/chat.postMessage" in "".join(cell.point for cell in result.cells)
