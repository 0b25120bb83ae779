"""A key that is revoked for good: the first recovery meets it too, may fail, and must make nothing worse."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from .exploring import explored, options, replayed

THINGS = "https://api.things.test/things"
FAULT = "credentials.revoked_for_good"
TOKEN = f"{FAULT}~lasting@http.post:api.things.test/things#2:before"
HEADERS = {"Authorization": "Bearer key-of-the-shop"}


def call(method: str, url: str, **rest: Any) -> Any:
    """Ask the service, or raise."""
    answer = httpx.request(method, url, headers=HEADERS, **rest).raise_for_status()
    return answer.json() if answer.content else None


def buy() -> str:
    """Buy two things."""
    for name in ("lamp", "chair"):
        call("POST", THINGS, json={"name": name})
    return "bought"


def agent(*, careful: bool) -> Any:
    """Return an agent that gives back what it bought; the careless one notes it as done before it has tried."""

    def give_back(own: Path) -> None:
        note = own / "given-back"
        if note.exists():
            return
        if not careful:
            note.touch()
        for thing in call("GET", THINGS):
            call("DELETE", f"{THINGS}/{thing['id']}")
        note.touch()

    def explore(chaos: Any, folder: Path) -> None:
        own = folder / "agent"
        own.mkdir()
        chaos.private(own)
        chaos.api("https://api.things.test", token="key-of-the-shop")
        chaos.explore(run=buy, recover=lambda: give_back(own), retry=False)

    return SimpleNamespace(explore=explore)


def test_a_recovery_that_fails_while_the_key_is_revoked_does_its_work_later(tmp_path: Path) -> None:
    """The right agent is left alone, and both recoveries really ran."""
    result = explored(agent(careful=True), tmp_path / "right", faults=(options().known[FAULT],))
    assert result.violations == ()
    assert result.schedules == 2
    again = replayed(agent(careful=True), tmp_path / "replayed", TOKEN)
    assert (again.violations, again.drifted) == ((), ())


def test_a_recovery_that_believes_it_is_done_is_found(tmp_path: Path) -> None:
    """No other single fault but a crash shows it: with the key back, nothing is given back any more."""
    result = explored(agent(careful=False), tmp_path / "wrong", faults=(options().known[FAULT],))
    assert [finding.schedule for finding in result.violations] == [TOKEN]
    assert "all_or_nothing" in result.violations[0].invariants
    phases = [heading for heading, _ in result.violations[0].phases]
    assert phases.count("recover") == 2
    healed = options().known["credentials.revoked"]
    assert explored(agent(careful=False), tmp_path / "healed", faults=(healed,)).violations == ()
