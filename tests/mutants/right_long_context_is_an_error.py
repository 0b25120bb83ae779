"""Notes that are longer than the model's context are an error that says so: nothing is published of a part of them."""

from . import wrong_half_of_a_long_context as page

FAULTS = page.FAULTS
BREAKS = set()


def explore(chaos, tmp_path):
    """The same page."""
    page.explore(chaos, tmp_path, page.ask_model)
