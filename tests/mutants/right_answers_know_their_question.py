"""Two questions were put to a person; each takes the answer that names it, however often the agent starts.

A naive harness accuses it: after a crash an answer that was read before is read again, and its refund is sent again.
"""

import json

from . import wrong_answers_taken_in_turn as bank


def answers(own):
    """Return a function that gives each question its answer."""
    came = {one["to"]: one["answer"] for one in json.loads((own / "answers.json").read_text())}
    return came.__getitem__


BREAKS = set()


def explore(chaos, tmp_path):
    """The same questions."""
    bank.explore(chaos, tmp_path, answers)
