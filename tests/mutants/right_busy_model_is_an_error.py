"""A model is asked for a translation; whatever it refuses with leaves the agent, and nothing is published."""

from . import wrong_busy_model_is_an_answer as page

FAULTS = page.FAULTS
BREAKS = set()


def explore(chaos, tmp_path):
    """The same page."""
    page.explore(chaos, tmp_path, page.ask_model)
