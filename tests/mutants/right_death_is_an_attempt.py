"""A letter is given up after two attempts; an attempt is counted before it is made, so that no death hides it.

A naive harness accuses it: after two crashes a letter that nothing is wrong with lies with the dead ones.
"""

from . import wrong_death_is_no_attempt as letters


def attempt(shared, own):
    """Count it, and print."""
    letters.count(own)
    letters.print_it(shared, own)


BREAKS = set()
FAULTS = ("process.kill", "http.timeout", "http.unavailable")


def explore(chaos, tmp_path):
    """The same letter."""
    letters.explore(chaos, tmp_path, attempt)
