"""Slack: channels, messages, threads, reactions and users, as the methods of its Web API that agents call most."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...values.http import HttpRequest
from ...values.world import Row
from ..ready_service import Provider, ReadyService, State, seeded
from ..slack_calls import Call, arguments, no, refusal

_NAME = re.compile(r"[a-z0-9_-]{1,80}")
_MOST_CHARACTERS = 40_000
_NO_KEYS = (
    "Slack documents no idempotency key: before a message is posted again, look for it in conversations.history "
    "(its metadata can name the work that it is of)"
)
_OF_A_MESSAGE = ("text", "blocks", "attachments", "metadata")


def slack(
    token: str | None = None,
    *,
    base_url: str = "https://slack.com/api",
    channels: Sequence[str | Row] = ("general",),
    users: Sequence[str | Row] = (),
) -> ReadyService:
    """Slack: messages, threads, reactions, channels, users; it answers 200 and says in the body how it went.

    Its own user is ``agent``, a member of every channel that is there before the run. A message that is deleted and a
    channel that is archived count as gone.

    Args:
        token: the only one that is accepted; None accepts each.
        base_url: where the client sends its requests.
        channels: names, or ``{"id": "C024BE91L", "name": "general"}``.
        users: the same: ``{"id": "U023BECGF", "name": "ada", "profile": {"email": "ada@example.com"}}``.
    """
    state: State = {"channels": {}, "users": {}, "messages": {}, "scheduled_messages": {}}
    service = ReadyService(base_url, Provider(refusal, _live, _unknown, _NO_KEYS), state, token)
    for name, method in _METHODS.items():
        for verb in ("GET", "POST"):
            service.own_route(verb, f"/{name}", _handler(service, method))
    begin = service.state
    for row in [{"name": "agent", "is_bot": True}, *seeded(users, "users of slack", '["ada"]')]:
        id = row.get("id") or f"U{service.letters(begin, 'user')}"
        begin["users"][id] = {"id": id, "is_bot": False, "deleted": False, "profile": {}, **row}
    for row in seeded(channels, "channels of slack", '["general"]'):
        Call(service, begin, {}).add_channel(_channel(str(row.get("name", "general")), is_private=False) | row)
    service.begin_with(begin)
    return service


def _channel(name: str, *, is_private: bool) -> Row:
    return {"name": name, "is_channel": True, "is_private": is_private, "topic": {"value": ""}}


def _handler(service: ReadyService, method: Callable[[Call], Row | None]) -> Callable[..., object]:
    return lambda request, state: {"ok": True, **(method(Call(service, state, arguments(request))) or {})}


def _unknown(request: HttpRequest, state: State) -> object:
    return {"ok": False, "error": "unknown_method"}


def _live(state: State) -> Mapping[str, Any]:
    channels = {id: row for id, row in state["channels"].items() if not row["is_archived"]}
    messages = [row for row in state["messages"].values() if row["channel"] in channels]
    return {**state, "channels": channels, "messages": [{"id": row["ts"], **row} for row in messages], "_made": {}}


def _me(call: Call) -> str:
    return str(next(iter(call.state["users"])))


def _target(call: Call) -> Row:
    """Return the conversation that a message goes to: a channel by id or name, or the one with a user."""
    name = str(call.given.get("channel", ""))
    channels = call.state["channels"]
    if name in call.state["users"]:
        return _conversation(call, name)
    by_name = (row for row in channels.values() if row.get("name") == name.removeprefix("#"))
    row: Row = channels.get(name) or next(by_name, None) or no("channel_not_found")
    if row["is_archived"]:
        no("is_archived")
    return row if row["is_member"] else no("not_in_channel")


def _conversation(call: Call, user: str) -> Row:
    there = next((row for row in call.state["channels"].values() if row.get("user") == user), None)
    return there or call.add_channel({"is_im": True, "user": user})


def _content(call: Call) -> Row:
    content = {key: call.given[key] for key in _OF_A_MESSAGE if call.given.get(key)}
    if not content.keys() - {"metadata"}:
        no("no_text")
    if len(str(content.get("text", ""))) > _MOST_CHARACTERS:
        no("msg_too_long")
    return {"text": "", **content}


def _auth_test(call: Call) -> Row:
    return {
        "url": "https://rollproof.slack.com/",
        "team": "rollproof",
        "team_id": "T1",
        "user": "agent",
        "user_id": _me(call),
    }


def _post(call: Call) -> Row:
    content, thread = _content(call), call.given.get("thread_ts")
    channel = _target(call)
    if thread and call.state["messages"].get(thread, {}).get("channel") != channel["id"]:
        no("thread_not_found")
    ts = f"{call.service.time(call.state)}.{call.service.counted(call.state, 'message', most=9) * 100 % 1_000_000:06}"
    row = {"ts": ts, "channel": channel["id"], "type": "message", "user": _me(call), **content}
    call.state["messages"][ts] = row | ({"thread_ts": thread} if thread else {})
    return {"channel": channel["id"], "ts": ts, "message": _shown(call, call.state["messages"][ts])}


def _update(call: Call) -> Row:
    row, content = call.message(), _content(call)
    row.update(content, edited={"user": _me(call)})
    return {"channel": row["channel"], "ts": row["ts"], "text": row["text"], "message": _shown(call, row)}


def _delete(call: Call) -> Row:
    row = call.message()
    del call.state["messages"][row["ts"]]
    return {"channel": row["channel"], "ts": row["ts"]}


def _schedule(call: Call) -> Row:
    content, at = _content(call), str(call.given.get("post_at", ""))
    channel = _target(call)
    if not at.isdigit():
        no("invalid_time")
    id = f"Q{call.service.letters(call.state, 'scheduled')}"
    row = {"id": id, "channel_id": channel["id"], "post_at": int(at), **content}
    call.state["scheduled_messages"][id] = row
    return {"channel": channel["id"], "scheduled_message_id": id, "post_at": int(at), "message": content}


def _unschedule(call: Call) -> None:
    id = call.given.get("scheduled_message_id")
    call.state["scheduled_messages"].pop(id, None) or no("invalid_scheduled_message_id")


def _scheduled(call: Call) -> Row:
    rows = call.state["scheduled_messages"].values()
    return call.page(
        "scheduled_messages", [row for row in rows if call.given.get("channel") in (None, row["channel_id"])]
    )


def _permalink(call: Call) -> Row:
    row = call.message("message_ts")
    return {"permalink": f"https://rollproof.slack.com/archives/{row['channel']}/p{row['ts'].replace('.', '')}"}


def _shown(call: Call, row: Row) -> Row:
    """Return a message as others see it, with how many have answered."""
    replies = [one for one in call.state["messages"].values() if one.get("thread_ts") == row["ts"]]
    thread = {"thread_ts": row["ts"], "reply_count": len(replies), "latest_reply": replies[-1]["ts"]} if replies else {}
    hidden = () if call.flag("include_all_metadata") else ("metadata",)
    return {key: value for key, value in row.items() if key not in ("channel", *hidden)} | thread


def _history(call: Call) -> Row:
    id, given = call.channel()["id"], call.given
    rows = [row for row in call.state["messages"].values() if row["channel"] == id and "thread_ts" not in row]
    ends = [str(given[name]) for name in ("oldest", "latest") if given.get(name)] if call.flag("inclusive") else []
    oldest, latest = float(given.get("oldest") or 0), float(given.get("latest") or "inf")
    found = [_shown(call, row) for row in rows if oldest < float(row["ts"]) < latest or row["ts"] in ends]
    answer = call.page("messages", found[::-1], "ts")
    return {**answer, "has_more": bool(answer["response_metadata"]["next_cursor"])}


def _replies(call: Call) -> Row:
    parent = call.message(error="thread_not_found")
    rows = [row for row in call.state["messages"].values() if row.get("thread_ts") == parent["ts"]]
    return call.page("messages", [_shown(call, row) for row in (parent, *rows)], "ts")


def _channels(call: Call) -> Row:
    types = str(call.given.get("types") or "public_channel").split(",")
    rows = [row for row in call.state["channels"].values() if _type(row) in types]
    return call.page("channels", [row for row in rows if not (row["is_archived"] and call.flag("exclude_archived"))])


def _type(row: Row) -> str:
    return "im" if row.get("is_im") else "private_channel" if row["is_private"] else "public_channel"


def _create(call: Call) -> Row:
    name = str(call.given.get("name", ""))
    if not _NAME.fullmatch(name):
        no("invalid_name" if name else "invalid_name_required")
    if any(row.get("name") == name for row in call.state["channels"].values()):
        no("name_taken")
    return {"channel": call.add_channel(_channel(name, is_private=call.flag("is_private")))}


def _change_channel(**changed: Any) -> Callable[[Call], Row]:
    def method(call: Call) -> Row:
        row = call.channel()
        if row["is_archived"] and changed.get("is_archived") is not False:
            no("already_archived" if "is_archived" in changed else "is_archived")
        row.update(changed)
        return {"channel": row}

    return method


def _topic(call: Call) -> Row:
    row = call.channel()
    row["topic"] = {"value": call.given.get("topic", "")}
    return {"channel": row}


def _open(call: Call) -> Row:
    user = str(call.given.get("users", ""))
    return {"channel": _conversation(call, user if user in call.state["users"] else no("user_not_found"))}


def _user(call: Call) -> Row:
    return {"user": call.state["users"].get(call.given.get("user")) or no("user_not_found")}


def _by_email(call: Call) -> Row:
    people = (row for row in call.state["users"].values() if row["profile"].get("email") == call.given.get("email"))
    return {"user": next(people, None) or no("users_not_found")}


def _react(call: Call) -> None:
    row, name = call.message("timestamp"), call.given.get("name") or no("invalid_name")
    reactions = row.setdefault("reactions", [])
    there = next((one for one in reactions if one["name"] == name), None)
    if there is not None and _me(call) in there["users"]:
        no("already_reacted")
    reactions.append({"name": name, "users": [_me(call)], "count": 1})


def _take_back(call: Call) -> None:
    row = call.message("timestamp")
    left = [one for one in row.get("reactions", []) if one["name"] != call.given.get("name")]
    if len(left) == len(row.get("reactions", [])):
        no("no_reaction")
    row["reactions"] = left
    if not left:
        del row["reactions"]


_METHODS: Mapping[str, Callable[[Call], Row | None]] = {
    "api.test": lambda call: {},
    "auth.test": _auth_test,
    "chat.postMessage": _post,
    "chat.update": _update,
    "chat.delete": _delete,
    "chat.scheduleMessage": _schedule,
    "chat.deleteScheduledMessage": _unschedule,
    "chat.scheduledMessages.list": _scheduled,
    "chat.getPermalink": _permalink,
    "conversations.list": _channels,
    "conversations.create": _create,
    "conversations.info": lambda call: {"channel": call.channel()},
    "conversations.join": _change_channel(is_member=True),
    "conversations.leave": _change_channel(is_member=False),
    "conversations.archive": _change_channel(is_archived=True),
    "conversations.unarchive": _change_channel(is_archived=False),
    "conversations.setTopic": _topic,
    "conversations.open": _open,
    "conversations.history": _history,
    "conversations.replies": _replies,
    "users.list": lambda call: call.page("members", list(call.state["users"].values())),
    "users.info": _user,
    "users.lookupByEmail": _by_email,
    "reactions.add": _react,
    "reactions.get": lambda call: {"type": "message", "message": call.message("timestamp")},
    "reactions.remove": _take_back,
}
