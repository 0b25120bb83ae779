"""Notes that are longer than the model's context are cut to their second half; its digest is published as that of all.

Frameworks drop the oldest messages when a context overflows; nobody says that they are missing.
"""

from openai import BadRequestError, OpenAI

from tests.exploring import two_folders

NOTES = ["In March the roof leaked.", "In April it was mended.", "In May nothing happened.", "In June it leaked again."]
TASK = "Digest:"


def ask_model(notes):
    """Return what the model makes of some notes."""
    question = [{"role": "user", "content": "\n".join([TASK, *notes])}]
    with OpenAI(max_retries=0) as client:
        return client.chat.completions.create(model="gpt-5", messages=question).choices[0].message.content


def say(document):
    """Digest notes as a model that can only count them."""
    count = len(document["messages"][-1]["content"].splitlines()) - 1
    return f"digest of {count} notes"


def digest(notes):
    """Return the digest of all notes; where they are too long, that of the newest ones."""
    try:
        return ask_model(notes)
    except BadRequestError as problem:
        if problem.code != "context_length_exceeded":
            raise
        return ask_model(notes[len(notes) // 2 :])


def publish(shared, own, digested):
    """Start or start again: the page is replaced as a whole."""
    unfinished = own / "page.tmp"
    unfinished.write_text(digested(NOTES))
    unfinished.replace(shared / "page.md")
    return "published"


FAULTS = ("process.kill", "llm.context_overflow")
BREAKS = {"all_or_nothing", "honest_outcome"}
CAUSES = ["not the same: file.replace:shared/page.md in publish"]


def explore(chaos, tmp_path, digested=digest):
    """One page; the supervisor starts the agent again after a failure."""
    shared, own = two_folders(chaos, tmp_path)
    chaos.llm(say)
    chaos.explore(run=lambda: publish(shared, own, digested))
