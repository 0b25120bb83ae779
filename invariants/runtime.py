"""Promises about the databases of the reference runtime, for scenarios that use it.

    from rollproof.invariants.runtime import journal_is_whole
    chaos.invariant(journal_is_whole)

They look at every table of the right name and columns, watched or private, and share no line with the runtime: the
chain of hashes is followed anew, and what a run is up to is told from its events.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from rollproof.values.world import Row, World

_FINAL = {"rolled_back", "completed", "gave_up"}
_MOVES = _FINAL | {
    "started",
    "entered",
    "abandoned",
    "rewound",
    "retaken",
    "act_failed",
    "undo_failed",
    "undone",
    "requeued",
}
_MOVES |= {"handed_over", "handed_back"}


def _tables(world: World, name: str, columns: set[str]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the tables with this name and these columns, by the name of their database."""
    for tables in (world.tables, world.private_tables):
        for full, rows in tables.items():
            database, _, table = full.rpartition(":")
            if table == name and all(columns <= row.keys() for row in rows):
                yield database, rows


def _events(world: World, database: str) -> dict[str, list[tuple[str, Mapping[str, Any]]]]:
    """Return the events of each run of a database, oldest first, that move it on."""
    runs: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for journal, rows in _tables(world, "journal", {"seq", "run", "event", "detail"}):
        for row in sorted(rows, key=lambda row: row["seq"]) if journal == database else ():
            if row["event"] in _MOVES:
                runs.setdefault(row["run"], []).append((row["event"], json.loads(row["detail"])))
    return runs


def _dismissed(world: World, database: str) -> set[str]:
    """Return the runs of which a person settled something by hand."""
    journals = dict(_tables(world, "journal", {"run", "event"}))
    return {row["run"] for row in journals.get(database, []) if row["event"] == "dismissed"}


def journal_is_whole(world: World) -> None:
    """Every event of a journal is as it was written, and none is missing before the last."""
    for database, rows in _tables(world, "journal", {"seq", "run", "event", "detail", "at", "hash"}):
        before = "0" * 64
        for number, row in enumerate(sorted(rows, key=lambda row: row["seq"]), 1):
            assert row["seq"] == number, f"{database}: event {number} is missing"
            body = {name: row[name] for name in ("seq", "run", "event", "at")} | {"detail": json.loads(row["detail"])}
            text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert sha256((before + text).encode()).hexdigest() == row["hash"], (
                f"{database}: event {number} was changed"
            )
            before = row["hash"]


def leases_end_with_their_runs(world: World) -> None:
    """No lease is held for a run that is over, or that never began, but for one that is stuck; no token is twice."""
    for database, rows in _tables(world, "leases", {"name", "holder", "token"}):
        runs = _events(world, database)
        for row in rows:
            events = runs.get(row["holder"], [])
            assert events, f"{database}: {row['name']} is held by {row['holder']}, which never began"
            over = events[-1][0] in _FINAL - {"gave_up"}
            assert not over, f"{database}: {row['name']} outlives its run, which {events[-1][0]}"
        held = {row["holder"] for row in rows}
        stuck = {run for run, events in runs.items() if events[-1][0] == "gave_up"} - _dismissed(world, database)
        assert stuck <= held, f"{database}: {min(stuck - held)} is stuck, and its lock is free"
        tokens = [row["token"] for row in rows]
        assert len(tokens) == len(set(tokens)), f"{database}: one token for two leases"


def outbox_is_settled(world: World) -> None:
    """Once a run is over each message that is left is sent: what was wanted, or what takes back what may have been."""
    for database, rows in _tables(world, "outbox", {"key", "run", "state"}):
        runs = _events(world, database)
        for row in rows:
            last = runs[row["run"]][-1][0] if row["run"] in runs else "completed"
            settled = row["state"] == "sent" or last not in _FINAL
            assert settled, f"{database}: {row['key']} is {row['state']}, and its run {last}"


def versions_are_whole(world: World) -> None:
    """Versions are numbered from 1 without a gap, and the content of each is kept, with its hash."""
    kept = {path.rpartition("/")[2]: content for path, content in world.private_files.items()}
    for database, rows in _tables(world, "versions", {"name", "version", "sha256"}):
        numbers: dict[str, list[int]] = {}
        for row in rows:
            numbers.setdefault(row["name"], []).append(row["version"])
            digest = row["sha256"]
            assert not digest or digest in kept, f"{database}: version {row['version']} of {row['name']} is lost"
            assert not digest or sha256(kept[digest]).hexdigest() == digest, f"{database}: content {digest} is damaged"
        for name, found in numbers.items():
            assert sorted(found) == list(range(1, len(found) + 1)), f"{database}: versions {found} of {name}"


def dead_letters_are_complete(world: World) -> None:
    """Each run that is stuck has a dead letter for each undo that it gave up, and no other run has one."""
    letters = dict(_tables(world, "dead_letters", {"key", "run", "kind"}))
    for database, rows in _tables(world, "journal", {"seq", "run", "event", "detail"}):
        dismissed = [json.loads(row["detail"])["letter"] for row in rows if row["event"] == "dismissed"]
        known = {row["key"] for row in letters.get(database, []) if row["kind"] == "undo"}
        for run, events in _events(world, database).items():
            steps = {str(detail["step"]) for event, detail in events if event in ("started", "entered")}
            undone = {str(detail["step"]) for event, detail in events if event == "undone"}
            open_ = {f"{run}:{step}:undo" for step in steps - undone} if events[-1][0] == "gave_up" else set()
            missing = sorted(open_ - known - set(dismissed))
            assert not missing, f"{database}: nobody is told that {missing[0]} was not undone"
            over = events[-1][0] in _FINAL
            extra = sorted(key for key in known if key.startswith(f"{run}:") and over and key not in open_)
            assert not extra, f"{database}: {extra[0]} is a dead letter, and was undone"


def one_owner(world: World) -> None:
    """A run is handed over and back by turns, and nothing moves it while a person has it."""
    for database, _ in _tables(world, "journal", {"seq", "run", "event", "detail"}):
        for run, events in _events(world, database).items():
            person = False
            for event, _detail in events:
                assert not person or event == "handed_back", f"{database}: {run} {event} while a person had it"
                assert person or event != "handed_back", f"{database}: {run} was handed back, and nobody had it"
                person = event == "handed_over"


def belief_is_reality(database: str, looks: Mapping[str, Callable[[World], bool]]) -> Callable[[World], None]:
    """Return a check: what the last run's events say of each step in `looks` is so outside, once the run is over.

    Args:
        database: its name as the world has it, such as ``agent/agent.db``.
        looks: for each step whether its effect is there.
    """

    def belief_is_reality(world: World) -> None:
        """What the events of a run say of its steps is so outside."""
        events = list(_events(world, database).values())[-1:]
        for last in (run[-1][0] for run in events):
            for step, is_there in looks.items():
                if last == "completed":
                    assert is_there(world), f"the run is complete, and {step} is not there"
                elif last == "rolled_back":
                    assert not is_there(world), f"the run is rolled back, and {step} is there"

    return belief_is_reality
