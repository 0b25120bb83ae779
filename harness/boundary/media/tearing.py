"""The place at which a write is torn: its half, at the same place of the text however long the process's pid is."""

import re

from ...values.rare import rare

_PID_DIGITS = 7  # the longest that Linux has
_LARGE_BYTES = 1 << 16


def middle_of(data: memoryview, pid: int) -> int:
    """Return the number of bytes of a write that reach the disk before its middle.

    A pid counts as one of seven digits and is itself torn in its half: a lock that begins ``pid 9999`` is torn at the
    same place as one that begins ``pid 10000``, or a run at another hour of the day would meet other crash states.
    """
    half = len(data) // 2
    if len(data) > _LARGE_BYTES:
        rare("a large write is torn")
        return half
    digits = str(pid).encode()
    found = [match.start() for match in re.finditer(rb"(?<!\d)%b(?!\d)" % digits, data)]
    longer = _PID_DIGITS - len(digits)
    half = (len(data) + longer * len(found)) // 2
    for number, start in enumerate(found):
        widened = start + longer * number
        if half <= widened:
            return half - longer * number
        if half < widened + _PID_DIGITS:
            rare("a pid is torn in its half")
            return start + max(1, len(digits) // 2)
    return half - longer * len(found)
