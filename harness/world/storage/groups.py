"""Hard links: which names of what is found and of what is wanted are names of one file."""

from collections import defaultdict
from collections.abc import Mapping

from .raw import Key, RawEntry


class Groups:
    """Finds hard links to make or break: names that must be one file and are not, or the reverse.

    `broken` has each key that must be written or linked anew, with the key that it becomes a name of, None for the
    first one of a group.
    """

    def __init__(self, found: Mapping[Key, RawEntry], wanted: Mapping[Key, RawEntry]) -> None:
        self._found, self._wanted = found, wanted
        self._members, there = _by_inode(wanted), _by_inode(found)
        self.broken: dict[Key, Key | None] = {}
        for keys in self._members.values():
            if len(keys) > 1 and not self._is_whole(keys):
                self.broken.update(dict.fromkeys(keys[1:], keys[0]))
                self.broken[keys[0]] = None
        for keys in there.values():
            one_too_many = [key for key in keys if key in wanted and key not in self.broken]
            apart = {wanted[key].inode or key for key in one_too_many}
            if len(apart) > 1:
                self.broken.update(dict.fromkeys(key for key in one_too_many if not wanted[key].inode))

    def _is_whole(self, keys: list[Key]) -> bool:
        """Return whether these are names of one file still, which is what it was or can be rewritten in place."""
        inodes = {found.inode if (found := self._found.get(key)) is not None else 0 for key in keys}
        if len(inodes) > 1 or 0 in inodes:
            return False
        return all(self._found[key].held == self._wanted[key].held or self.outside(key) for key in keys)

    def outside(self, key: Key) -> bool:
        """Return whether a file had a name outside, and still is the same file."""
        goal, found = self._wanted[key], self._found.get(key)
        return self._had(goal) and found is not None and found.inode == goal.inode

    def lost(self, key: Key) -> bool:
        """Return whether a file had a name outside, and now is another file."""
        goal, found = self._wanted[key], self._found.get(key)
        return self._had(goal) and (found is None or found.inode != goal.inode)

    def _had(self, goal: RawEntry) -> bool:
        return goal.kind == "file" and goal.names > max(1, len(self._members.get(goal.inode, ())))


def _by_inode(files: Mapping[Key, RawEntry]) -> dict[int, list[Key]]:
    found: dict[int, list[Key]] = defaultdict(list)
    for key, entry in files.items():
        if entry.inode and entry.kind == "file":
            found[entry.inode].append(key)
    return found
