"""A model is asked which order a letter is about; only an order that it names is refunded, with what it cost."""

from .wrong_refund_of_any_order import FAULTS
from .wrong_refund_of_any_order import explore as explore_with


def is_meant(call, letter, orders):
    """Say whether a refund is the one that the letter asks for."""
    return call["order_id"] in letter.split() and dict(orders).get(call["order_id"]) == call["cents"]


BREAKS = set()
__all__ = ["BREAKS", "FAULTS", "explore"]


def explore(chaos, tmp_path):
    """One watched database of orders; the supervisor starts the agent again after a failure."""
    explore_with(chaos, tmp_path, is_meant)
