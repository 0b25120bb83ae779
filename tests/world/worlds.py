"""Worlds as a fault-free run of one small agent leaves them, each with values of its own."""

import json
import random
import uuid
from datetime import UTC, datetime

from hypothesis import HealthCheck, settings
from rollproof.values.world import Entry, TableShape, World

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
NOW = 1_795_476_000.0


def text_file(text: str, mode: int = 0o644) -> Entry:
    """Return a file."""
    return Entry("file", mode, text.encode())


def finished(seed: int, first_key: int = 1, total: int = 5) -> World:
    """Return the end of one run: random stream, clock and keys depend on `seed` and `first_key`."""
    dice = random.Random(seed)
    run, mail, other, *tokens = (uuid.UUID(int=dice.getrandbits(128)).hex for _ in range(6))
    now = NOW + seed * 100.5
    at = datetime.fromtimestamp(now, UTC).isoformat()
    report = {
        "meta": {"created_at": at, "ts": now, "run": run},
        "mail": mail,
        "total": total,
        "items": [{"id": tokens[0], "n": 1}, {"id": tokens[1], "n": 2}],
    }
    log = f"# Report\nrun {run} at {at} pid {dice.randint(1000, 9999)}\nend\n"
    payload = json.dumps({"run": run, "k": 1})
    one, two = first_key, first_key + 1 + seed % 3
    return World(
        entries={
            "shared": Entry("dir", 0o755),
            "shared/report.json": text_file(json.dumps(report, indent=1)),
            f"shared/report-{run[:8]}.md": text_file(log),
            f"shared/receipt-{mail}.txt": text_file(f"mail {mail} was sent"),
        },
        tables={
            "app.db:orders": [
                {"id": one, "item": "book", "token": tokens[2], "mail": mail, "payload": payload},
                {"id": two, "item": "pen", "token": tokens[1], "mail": other, "payload": None},
            ],
            "app.db:lines": [{"id": 7, "order_id": one, "n": 3}, {"id": 8, "order_id": two, "n": 4}],
            "app.db:empty": [],
        },
        resources={"api.mail.test/mails": [{"id": mail, "to": "a", "at": at}, {"id": other, "to": "b", "at": at}]},
        private_entries={"own": Entry("dir", 0o755), "own/state.json": text_file(json.dumps({"run": run, "step": 3}))},
        shapes={
            "app.db:orders": TableShape("id"),
            "app.db:lines": TableShape("id", {"order_id": "app.db:orders"}),
        },
        schemas={"app.db": "user_version = 0"},
    )
