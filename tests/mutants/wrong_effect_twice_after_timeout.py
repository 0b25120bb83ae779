"""A mail is posted again after a timeout, without an idempotency key and without looking whether the first one arrived.

After one timeout that came when the server had already acted, the customer has the same mail twice.
"""

import json
import os

import httpx

MAILS = "https://api.mail.test/mails"


def save(path, value):
    """Replace a JSON file as a whole."""
    draft = path.with_suffix(".tmp")
    with open(draft, "w") as file:
        json.dump(value, file)
    os.replace(draft, path)


def post(mail):
    """Post the mail; a slow service is asked again."""
    for _ in range(3):
        try:
            answer = httpx.post(MAILS, json=mail, timeout=10)
        except httpx.TimeoutException:
            continue
        answer.raise_for_status()
        return
    raise TimeoutError("the mail service does not answer")


def send_confirmation(order, own):
    """Note the job, send its mail, drop the job."""
    job = own / "job.json"
    mail = {"to": "ada@example.test", "subject": f"Your order {order}", "order": order}
    save(job, mail)
    post(mail)
    job.unlink()
    return "sent"


def restart(own):
    """Finish the job that was left, unless its mail is already there."""
    (own / "job.tmp").unlink(missing_ok=True)
    job = own / "job.json"
    if not job.exists():
        return
    mail = json.loads(job.read_text())
    found = httpx.get(MAILS, params={"order": mail["order"]}, timeout=10)
    found.raise_for_status()
    if not found.json():
        post(mail)
    job.unlink()


BREAKS = {"all_or_nothing"}
CAUSES = ["twice: http.post:api.mail.test/mails in post"]


def explore(chaos, tmp_path):
    """One mail service, one private folder with the open job."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.mail.test")
    chaos.explore(run=lambda: send_confirmation("A-1001", own), recover=lambda: restart(own))
