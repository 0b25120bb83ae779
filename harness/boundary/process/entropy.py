"""Randomness of a child process: its own stream, derived from the seed and from what the process starts from."""

import hashlib
import os
import random
import sys
from typing import Any

from .. import patching
from ..adapters import python_random

_real_seed = random.Random.seed


class Stream:
    """An endless deterministic stream of bytes (BLAKE2b in counter mode)."""

    def __init__(self) -> None:
        self.begin("")

    def begin(self, key: str) -> None:
        """Start over, as the stream of this key."""
        self._key = hashlib.blake2b(key.encode()).digest()
        self._counter = 0

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count < 0:
            raise ValueError("negative argument not allowed")
        data = b""
        while len(data) < count:
            data += hashlib.blake2b(self._counter.to_bytes(8, "big"), key=self._key).digest()
            self._counter += 1
        return data[:count]


def install() -> Stream:
    """Feed `random`, `uuid`, ``os.urandom`` and `secrets` from one stream, which `begin` starts."""
    stream = Stream()
    patching.replace(os, "urandom", lambda original: stream.take)
    python_random.draw_from(stream.take)

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        _real_seed(self, int.from_bytes(stream.take(16), "big") if a is None else a, version)

    # Without a seed, C code draws one from the system, past `os.urandom`.
    random.Random.seed = seed  # type: ignore[method-assign]
    return stream


def begin(stream: Stream, key: str) -> None:
    """Start over with the random numbers of this key, those of numpy's global generator too."""
    stream.begin(key)
    random.seed(int.from_bytes(stream.take(16), "big"))
    python_random.forget()
    # Seeded when it was imported, before the fork: every process would draw the same.
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "random"):
        numpy.random.seed(int.from_bytes(stream.take(4), "big"))
