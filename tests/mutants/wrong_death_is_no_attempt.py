"""A letter is given up after two attempts; an attempt is counted when it has failed.

A letter that kills the process is never counted: it is printed at every start, and paid for each time, for ever.
"""

import os

import httpx

PRINTS = "https://api.print.test/prints"
MOST_ATTEMPTS = 2


def attempts(own):
    """Return how many attempts were made: one byte each."""
    path = own / "attempts"
    return path.stat().st_size if path.exists() else 0


def count(own):
    """Count an attempt."""
    with open(own / "attempts", "a") as file:
        file.write("x")


def print_it(shared, own):
    """Let the service print the letter, which costs something each time, and put it with the printed ones."""
    httpx.post(PRINTS, json={"text": (own / "letter").read_text()}, timeout=10).raise_for_status()
    os.replace(own / "letter", shared / "printed")


def attempt(shared, own):
    """Print, and count it where it fails."""
    try:
        print_it(shared, own)
    except Exception:
        count(own)
        raise


def work(shared, own, attempt=attempt):
    """Print the letter, or put it with the dead ones."""
    if (own / "letter").exists():
        if attempts(own) >= MOST_ATTEMPTS:
            os.replace(own / "letter", shared / "dead")
        else:
            attempt(shared, own)
    (own / "attempts").unlink(missing_ok=True)
    return "printed" if (shared / "printed").exists() else "given up"


def is_bounded(world):
    """Accept a printed or a dead letter after no more attempts than are allowed."""
    paid = world.resources.get("api.print.test/prints", ())
    return len(world.files) == 1 and len(paid) <= MOST_ATTEMPTS


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill",)
CAUSES = ["twice: http.post:api.print.test/prints in print_it"]


def explore(chaos, tmp_path, attempt=attempt):
    """A watched folder, a service, a private folder with the letter; the supervisor starts the agent again."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    (own / "letter").write_text("Hello")
    chaos.watch(shared)
    chaos.private(own)
    chaos.api("https://api.print.test")
    chaos.explore(run=lambda: work(shared, own, attempt), allow=is_bounded)
