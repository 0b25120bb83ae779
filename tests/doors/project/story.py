"""What a stranger writes, who installed the five packages."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from keyvalue import Client, Server
from payer import LEDGER, pay
from rollproof import Chaos, Effect, HttpRequest, Point
from rollproof.testing import check_fault, check_invariant, check_source, check_twin, check_writer, world
from rollproof_keyvalue import KeyValueSource
from rollproof_ledger import Ledger
from rollproof_quota import quota_used_up
from rollproof_sarif import write
from rollproof_solvent import nobody_is_overdrawn


@pytest.fixture
def store() -> Iterator[Client]:
    """Return the client of a store of its own."""
    server = Server()
    yield Client(server.address)
    server.close()


def test_it_pays_once(chaos: Chaos, store: Client) -> None:
    """The story: it fails with ``--chaos``, since the agent guesses."""
    relay = chaos.network("store", store)
    ledger: Ledger = chaos.twin("ledger")
    chaos.llm({"How much": "60"})
    chaos.explore(run=lambda: pay(f"{relay.host}:{relay.port}"))
    assert ledger.requests
    assert store.get("paid") == "yes"


def test_the_packages_keep_their_promises(store: Client, tmp_path: Path) -> None:
    """Each by the contract test of its kind."""
    check_source(KeyValueSource(store), lambda: store.set("a", "b"))
    check_twin(Ledger(), HttpRequest("POST", LEDGER, {}, b'{"method": "transfer", "params": {"key": "a", "cents": 5}}'))
    for url in ("https://api.openai.com/v1/responses", "https://api.anthropic.com/v1/messages"):
        check_fault(quota_used_up, Effect(Point("llm", "chat", "m"), request=HttpRequest("POST", url, {}, b"long")))
    poor, rich = ({"ledger.test/accounts": [{"name": "ours", "cents": cents}]} for cents in (-1, 1))
    check_invariant(nobody_is_overdrawn, catches=world(resources=poor), leaves_alone=world(resources=rich))
    check_writer(partial(write, tmp_path / "it.sarif"), (tmp_path / "it.sarif").read_bytes)
