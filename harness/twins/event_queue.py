"""The events that a sender of webhooks still has to deliver, in the order in which they come.

How often one came is not counted: each crash would make another state, and no form of a webhook tells it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..values.epoch import MADE
from ..values.world import Row
from .plain_data import dumped

Event = dict[str, Any]


class EventQueue:
    """Events until their delivery is answered.

    Attributes:
        waiting: the events; one that is `held` comes only to a process that begins to take deliveries.
    """

    def __init__(self) -> None:
        self.waiting: list[Event] = []
        self._count = 0

    def add(self, type: str, data: Mapping[str, Any]) -> None:
        """Append an event."""
        self._count += 1
        event = {"id": f"evt_{self._count}", "type": type, "data": data, "created": MADE + self._count}  # no clock
        self.waiting.append({**event, "held": False})

    def save(self) -> bytes:
        """Return the whole state."""
        return dumped({"count": self._count, "waiting": self.waiting}, "what waits to be delivered")

    def restore(self, state: bytes) -> None:
        """Put back what `save` returned."""
        kept = json.loads(state)
        self._count, self.waiting = kept["count"], kept["waiting"]

    def next(self, begins: bool, refused: Sequence[str]) -> dict[str, Any]:
        """Return id and type of the event that comes next to a process, and how many others would come.

        What was held comes to a process that `begins`; what it has `refused`, by id, does not. Where nothing comes,
        `pending` has the ids of all that waits.
        """
        for event in self.waiting if begins else ():
            event["held"] = False
        coming = self.coming(refused)
        if not coming:
            return {"pending": [event["id"] for event in self.waiting]}
        return {"id": coming[0]["id"], "type": coming[0]["type"], "behind": len(coming) - 1}

    def coming(self, refused: Sequence[str]) -> list[Event]:
        """Return the events that come to a process, in order, without those that it has `refused`, by id."""
        return [event for event in self.waiting if not event["held"] and event["id"] not in refused]

    def answered(self, id: str) -> None:
        """Forget an event."""
        self.waiting = [event for event in self.waiting if event["id"] != id]

    def find(self, id: str) -> Event | None:
        """Return the event that waits under an id."""
        return next((event for event in self.waiting if event["id"] == id), None)

    def go_wrong(self, how: str, event: Event, refused: Sequence[str]) -> Event:
        """Treat an event that waits in a way of `values.actions.DELIVERIES`; returns what is delivered instead."""
        others = [one for one in self.coming(refused) if one is not event]
        if how == "held":
            event["held"] = True
        elif how != "again":
            self.waiting.remove(event)
        if how == "swapped" and others:
            self.waiting.insert(self.waiting.index(others[0]) + 1, event)
        elif how in ("swapped", "last", "not heard"):
            self.waiting.append(event)
        return others[0] if others and how in ("swapped", "last") else {}


def told(events: Sequence[Event]) -> list[Row]:
    """Return the part of events that a person sees: that they wait, not how often they came."""
    return [{name: event[name] for name in ("id", "type", "data")} for event in events]
