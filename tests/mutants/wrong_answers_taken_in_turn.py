"""Two questions were put to a person; each that is open takes the next answer of those that came back.

A start skips what is settled and takes the answers from the first one on: the second question gets the answer that was
meant for the first one, and an account is closed that the person wanted to keep.
"""

import json

import httpx

BANK = "https://api.bank.test"
QUESTIONS = ("refund", "closure")
ANSWERS = [{"to": "refund", "answer": "yes"}, {"to": "closure", "answer": "no"}]


def answers(own):
    """Return a function that gives each question its answer."""
    came = iter(json.loads((own / "answers.json").read_text()))
    return lambda question: next(came)["answer"]


def settle(own, answers=answers):
    """Do what the person agreed to, question by question; what is settled is noted."""
    answer_to = answers(own)
    for question in QUESTIONS:
        note = own / f"{question}.settled"
        if note.exists():
            continue
        if answer_to(question) == "yes":
            httpx.post(f"{BANK}/{question}s", json={"of": 7}, headers={"Idempotency-Key": question}).raise_for_status()
        note.touch()
    return "settled"


BREAKS = {"all_or_nothing"}
CAUSES = ["left over: http.post:api.bank.test/closures in settle"]


def explore(chaos, tmp_path, answers=answers):
    """A bank, and a private folder with the answers; the supervisor starts the agent again after a failure."""
    own = tmp_path / "agent"
    own.mkdir()
    (own / "answers.json").write_text(json.dumps(ANSWERS))
    chaos.private(own)
    chaos.api(BANK)
    chaos.explore(run=lambda: settle(own, answers))
