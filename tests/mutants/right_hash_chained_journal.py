"""A private journal only grows: each line has its time and the hash of the line before; a torn end is cut off.

A naive harness accuses it: the journal is longer after every recovery, and no two runs write the same bytes.
"""

import hashlib
import json
import os
import time
import uuid

import httpx

NOTICES = "https://api.notice.test/notices"


def entries(own):
    """Return the journal's whole lines; raise ValueError where the chain is broken."""
    path = own / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith(b"\n")]
    if len(whole) < len(lines):
        os.truncate(path, sum(map(len, whole)))
    read, previous = [], ""
    for line in whole:
        entry = json.loads(line)
        if entry["previous"] != previous:
            raise ValueError("the journal's chain is broken")
        previous = hashlib.sha256(line).hexdigest()
        read.append(entry)
    return read, previous


def append(own, **event):
    """Add one line to the end of the chain."""
    _, previous = entries(own)
    with open(own / "journal.jsonl", "a") as file:
        file.write(json.dumps({"at": time.time(), "previous": previous, **event}) + "\n")
        file.flush()
        os.fsync(file.fileno())


def send(own, entry):
    """Send what the journal says, and note that it went out."""
    headers = {"Idempotency-Key": entry["key"]}
    httpx.post(NOTICES, json={"text": entry["text"]}, headers=headers, timeout=10).raise_for_status()
    append(own, event="sent", key=entry["key"])


def notify(own, text):
    """Write down, send, write down."""
    entry = {"event": "planned", "key": uuid.uuid4().hex, "text": text}
    append(own, **entry)
    send(own, entry)
    return "notified"


def resume(own):
    """Send whatever is planned and not known to have gone out."""
    journal, _ = entries(own)
    sent = {entry["key"] for entry in journal if entry["event"] == "sent"}
    for entry in journal:
        if entry["event"] == "planned" and entry["key"] not in sent:
            send(own, entry)


BREAKS = set()


def explore(chaos, tmp_path):
    """One notice service, one private folder with the journal."""
    own = tmp_path / "agent"
    own.mkdir()
    chaos.private(own)
    chaos.api("https://api.notice.test")
    chaos.explore(run=lambda: notify(own, "Maintenance on Sunday"), recover=lambda: resume(own))
