"""An error is handled on the spot: the note of what was begun is removed, and then what was begun.

Neither an error nor a crash does harm. A crash in the handler of an error does: without the note nobody cleans up.
"""

import httpx

MAILS = "https://api.mail.test/mails"
FAULTS = ("process.kill", "http.server_error")


def undo(shared, own):
    """Forget, and remove the page."""
    (own / "begun").unlink()
    (shared / "page.html").unlink(missing_ok=True)


def publish(shared, own, undo):
    """Publish and mail, or neither."""
    (own / "begun").touch()
    (shared / "page.html").write_text("<h1>Prices</h1>\n")
    try:
        mail = {"text": "Look at our prices"}
        httpx.post(MAILS, json=mail, headers={"Idempotency-Key": "prices"}, timeout=10).raise_for_status()
    except httpx.HTTPError:
        undo(shared, own)
        raise
    (own / "begun").unlink()
    return "published"


def restart(shared, own):
    """Finish what was begun: the page may be torn, and the mail may be out."""
    if (own / "begun").exists():
        (shared / "page.html").write_text("<h1>Prices</h1>\n")
        mail = {"text": "Look at our prices"}
        httpx.post(MAILS, json=mail, headers={"Idempotency-Key": "prices"}, timeout=10).raise_for_status()
        (own / "begun").unlink()


BREAKS = {"all_or_nothing"}
CAUSES = ["missing: http.post:api.mail.test/mails in publish"]


def explore(chaos, tmp_path, undo=undo):
    """A watched folder, a mail service, and a private folder for the note."""
    shared, own = tmp_path / "shared", tmp_path / "agent"
    shared.mkdir()
    own.mkdir()
    chaos.watch(shared)
    chaos.private(own)
    chaos.api("https://api.mail.test")
    chaos.explore(run=lambda: publish(shared, own, undo), recover=lambda: restart(shared, own))
