"""A source: what a key-value store holds. Hand its client to `chaos.watch` or `chaos.network`."""

import json
from collections.abc import Callable, Iterable, Mapping

from keyvalue import Client
from rollproof import Row, WorldSource


class KeyValueSource:
    """All keys and values of the store that a client is connected to."""

    def __init__(self, client: Client) -> None:
        self._client, self.address = client, client.address

    def save(self) -> bytes:
        """Return the whole state; equal states as equal bytes."""
        return json.dumps({key: self._client.get(key) for key in sorted(self._client.keys())}).encode()

    def restore(self, state: bytes) -> None:
        """Put a state back."""
        kept = json.loads(state)
        for key in set(self._client.keys()) - kept.keys():
            self._client.delete(key)
        for key, value in kept.items():
            self._client.set(key, value)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return what a person sees in a state."""
        return {"keyvalue": [{"key": key, "value": value} for key, value in json.loads(state).items()]}


def source_of(watched: object) -> WorldSource | None:
    """Return the source that a client stands for; None for anything else."""
    return KeyValueSource(watched) if isinstance(watched, Client) else None


def pytest_chaos_sources() -> Iterable[Callable[[object], WorldSource | None]]:
    """Let Rollproof watch clients of the store."""
    return [source_of]
