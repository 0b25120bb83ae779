"""The rules by which crash states are not recovered from: a closure must come to its end."""

from collections import Counter
from collections.abc import Mapping

from ..values.rare import rare
from .growth import grown
from .nodes import Node
from .process_runs import RawState
from .trials import Trials

_TOO_MANY_CRASHES = "max_crashes"


class Rules:
    """Decides which crash states are left out, and remembers them.

    Args:
        nodes: the crash states that are known, by fingerprint; grows.

    Attributes:
        growing: names that grow with each restart and kept the closure from ending.
    """

    def __init__(self, trials: Trials, nodes: Mapping[str, Node]) -> None:
        self._config, self._view, self._nodes = trials.config, trials.view, nodes
        self._left_out: dict[str, str] = {}
        self.growing: dict[str, None] = {}

    @property
    def left_out(self) -> Counter[str]:
        """Return how many crash states were left out by each rule but the limit of crashes, by the rule's name."""
        left = self._left_out.items()
        return Counter(rule for key, rule in left if key not in self._nodes and rule != _TOO_MANY_CRASHES)

    @property
    def cut_at_crashes(self) -> int:
        """Return the number of crashes after which no further one was tried; 0 if there was no such end."""
        cut = any(rule == _TOO_MANY_CRASHES and key not in self._nodes for key, rule in self._left_out.items())
        return self._config.max_crashes if cut else 0

    def leave_out(self, key: str, node: Node, world: RawState) -> bool:
        """Return whether a rule leaves a crash state of a recovery out; if so, remember it."""
        rule = self._rule_against(node, world)
        if rule:
            self._left_out[key] = rule
        return bool(rule)

    def _rule_against(self, node: Node, world: RawState) -> str:
        """Return the rule by which a crash state of this recovery is left out; "" for none."""
        if node.schedule.faults >= self._config.max_crashes:
            return _TOO_MANY_CRASHES
        if len(self._nodes) >= self._config.max_worlds:
            return "max_worlds"
        # With fewer states the closure comes to its end by itself, and nothing has to be left out.
        many = len(self._nodes) >= self._config.many_worlds
        if many and node.schedule.faults > 1 and node.judgement is not None and node.judgement.broken:
            rare("no crash is tried after a failure")
            return "after_a_failure"  # it is only made worse: with each crash more is left of what is left already
        parent = node.origin.parent
        if many and parent is not None and parent.origin.parent is not None:
            raw_states = (parent.origin.parent.raw_state, parent.raw_state, node.raw_state, world)
            worlds = [self._view.world(one) for one in raw_states]
            things = grown(worlds)
            self.growing.update(dict.fromkeys(things))
            if things:
                rare("what grows with each restart is cut")
            return "grows" if things else ""
        return ""
