"""Slack's twin and Slack's own SDK: messages, threads, pages, errors; and a message that an exploration sees twice."""

import ssl
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from rollproof.engine.process_runs import BIRTH
from rollproof.testing import check_twin
from rollproof.values.errors import ChaosError
from rollproof.values.http import HttpRequest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.exploring import explored, only

TOKEN = "xoxb-17653285-hT5kQ2vWzR8"
ADA = {"id": "U023BECGF", "name": "ada", "profile": {"email": "ada@example.com"}}

SSL = ssl.create_default_context()
"""One for all clients: each request of the SDK's makes its own otherwise, which is most of its work."""


def client(token: str = TOKEN) -> WebClient:
    """Return the SDK's client, without its retries."""
    return WebClient(token, ssl=SSL, retry_handlers=[])


def refused(call: Any, **given: Any) -> str:
    """Return the error of a call that Slack refuses."""
    with pytest.raises(SlackApiError) as problem:
        call(**given)
    return str(problem.value.response["error"])


def test_messages_are_posted_changed_and_answered(declared: Any) -> None:
    """By the SDK's forms and JSON; a thread has its replies, a deleted message is gone."""
    twin, slack = declared("slack", TOKEN, users=[ADA]), client()
    assert slack.auth_test()["user"] == "agent"
    first = slack.chat_postMessage(channel="#general", text="The report is out", metadata={"event_type": "r"})
    channel, ts = first["channel"], first["ts"]
    assert (first["message"]["text"], ts[10]) == ("The report is out", ".")
    reply = slack.chat_postMessage(channel=channel, thread_ts=ts, text="Really", blocks=[{"type": "divider"}])
    slack.chat_update(channel=channel, ts=ts, text="The report is late")
    slack.reactions_add(channel=channel, name="eyes", timestamp=ts)
    assert refused(slack.reactions_add, channel=channel, name="eyes", timestamp=ts) == "already_reacted"
    (seen,) = slack.conversations_history(channel=channel, include_all_metadata=True)["messages"]
    assert (seen["text"], seen["reply_count"], seen["metadata"]) == ("The report is late", 1, {"event_type": "r"})
    assert seen["reactions"] == [{"name": "eyes", "users": [slack.auth_test()["user_id"]], "count": 1}]
    replies = slack.conversations_replies(channel=channel, ts=ts)["messages"]
    assert [one["ts"] for one in replies] == [ts, reply["ts"]]
    assert slack.conversations_history(channel=channel, oldest=ts)["messages"] == []
    assert len(slack.conversations_history(channel=channel, oldest=ts, inclusive=True)["messages"]) == 1
    assert slack.chat_getPermalink(channel=channel, message_ts=ts)["permalink"].endswith(ts.replace(".", ""))
    slack.reactions_remove(channel=channel, name="eyes", timestamp=ts)
    slack.chat_delete(channel=channel, ts=reply["ts"])
    slack.chat_postMessage(channel="U023BECGF", text="Hello, Ada")
    rows = twin.describe(twin.save())["slack.com/api/messages"]
    assert [(row["text"], row["channel"][0]) for row in rows] == [("The report is late", "C"), ("Hello, Ada", "D")]


def test_messages_are_scheduled(declared: Any) -> None:
    """They wait, and can be taken back."""
    declared("slack")
    slack = client()
    later = slack.chat_scheduleMessage(channel="general", text="Good morning", post_at=1_800_000_000)
    (waiting,) = slack.chat_scheduledMessages_list()["scheduled_messages"]
    assert (waiting["id"], waiting["post_at"]) == (later["scheduled_message_id"], 1_800_000_000)
    slack.chat_deleteScheduledMessage(channel=later["channel"], scheduled_message_id=waiting["id"])
    assert slack.chat_scheduledMessages_list()["scheduled_messages"] == []
    assert refused(slack.chat_scheduleMessage, channel="general", text="a", post_at="soon") == "invalid_time"


def test_channels_and_users_come_in_pages(declared: Any) -> None:
    """The SDK follows the cursor; an archived channel is no longer there."""
    twin, slack = declared("slack", channels=[f"team-{n}" for n in range(5)], users=[ADA, "bob"]), client()
    pages = [page["channels"] for page in slack.conversations_list(limit=2)]
    assert [[one["name"][-1] for one in page] for page in pages] == [["0", "1"], ["2", "3"], ["4"]]
    assert refused(slack.conversations_list, cursor="bm9uZQ==") == "invalid_cursor"
    made = slack.conversations_create(name="launch")["channel"]
    assert refused(slack.conversations_create, name="launch") == "name_taken"
    slack.conversations_setTopic(channel=made["id"], topic="Go")
    slack.conversations_leave(channel=made["id"])
    assert refused(slack.chat_postMessage, channel="launch", text="a") == "not_in_channel"
    slack.conversations_join(channel=made["id"])
    assert slack.conversations_info(channel=made["id"])["channel"]["topic"]["value"] == "Go"
    slack.conversations_archive(channel=made["id"])
    assert refused(slack.chat_postMessage, channel="launch", text="a") == "is_archived"
    assert len(twin.describe(twin.save())["slack.com/api/channels"]) == 5
    assert [one["name"] for one in slack.users_list()["members"]] == ["agent", "ada", "bob"]
    assert slack.users_info(user="U023BECGF")["user"]["name"] == "ada"
    assert slack.users_lookupByEmail(email="ada@example.com")["user"]["id"] == "U023BECGF"
    assert slack.conversations_open(users="U023BECGF")["channel"]["is_im"]


def test_errors_are_slacks_words(declared: Any) -> None:
    """With the status 200; only a rate limit has 429, and says for how long."""
    twin = declared("slack", TOKEN)
    slack = client()
    assert refused(slack.chat_postMessage, channel="nowhere", text="a") == "channel_not_found"
    assert refused(slack.api_call, api_method="chat.postMessage", json={"channel": "general"}) == "no_text"
    assert refused(slack.chat_postMessage, channel="general", text="a", thread_ts="1.2") == "thread_not_found"
    assert refused(slack.users_info, user="U0") == "user_not_found"
    assert refused(slack.api_call, api_method="chat.shout") == "unknown_method"
    assert refused(client("xoxb-other").auth_test) == "invalid_auth"
    request = HttpRequest("POST", "https://slack.com/api/chat.postMessage")
    assert (twin.refuse(request, 401, {}).status, twin.refuse(request, 500, {}).status) == (200, 500)
    limited = twin.refuse(request, 429, {})
    assert (limited.json(), limited.headers["retry-after"]) == ({"ok": False, "error": "ratelimited"}, "1")


def test_it_is_a_twin(declared: Any) -> None:
    """It keeps the contract of every twin, for its forms as for JSON."""
    twin, url = declared("slack"), "https://slack.com/api/chat.postMessage"
    form = {"content-type": "application/x-www-form-urlencoded"}
    check_twin(twin, HttpRequest("POST", url, form, b"channel=general&text=[]&blocks=[{}]"))
    row = twin.describe(twin.save())["slack.com/api/messages"][0]
    assert (row["text"], row["blocks"], twin.target(HttpRequest("GET", url))) == ("[]", [{}], url[8:])
    for body in (b"[]", b"{"):
        assert not twin.handle(HttpRequest("POST", url, {"content-type": "application/json"}, body)).json()["ok"]


def test_values_of_a_wrong_type_are_refused(declared: Any) -> None:
    """In Slack's words, and nothing is kept; a handler of the test's own that raises is told as that."""
    twin = declared("slack", TOKEN)
    json_type = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
    before, id = twin.save(), next(iter(twin.state["channels"]))

    def said(method: str, body: bytes, **headers: str) -> dict[str, Any]:
        request = HttpRequest("POST", f"https://slack.com/api/{method}", {**json_type, **headers}, body)
        return dict(twin.handle(request).json())

    wrong = {"ok": False, "error": "invalid_arguments"}
    assert said("chat.postMessage", b'{"channel": "general", "text": "a", "thread_ts": ["1"]}') == wrong
    assert said("conversations.history", f'{{"channel": "{id}", "oldest": "yesterday"}}'.encode()) == wrong
    assert (twin.save(), twin.own_secrets) == (before, {"the token of https://slack.com/api": TOKEN})
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert said("chat.postMessage", b"channel=general&text=a&username=[Bot", **form)["ok"]
    twin.route("POST", "/files.info", lambda request, state: [][0])
    with pytest.raises(ChaosError, match="service-failed"):
        said("files.info", b"{}")


def test_messages_are_of_the_hour_before_the_run(declared: Any) -> None:
    """An agent that looks back a day finds them, and none is of the future."""
    declared("slack")
    ts = float(client().chat_postMessage(channel="general", text="a")["ts"])
    assert BIRTH - 3600 <= ts < BIRTH
    assert len(client().conversations_history(channel=channel_id(), oldest=str(BIRTH - 86_400))["messages"]) == 1


def remind() -> None:
    """Post a reminder and charge for it, unless that was done in the last minutes; look for both, and for a stamp."""
    url, at = "https://slack.com/api", str(time.time() - 600)
    channel = httpx.get(f"{url}/conversations.list").json()["channels"][0]["id"]
    recent = {"channel": channel, "oldest": at}
    if not httpx.get(f"{url}/conversations.history", params=recent).json()["messages"]:
        httpx.post(f"{url}/chat.postMessage", data={"channel": channel, "text": "Pay"})
    charges, made = "https://api.stripe.com/v1/charges", {"created[gte]": str(int(time.time()) - 600)}
    if not httpx.get(charges, params=made).json()["data"]:
        httpx.post(charges, data={"amount": "5", "currency": "eur", "source": "tok_visa"})
    (message,) = httpx.get(f"{url}/conversations.history", params={**recent, "latest": time.time()}).json()["messages"]
    (charge,) = httpx.get(charges, params=made).json()["data"]
    stamp = httpx.post("https://stamp.test/").json()["at"]
    assert max(abs(float(at) - time.time()) for at in (message["ts"], charge["created"], stamp)) < 60


def test_services_go_by_the_agents_clock(tmp_path: Path) -> None:
    """What an agent made a moment ago is of the last minutes, and one that looks for that first is right."""

    def stamp(request: HttpRequest, state: dict[str, Any]) -> object:
        state["at"] = request.time
        return state

    def explore(chaos: Any, folder: Path) -> None:
        for name in ("slack", "stripe"):
            chaos.twin(name)
        chaos.service("https://stamp.test", stamp)
        chaos.explore(remind)

    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **only("process.kill"))
    assert (result.errors, result.violations, result.closed) == ((), (), True)


def channel_id() -> str:
    """Return the id of the first channel."""
    return str(client().conversations_list()["channels"][0]["id"])


def announce(careful: bool) -> str:
    """Post that a report is out; where no answer came, look whether it is there, or post it again at once."""
    slack = client()
    channel = slack.conversations_list()["channels"][0]["id"]
    for _ in range(2):
        if not careful or not slack.conversations_history(channel=channel)["messages"]:
            try:
                slack.chat_postMessage(channel=channel, text="The report is out")
            except TimeoutError:
                continue
        return "announced"
    raise TimeoutError("nobody answers")


@pytest.mark.parametrize("careful", [False, True])
def test_an_exploration_sees_a_second_message(careful: bool, tmp_path: Path) -> None:
    """The answer to a message is lost; an agent that only posts again has posted twice."""

    def explore(chaos: Any, folder: Path) -> None:
        chaos.twin("slack", TOKEN)
        chaos.explore(lambda: announce(careful), lambda: announce(True))

    faults = only("http.timeout", *["http.rate_limited"] * careful)
    result = explored(SimpleNamespace(explore=explore), tmp_path / "it", **faults)
    assert result.errors == ()
    assert "http.post:slack.com/api/chat.postMessage#1" in {cell.point for cell in result.cells}
    assert [finding.title for finding in result.violations] == (
        [] if careful else ["Message 'The report is out' goes out twice"]
    )
    cures = [(finding.cure.tried, finding.cure.outcome.partition(":")[0]) for finding in result.violations]
    assert cures == ([] if careful else [("nothing", "Slack documents no idempotency key")])
