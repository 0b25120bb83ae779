"""A conversation that goes on is shortened only in front of a message that is no result of a call.

A naive harness accuses it: what the provider is sent after a crash is longer than the two newest messages.
"""

from . import wrong_tool_result_without_its_call as shop


def shortened(messages):
    """Return the task and the newest messages, and as many more as belong to them."""
    start = max(1, len(messages) - shop.NEWEST)
    while start > 1 and messages[start]["role"] == "tool":
        start -= 1
    return [messages[0], *messages[start:]]


BREAKS = set()
FAULTS = shop.FAULTS


def explore(chaos, tmp_path):
    """The same shop."""
    shop.explore(chaos, tmp_path, shortened)
