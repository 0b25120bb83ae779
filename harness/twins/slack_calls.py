"""A call of a method of Slack's, what it is about, and how Slack says no."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..values.http import HttpRequest
from ..values.world import Row
from .answers import Refused
from .listing import page_behind
from .ready_service import ReadyService, State

_REFUSALS = {
    400: (200, "invalid_arguments"),
    401: (200, "invalid_auth"),
    429: (429, "ratelimited"),
    503: (503, "service_unavailable"),
}

_JSON = ("blocks", "attachments", "metadata")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a method.

    Attributes:
        service: makes ids and times.
        state: of the workspace.
        given: the arguments, from the query, the form or the JSON.
    """

    service: ReadyService
    state: State
    given: Row

    def channel(self, name: str = "channel") -> Row:
        """Return the channel that an argument names by its id."""
        found: Row | None = self.state["channels"].get(self.given.get(name))
        return found if found is not None else no("channel_not_found")

    def message(self, name: str = "ts", error: str = "message_not_found") -> Row:
        """Return the message that `channel` and another argument name."""
        channel, found = self.channel(), self.state["messages"].get(self.given.get(name))
        row: Row = found if found is not None and found["channel"] == channel["id"] else no(error)
        return row

    def flag(self, name: str) -> bool:
        """Return whether an argument is true, in any way to say so."""
        return self.given.get(name) in (True, 1, "true", "True", "1")

    def page(self, name: str, rows: Sequence[Row], key: str = "id") -> Row:
        """Return a page of rows by their name, with the cursor of the next one; `key` tells rows apart."""
        size = str(self.given.get("limit") or 100)
        if not size.isdigit() or not 0 < int(size) <= 1000:
            no("invalid_limit")
        try:
            behind = b64decode(str(self.given.get("cursor") or "")).decode().removeprefix("next:")
            page, more = page_behind(list(rows), int(size), (lambda row: row[key] == behind) if behind else None)
        except ValueError:
            no("invalid_cursor")
        cursor = b64encode(f"next:{page[-1][key]}".encode()).decode() if more else ""
        return {name: page, "response_metadata": {"next_cursor": cursor}}

    def add_channel(self, fields: Row) -> Row:
        """Add a channel, or a conversation with one person."""
        id = f"{'D' if fields.get('is_im') else 'C'}{self.service.letters(self.state, 'channel')}"
        row = {"id": id, "created": self.service.time(self.state), "is_archived": False, "is_member": True, **fields}
        self.state["channels"][row["id"]] = row
        return row


def arguments(request: HttpRequest) -> Row:
    """Return the arguments of a call; in a form, some are JSON."""
    kind = request.headers.get("content-type", "")
    try:
        if kind.startswith("application/json"):
            given = request.json() if request.body else {}
            return {**request.query, **given} if isinstance(given, dict) else no("json_not_object")
        form = {**request.query, **request.form()}
        return {key: json.loads(text) if key in _JSON and text else text for key, text in form.items()}
    except ValueError:
        return dict(no("invalid_json" if "json" in kind else "invalid_form_data"))


def no(error: str) -> Any:
    """Refuse a call in one word of Slack's."""
    raise Refused({"ok": False, "error": error})


def refusal(status: int, reason: str) -> object:
    """Return Slack's answer to a call that it does not look at."""
    status, error = _REFUSALS.get(status, (status, "internal_error"))
    said = {"response_metadata": {"messages": [f"[ERROR] {reason}"]}} if reason else {}
    return status, {"ok": False, "error": error, **said}, {"retry-after": "1"} if status == 429 else {}
