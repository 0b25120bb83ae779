"""Crash states that no process can tell apart: one recovery stands for all, until a later read separates them."""

from collections.abc import Iterator, Mapping

from ..values.reads import Footprint
from .joining import Joining, with_all_after
from .nodes import Node
from .trials import Trials


class Merging:
    """Finds the node whose recovery stands for another node's.

    Args:
        nodes: the crash states that are known, by fingerprint; grows.
    """

    def __init__(self, trials: Trials, nodes: Mapping[str, Node]) -> None:
        self._judge, self._view, self._nodes = trials.judge, trials.view, nodes
        self._joining = Joining(trials.view)
        self._alike: dict[str, list[Node]] = {}

    def add(self, node: Node) -> None:
        """Add a node that was recovered from, to stand for others."""
        # A later state can join this one only where all that is judged is equal; the index holds those.
        self._alike.setdefault(self._joining.weakest(node.raw_state), []).append(node)

    def twin_of(self, node: Node) -> Node | None:
        """Return a judged node that this one equals in all that was read after it, and in all that is judged."""
        # A check of the user's may judge private files by their content: then nothing private is unread.
        if self._judge.private_is_judged:
            return None
        for other in self._alike.get(self._joining.weakest(node.raw_state), ()):
            # What the other's processes read decides: if all of it is equal, this node's would do and read the same.
            if other is not node and self._are_one(node, other, other.after.asked):
                return other
        return None

    def _are_one(self, node: Node, other: Node, footprint: Footprint) -> bool:
        fingerprint = self._joining.fingerprint
        return fingerprint(node.raw_state, footprint) == fingerprint(other.raw_state, footprint)

    @property
    def joined(self) -> list[Node]:
        """The nodes that joined another one."""
        return [node for node in self._nodes.values() if node.joined is not None]

    def take_apart(self) -> list[Node]:
        """Separate joined nodes from their twin where a later process read something in which the two differ."""
        joined = self.joined
        if not joined:
            return []
        self._joining.forget()
        own = {key: node.after.asked for key, node in self._nodes.items() if node.joined is None}
        # Without this, a state would stay joined that differs in what only a crash in its recovery makes somebody read.
        following = {key: [*self._following(self._nodes[key])] for key in own if self._nodes[key].turn.followed}
        asked = with_all_after(own, following)
        for key, footprint in asked.items():
            self._nodes[key].after.reads(footprint)  # a node that is taken apart must not join the same one again
        apart = [
            node
            for node in joined
            if node.joined is not None
            and (self._judge.private_is_judged or not self._are_one(node, node.joined, asked[node.joined.key]))
        ]
        for node in apart:
            node.leave()
        return apart

    def _following(self, node: Node) -> Iterator[str]:
        """Yield the keys of the nodes that a crash or a fault in this recovery leads to."""
        yield from ((self._nodes[key].joined or self._nodes[key]).key for key in node.after.then)
        for _, crash_state in node.seen:
            after = self._nodes.get(self._view.fingerprint(crash_state.raw_state))
            if after is not None:
                yield (after.joined or after).key
