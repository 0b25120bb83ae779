"""The attributes of each toxic, and the values that no server is given.

Used on both sides: the client refuses before anything is sent, the embedded server before anything is changed.
"""

from collections.abc import Mapping

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "bandwidth": ("rate",),
    "latency": ("latency", "jitter"),
    "limit_data": ("bytes",),
    "noop": (),
    "reset_peer": ("timeout",),
    "slicer": ("average_size", "size_variation", "delay"),
    "slow_close": ("delay",),
    "timeout": ("timeout",),
}
"""The attributes of each toxic, all whole numbers: ms, KB/s for `rate`, bytes for sizes, µs for a slicer's `delay`."""

LIMIT = 10**12
"""Beyond it a real server's arithmetic overflows: 31 years in ms, 1 TB in bytes."""


def deadly(type: str, attributes: Mapping[str, int]) -> str:
    """Return the error in attributes that would end a real server (measured with 2.12.0); "" if there is none.

    A negative rate and an overflow panic, a slicer that cannot make progress recurses until its stack is full.
    """
    for name, value in attributes.items():
        if not -LIMIT <= value <= LIMIT:
            return f"{name} is {value}, beyond {LIMIT}"
    if type == "bandwidth" and attributes.get("rate", 0) < 0:
        return f"rate is {attributes['rate']}; the least is 0, which lets nothing through"
    if type == "slicer":
        return _cannot_slice(attributes.get("average_size", 0), attributes.get("size_variation", 0))
    return ""


def _cannot_slice(average: int, variation: int) -> str:
    if average < 1:
        return f"average_size is {average}; the least is 1"
    if not 0 <= variation < average:
        return f"size_variation is {variation}; it must be from 0 to {average - 1}, below average_size"
    return ""
