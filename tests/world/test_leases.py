"""Leases that are still alive are found, whoever wrote them in whatever way."""

import json
from datetime import UTC, datetime

import pytest
from rollproof.values.world import World
from rollproof.world.volatile.leases import live_leases

from .worlds import NOW, text_file


def row(**columns: object) -> World:
    """Return a world with one private row."""
    return World(private_tables={"own.db:locks": [columns]})


@pytest.mark.parametrize(
    "column", ["lease_until", "expires_at", "expiry", "deadline", "locked_until", "ttl_until", "leaseEnd"]
)
@pytest.mark.parametrize(
    "value",
    [
        NOW + 30,
        int(NOW + 30),
        int((NOW + 30) * 1000),
        str(NOW + 30),
        datetime.fromtimestamp(NOW + 30, UTC).isoformat(),
        datetime.fromtimestamp(NOW + 30, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
    ],
)
def test_a_lease_in_a_row(column, value):
    """As seconds, milliseconds or text."""
    assert live_leases(row(**{column: value, "holder": "a"}), NOW) == {("own.db:locks", column): NOW + 30}


@pytest.mark.parametrize(
    "world",
    [
        row(expires_at=NOW - 1),
        row(expires_at=NOW + 8 * 86400),
        row(expires_at=None),
        row(expires_at=30),
        row(expires_at=True),
        row(created_at=NOW + 30),
        row(lease_holder="worker-1"),
        World(),
        World({"s/a.txt": text_file("expires soon")}),
    ],
)
def test_what_is_no_live_lease(world):
    """Past, too far, another name, no time."""
    assert live_leases(world, NOW) == {}


def test_each_place_is_told_apart():
    """In files, rows, JSON in rows, and resources, watched or private."""
    world = World(
        entries={"s/lock.json": text_file(json.dumps({"lock": {"expires": NOW + 10}}))},
        tables={"d:t": [{"payload": json.dumps({"lease": {"until": NOW + 20}})}]},
        resources={"h/locks": [{"id": "a", "expires_at": NOW + 15}]},
        private_entries={"own/l.jsonl": text_file(f'{{"deadline": {NOW + 12}}}\n{{"x": 1}}\n')},
    )
    assert max(live_leases(world, NOW).values()) == NOW + 20
    assert live_leases(world, NOW + 20) == {}
