"""A letter is given up after two attempts; an attempt is counted when it has failed.

A letter that kills the process is never counted: it is rendered at every start, and paid for each time, for ever.
"""

import os

import httpx

RENDERINGS = "https://api.render.test/renderings"
MOST_ATTEMPTS = 2


def attempts(own):
    """Return how many attempts were made: one byte each."""
    path = own / "attempts"
    return path.stat().st_size if path.exists() else 0


def count(own):
    """Count an attempt."""
    with open(own / "attempts", "a") as file:
        file.write("x")


def render(shared, own):
    """Let the service render the letter, which costs something each time, and put the page into place."""
    answer = httpx.post(RENDERINGS, json={"text": (own / "letter").read_text()}, timeout=10)
    answer.raise_for_status()
    (own / "page.part").write_text("<p>Hello</p>")
    os.replace(own / "page.part", shared / "page.html")


def attempt(shared, own):
    """Render, and count it where it fails."""
    try:
        render(shared, own)
    except Exception:
        count(own)
        raise


def work(shared, own, attempt=attempt):
    """Render the letter, or put it with the dead ones."""
    if (own / "letter").exists() and not (shared / "page.html").exists():
        if attempts(own) >= MOST_ATTEMPTS:
            os.replace(own / "letter", shared / "dead-letter")
        else:
            attempt(shared, own)
    for path in own.iterdir():
        path.unlink()
    return "rendered" if (shared / "page.html").exists() else "given up"


def is_bounded(world):
    """Accept a page or a dead letter after no more attempts than are allowed."""
    paid = world.resources.get("api.render.test/renderings", ())
    return len(world.files) == 1 and len(paid) <= MOST_ATTEMPTS


BREAKS = {"all_or_nothing"}
FAULTS = ("process.kill", "http.timeout", "http.unavailable")


def explore(chaos, tmp_path, attempt=attempt):
    """A watched folder, a service, a private folder with the letter; the supervisor starts the agent again."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    (own / "letter").write_text("Hello")
    chaos.watch(shared)
    chaos.private(own)
    chaos.api("https://api.render.test")
    chaos.explore(run=lambda: work(shared, own, attempt), allow=is_bounded)
