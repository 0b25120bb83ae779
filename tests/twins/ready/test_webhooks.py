"""Webhooks: who takes them, how they are signed, how their sender goes wrong, and what is explored of it."""

import asyncio
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import httpx
import openai
import pytest
import stripe
from rollproof.chaos import Chaos
from rollproof.engine.plan import resolve
from rollproof.scenarios import test_lost_webhook as story
from rollproof.testing import check_twin
from rollproof.twins.delivering import Undelivered
from rollproof.twins.ready.webhooks import Webhooks, webhooks
from rollproof.twins.webhook_forms import webhook_of
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest, HttpResponse
from rollproof.values.points import Effect, Point
from rollproof.values.schedule import Schedule

from tests.exploring import breaks, explored, only, options, replayed, scenario

Serve = Callable[[Callable[[HttpRequest], HttpResponse]], None]
EVENTS = [("order.created", {"n": 1}), ("order.paid", {"n": 2}), ("order.shipped", {"n": 3})]
URL = "https://webhooks.test"


def declared(serve: Serve, **settings: Any) -> Webhooks:
    """Return a sender with three events, that answers this process."""
    hooks = webhooks(**{"events": EVENTS, **settings})
    serve(hooks.handle)
    return hooks


def taken(deliver: Callable[..., object]) -> list[int]:
    """Return the numbers of the events that come, in order."""
    found: list[int] = []
    deliver(to=lambda webhook: found.append(webhook.data["n"]))
    return found


def test_it_is_a_twin() -> None:
    """It keeps the contract of every twin; nobody else is answered."""
    hooks = webhooks(events=EVENTS)
    check_twin(hooks, HttpRequest("POST", f"{URL}/answer", {}, b'{"id": "evt_1", "type": "order.created"}'))
    asked = HttpRequest("POST", f"{URL}/deliver", {}, b'{"id": "evt_1", "type": "a b/c"}')
    assert (hooks.verb(asked), hooks.target(asked)) == ("deliver", "webhooks.test/a_b_c")
    assert hooks.handle(HttpRequest("GET", f"{URL}/events")).status == 404


def test_what_is_not_answered_waits_and_comes_again(serve: Serve) -> None:
    """Each event comes once, in order; the others come though one is refused, and the first error is told."""
    hooks, came = declared(serve), []

    def handler(webhook: Any) -> Any:
        came.append(webhook.type)
        if webhook.data["n"] == 2:
            raise LookupError("no such order")
        return (503, "later") if webhook.data["n"] == 3 else None

    with pytest.raises(Undelivered, match=r"evt_2 \(raised LookupError.*evt_3 \(answered 503\)") as problem:
        hooks.deliver(to=handler)
    assert isinstance(problem.value.__cause__, LookupError)
    assert came == [type for type, _ in EVENTS]
    assert [(event["id"], event["data"]) for event in hooks.pending] == [("evt_2", {"n": 2}), ("evt_3", {"n": 3})]
    assert taken(hooks.deliver) == [2, 3]
    assert (hooks.pending, taken(hooks.deliver)) == ([], [])


def test_a_refused_delivery_is_told_as_what_its_sender_got(tmp_path: Path) -> None:
    """The story has the status, and what the handler raised; the delivery is no 200."""

    def run(hooks: Any) -> None:
        with suppress(Undelivered):
            hooks.deliver(to=lambda webhook: httpx.post("https://ship.test/parcels", json=webhook.data))

    def explore(chaos: Any, folder: Path) -> None:
        chaos.api("https://ship.test")
        hooks = chaos.twin("webhooks", events=EVENTS[:2])
        chaos.explore(run=lambda: run(hooks))

    token = "http.timeout@http.post:ship.test/parcels#2:after"
    told = replayed(SimpleNamespace(explore=explore), tmp_path / "it", token)
    (story,) = {finding.story for finding in told.violations}
    steps = {step.point: step.outcome for step in story}
    assert steps["webhook.deliver:webhooks.test/order.created#1"] == "came"
    assert steps["webhook.deliver:webhooks.test/order.paid#1"].startswith("came; the sender got 500 (raised ")


@pytest.mark.parametrize("answer", [0, 7, 99, 600, True, (12_345, "rows")])
def test_a_number_that_is_no_status_is_an_answer(answer: Any, serve: Serve) -> None:
    """A handler may return what it likes, such as an id: the event has been taken."""
    hooks = declared(serve)
    hooks.deliver(to=lambda webhook: answer)
    assert hooks.pending == []


def test_a_secret_that_was_given_is_no_part_of_any_output() -> None:
    """The one that everybody has is."""
    secret = "whsec_c2VjcmV0IG9mIHRoZSBzZW5kZXI="
    assert webhooks(secret=secret).own_secrets == {f"the secret of {URL}": secret}
    assert webhooks().own_secrets == {}


def asgi_and_wsgi(found: list[int]) -> tuple[Any, Any]:
    """Return two applications that note the number of an event that comes to ``/hooks``, and know no other path."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        found.append(json.loads((await receive())["body"])["data"]["n"])
        status = 204 if scope["path"] == "/hooks" else 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    wsgi = flask.Flask("agent")
    wsgi.post("/hooks")(lambda: (found.append(flask.request.get_json()["data"]["n"]), ("", 204))[1])
    return asgi, wsgi


def test_applications_and_coroutines_take_them(serve: Serve) -> None:
    """ASGI, WSGI and async functions do, with a loop and without; a path that an application lacks is told."""
    hooks, found = declared(serve, events=()), list[int]()
    asgi, wsgi = asgi_and_wsgi(found)

    async def handler(webhook: Any) -> SimpleNamespace:
        await asyncio.sleep(0)
        found.append(webhook.data["n"])
        return SimpleNamespace(status_code=202)

    for n, to in enumerate((asgi, wsgi, handler)):
        hooks.emit("order.paid", {"n": n})
        hooks.deliver(to=to, path="/hooks")
        hooks.emit("order.paid", {"n": n})
        asyncio.run(hooks.adeliver(to=to, path="/hooks"))
    assert (found, hooks.pending) == ([0, 0, 1, 1, 2, 2], [])
    hooks.emit("order.paid", {"n": 9})
    for to in (asgi, wsgi):
        with pytest.raises(Undelivered, match="answered 404"):
            hooks.deliver(to=to)


def test_signatures_are_those_that_the_sdks_verify() -> None:
    """OpenAI's SDK reads Standard Webhooks, Stripe's its own; GitHub's is the HMAC of the body."""
    data, now = {"id": "o_1", "object": "order"}, int(time.time())
    event = {"id": "evt_1", "type": "order.paid", "created": 1_767_225_601, "data": data}
    standard = webhook_of("standard", "whsec_c2VjcmV0IG9mIHRoZSBzZW5kZXI=", event, now)
    client = openai.OpenAI(api_key="k").webhooks
    client.verify_signature(standard.body, standard.headers, secret="whsec_c2VjcmV0IG9mIHRoZSBzZW5kZXI=")
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.verify_signature(standard.body, standard.headers, secret="whsec_YW5vdGhlciBzZWNyZXQ=")
    assert standard.json() == {"type": "order.paid", "timestamp": "2026-01-01T00:00:01Z", "data": data}
    charged = webhook_of("stripe", "whsec_of_stripe", event, now)
    told = stripe.Webhook.construct_event(charged.body, charged.headers["stripe-signature"], "whsec_of_stripe")
    assert (told.id, told.type, told.data.object["id"]) == ("evt_1", "order.paid", "o_1")
    pull = webhook_of("github", "it is a secret", event, now)
    assert (pull.headers["x-github-event"], pull.json()["action"]) == ("order", "paid")
    expected = hmac.new(b"it is a secret", pull.body, hashlib.sha256).hexdigest()
    assert pull.headers["x-hub-signature-256"] == f"sha256={expected}"


@pytest.mark.parametrize(
    ("verb", "how", "came", "afterwards"),
    [
        ("deliver", "swapped", [2, 1, 3], []),
        ("deliver", "last", [2, 3, 1], []),
        ("deliver", "held", [2, 3], [1]),
        ("deliver", "given up", [2, 3], []),
        ("answer", "again", [1, 1, 2, 3], []),
        ("answer", "not heard", [1, 2, 3, 1], []),
    ],
)
def test_a_sender_goes_wrong_once(serve: Serve, verb: str, how: str, came: list[int], afterwards: list[int]) -> None:
    """At the first delivery or answer, in each way; then all is as it should be, and nothing of it is left."""
    hooks, wrong = webhooks(events=EVENTS), [how]

    def answer(request: HttpRequest) -> HttpResponse:
        return (
            hooks.fault_response(request, wrong.pop())
            if wrong and hooks.verb(request) == verb
            else hooks.handle(request)
        )

    serve(answer)
    found: list[int] = []
    late = pytest.raises(Undelivered, match=r"evt_1 \(comes later\)") if afterwards else nullcontext()
    with late:
        hooks.deliver(to=lambda webhook: found.append(webhook.data["n"]))
    assert (found, taken(hooks.deliver), hooks.pending) == (came, afterwards, [])


@pytest.mark.parametrize(("behind", "reordered", "late"), [(0, 0, 1), (1, 1, 1), (2, 1, 2)])
def test_an_order_is_changed_only_where_there_is_one(behind: int, reordered: int, late: int) -> None:
    """Without another event nothing can be swapped; two ways that come to the same are one; a token says so."""
    known, point = options().known, Point("webhook", "deliver", "webhooks.test/order.paid")
    effect = Effect(point, request=HttpRequest("POST", f"{URL}/deliver", {}, json.dumps({"behind": behind}).encode()))
    counts = [len(list(known[name].actions(effect))) for name in ("webhook.reordered", "webhook.late")]
    assert counts == [reordered, late]
    schedule = Schedule.parse(f"webhook.reordered@{point}:before")
    if reordered:
        assert resolve(schedule, known, {point: effect})
    else:
        with pytest.raises(ChaosError, match="does not strike"):
            resolve(schedule, known, {point: effect})


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: webhooks(form="stripes"),
        lambda: webhooks(secret="whsec_é"),
        lambda: webhooks(events=[("order.paid", [1])]),
        lambda: webhooks().emit("", {}),
        lambda: webhooks().emit("order.paid", {"at": b""}),
        lambda: webhooks().deliver(to=3),
        lambda: webhooks().deliver(to=print, path="hooks"),
    ],
)
def test_what_cannot_be_delivered_is_refused(misuse: Callable[[], object]) -> None:
    """By one clear error, before anything is sent."""
    with pytest.raises(ChaosError):
        misuse()


def test_events_of_a_service_and_of_the_agent_are_explored(tmp_path: Path) -> None:
    """A service emits an event in its handler and the agent another one; both come to an agent in a loop."""

    def explore(chaos: Any, folder: Path) -> None:
        done = folder / "done"
        done.mkdir()
        chaos.watch(done)
        hooks = chaos.twin("webhooks")
        chaos.service("https://jobs.test", lambda request, state: [hooks.emit("job.done", {"n": 1})])

        async def handler(webhook: Any) -> None:
            (done / f"{webhook.type}-{webhook.data['n']}").touch()

        async def run() -> None:
            async with httpx.AsyncClient() as client:
                await client.post("https://jobs.test/jobs")
            hooks.emit("agent.said", {"n": 2})
            await hooks.adeliver(to=handler)

        chaos.explore(run=run, recover=lambda: hooks.deliver(to=handler))
        assert sorted(path.name for path in done.iterdir()) == ["agent.said-2", "job.done-1"]
        assert hooks.pending == []

    names = ("webhook.late", "webhook.reordered", "webhook.twice", "webhook.lost_answer")
    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only(*names))
    assert (result.violations, result.errors, result.drifted) == ((), (), ())
    struck = {(cell.point, cell.fault) for cell in result.cells}
    job, said = "webhooks.test/job.done#1", "webhooks.test/agent.said#1"
    assert struck == {
        ("webhook.deliver:" + job, "webhook.late"),
        ("webhook.deliver:" + job, "webhook.reordered"),
        ("webhook.deliver:" + said, "webhook.late"),
        *(("webhook.answer:" + target, name) for target in (job, said) for name in names[2:]),
    }


def test_a_server_of_the_agent_takes_them_at_its_address() -> None:
    """A real port, to which the network has to be permitted; here in an ordinary run."""
    chaos, found = Chaos(options(active=False)), list[int]()
    hooks = chaos.twin("webhooks", events=[("order.paid", {"n": 1})])
    chaos.allow_network("127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["data"]["n"])
            self.send_response(204)
            self.end_headers()

    def run() -> None:
        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                hooks.deliver(to=f"http://127.0.0.1:{server.server_port}/hooks")
            finally:
                server.shutdown()
                thread.join()

    chaos.explore(run=run, recover=run)
    assert (found, hooks.pending) == ([1], [])


def test_a_lost_webhook_is_found_where_nobody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scenario's agent ships all the same; one that only waits for webhooks does not."""
    agent = scenario("lost_webhook", "test_what_is_paid_for_is_shipped_once_whatever_becomes_of_its_webhook")
    token = "webhook.lost@webhook.deliver:webhooks.test/payment.succeeded#2:before"
    assert replayed(agent, tmp_path / "right", token).violations == ()
    monkeypatch.setattr(story.Shop, "reconcile", lambda self: None)
    assert breaks(replayed(agent, tmp_path / "wrong", token)) == {"all_or_nothing"}


def test_the_example_of_the_docs_runs_without_chaos(pytester: pytest.Pytester) -> None:
    """The twin is found by its name in an ordinary run, too."""
    section = (Path(__file__).parents[3] / "docs" / "services.md").read_text(encoding="utf-8").split("### Webhooks")[1]
    pytester.makepyfile(section.split("```python\n")[1].split("```")[0])
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=1)
