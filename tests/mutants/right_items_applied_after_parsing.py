"""A model's list is applied when all of it is there and valid; what a bad answer raises leaves nothing behind.

A naive harness accuses it: after a crash some of the tasks are at the service, until the next start takes them back.
"""

import json

from . import wrong_items_applied_while_parsing as tasks


def items(text):
    """Return the objects of a JSON list; raise ValueError where they are not all tasks."""
    found = json.loads(text)
    if [item.keys() for item in found] != [{"name"}] * len(tasks.REPLY):
        raise ValueError(f"no tasks: {found}")
    if not all(isinstance(item["name"], str) and item["name"] for item in found):
        raise ValueError(f"tasks without a name: {found}")
    return found


BREAKS = set()
FAULTS = ("process.kill", "llm.truncated_json", "llm.missing_field", "llm.wrong_type")


def explore(chaos, tmp_path):
    """The same tasks; faults of the model only: nobody cleans up at a service that does not answer."""
    tasks.explore(chaos, tmp_path, items)
