"""A twin: a ledger that is asked by remote procedure calls, ``{"method": "transfer", "params": {…}}``."""

import json
from collections.abc import Mapping

from rollproof import HttpRequest, HttpResponse, Row, Service


class Ledger:
    """A ledger of two accounts. A transfer has a key; one whose key is known is not made again."""

    kind = "http"

    def __init__(self, base_url: str = "https://ledger.test/rpc") -> None:
        self.base_url = base_url
        self.requests: list[HttpRequest] = []
        self._accounts, self._keys = {"ours": 100, "theirs": 0}, [""]

    def save(self) -> bytes:
        """Return the whole state; equal states as equal bytes."""
        return json.dumps([self._accounts, self._keys], sort_keys=True).encode()

    def restore(self, state: bytes) -> None:
        """Put a state back."""
        self._accounts, self._keys = json.loads(state)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return what is compared, and what `world.resources` has."""
        accounts, _ = json.loads(state)
        return {"ledger.test/accounts": [{"name": name, "cents": cents} for name, cents in accounts.items()]}

    def full_state(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return all that a later request can meet: the keys, too."""
        return {**self.describe(state), "ledger.test/keys": [{"key": key} for key in json.loads(state)[1]]}

    def set_run(self, run: int) -> None:
        """Do nothing: it makes no ids."""

    def verb(self, request: HttpRequest) -> str:
        """Return the method that is called."""
        return str(request.json()["method"])

    def target(self, request: HttpRequest) -> str:
        """Return the host: all calls go to one address."""
        return request.host

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Carry a transfer out."""
        self.requests.append(request)
        key, cents = request.json()["params"]["key"], request.json()["params"]["cents"]
        if key not in self._keys:
            self._keys.append(key)
            self._accounts = {"ours": self._accounts["ours"] - cents, "theirs": self._accounts["theirs"] + cents}
        return HttpResponse.of_json(200, {"result": self._accounts})

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error, without acting."""
        return HttpResponse.of_json(status, {"error": {"code": -32000, "message": reason or "refused"}}, headers)


def pytest_chaos_twins() -> Mapping[str, type[Service]]:
    """Let tests say ``chaos.twin("ledger")``."""
    return {"ledger": Ledger}
