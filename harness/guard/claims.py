"""Exclusive claims on folders: two explorations of one folder would each take the other's middle for its own.

A claim is a socket with a name in Linux's abstract namespace: it leaves nothing on disk, and is gone with its process.
"""

import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b

from ..values.errors import ChaosError
from ..values.rare import rare

_PATIENCE_S, _LOOK_EVERY_S = 1.0, 0.02
"""A session that is just ending, or has just forked a process, is waited for."""
_claimed: set[socket.socket] = set()


@contextmanager
def claimed(paths: Iterable[os.PathLike[str]]) -> Iterator[None]:
    """Have these paths alone for the block.

    Raises ChaosError ``in-use`` where another session, or another worker of this one, explores one of them.
    """
    with ExitStack() as claims:
        for path in paths:
            claims.callback(_release, _claim(os.path.realpath(path)))
        yield


def _claim(path: str) -> socket.socket | None:
    if sys.platform != "linux":
        return None
    name = b"\0rollproof/" + blake2b(os.fsencode(path), digest_size=16).hexdigest().encode()
    until = time.monotonic() + _PATIENCE_S
    while (claim := _bound(name)) is None:
        if time.monotonic() > until:
            rare("a folder that another session explores is refused")
            raise ChaosError(
                "in-use",
                f"{path} is explored by another session, or by another worker of this one",
                "wait for its end, or let each test watch a folder of its own, e.g. below tmp_path",
            )
        time.sleep(_LOOK_EVERY_S)
    _claimed.add(claim)
    return claim


def _bound(name: bytes) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(name)
    except OSError:
        claim.close()
        return None
    return claim


def _release(claim: socket.socket | None) -> None:
    if claim is not None:
        _claimed.discard(claim)
        claim.close()


def _forget() -> None:
    """Close the parent's claims in a forked process, which may outlive the exploration."""
    while _claimed:
        _claimed.pop().close()


os.register_at_fork(after_in_child=_forget)
