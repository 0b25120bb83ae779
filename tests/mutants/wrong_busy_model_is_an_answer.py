"""A model is asked for a translation; every refusal that is not known to pass is taken for its answer and published.

Limits (429) and broken servers (500, 503) are known. That the model is overloaded is a status of its own, 529.
"""

from anthropic import Anthropic, APIStatusError

from tests.exploring import two_folders

TASK = "Translate: good morning"
PASSING = (429, 500, 503)


def ask_model(task):
    """Return what the model says."""
    with Anthropic(max_retries=0) as client:
        question = [{"role": "user", "content": task}]
        answer = client.messages.create(model="claude-opus-4-5", max_tokens=99, messages=question)
    return answer.content[0].text


def translated(task):
    """Return the translation, or why there is none; what passes is for the supervisor."""
    try:
        return ask_model(task)
    except APIStatusError as problem:
        if problem.status_code in PASSING:
            raise
        return problem.message


def publish(shared, own, translate):
    """Start or start again: the page is replaced as a whole."""
    unfinished = own / "page.tmp"
    unfinished.write_text(translate(TASK))
    unfinished.replace(shared / "page.md")
    return "published"


FAULTS = ("process.kill", "llm.unavailable", "llm.overloaded")
BREAKS = {"all_or_nothing", "honest_outcome"}
CAUSES = ["not the same: file.replace:shared/page.md in publish"]


def explore(chaos, tmp_path, translate=translated):
    """One page; the supervisor starts the agent again after a failure."""
    shared, own = two_folders(chaos, tmp_path)
    chaos.llm({TASK: "buenos días"})
    chaos.explore(run=lambda: publish(shared, own, translate))
