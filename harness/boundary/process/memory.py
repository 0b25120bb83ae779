"""Make a process that is forked often cheap to fork.

A fork copies one entry for each page of memory, and the end of the child takes each down again: 4 ms for 60 MB. On
pages of 2 MiB both cost a tenth; what a child writes is still copied in small pages (measured on Linux 6.18).
"""

import ctypes
import gc
import sys

_HUGE_BYTES = 1 << 21
_MADV_HUGEPAGE = 14
_MADV_COLLAPSE = 25  # Linux 6.1; older kernels refuse, and nothing is lost
_kept = 0


def on_large_pages() -> None:
    """Put this process's heap on large pages, where the system can; takes 3 ms for each MB, once."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    for start, size in _whole_blocks():
        for advice in (_MADV_HUGEPAGE, _MADV_COLLAPSE):
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), advice)


def settle() -> None:
    """Freeze the objects of this process, so that its children never collect them; free memory goes to the system.

    A collection in a child would copy all of them (60 ms). And what is free here, scattered over the heap, would be
    given back, page by page, by the collection at the end of each child (4 ms).
    """
    global _kept
    gc.collect(1)
    gc.freeze()
    # As Python does it: to go through all objects takes 250 ms where two SDKs are loaded, and few of them are garbage.
    # To count the frozen ones would take a fifth of that.
    if sys.getallocatedblocks() > _kept * 5 // 4:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        _kept = sys.getallocatedblocks()
    freeze()


def freeze() -> None:
    """Freeze what was made since the last time, garbage too: no finalizer of it runs in a process that is forked."""
    gc.freeze()
    gc.collect()  # goes through nothing that is frozen; it is what empties the lists of free objects


def _whole_blocks() -> list[tuple[int, int]]:
    """Return address and size of each private, writable, anonymous mapping, in whole blocks of 2 MiB."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        lines = [line.split() for line in maps]
    blocks: list[tuple[int, int]] = []
    for span, mode, _, _, inode, *name in lines:
        if mode == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            low, high = (int(end, 16) for end in span.split("-"))
            first, last = -(-low // _HUGE_BYTES) * _HUGE_BYTES, high // _HUGE_BYTES * _HUGE_BYTES
            if last > first:
                blocks.append((first, last - first))
    return blocks
