"""A task is noted in the agent's database before anything of it is done.

A naive harness accuses it: after a crash there is a note of a task that has done nothing.
"""

from . import wrong_work_before_intent as task

BREAKS = set()


def explore(chaos, tmp_path):
    """The same task, noted before its first file."""
    task.explore(chaos, tmp_path, when=0)
