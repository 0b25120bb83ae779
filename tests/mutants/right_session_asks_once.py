"""A turn that starts again finds its question in the session, and goes on from there.

A naive harness accuses it: after a crash the session ends with a question that nobody answers, until the next start.
"""

from . import wrong_session_asks_twice as roofs


def ask(session):
    """Add the question to the conversation where it does not end with it."""
    if roofs.items(session)[-1:] != [{"role": "user", "content": roofs.QUESTION}]:
        roofs.add(session, "user", roofs.QUESTION)


BREAKS = set()


def explore(chaos, tmp_path):
    """The same session."""
    roofs.explore(chaos, tmp_path, ask)
