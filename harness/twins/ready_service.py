"""The base of ready-made services: ids and times of their own, the live part of their state, their refusals."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ..values.epoch import MADE
from ..values.errors import ChaosError, shown
from ..values.http import HttpRequest, HttpResponse
from ..values.world import Row
from .answers import Refused, response_of
from .credentials import basic, token
from .handled import HandledService, by_place
from .handlers import Handler, beside_of, read_state
from .plain_data import dumped, rows_by_name

State = dict[str, Any]
_MADE = "_made"
_WRONG_VALUES = ArithmeticError, AttributeError, LookupError, TypeError, ValueError
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True, slots=True)
class Provider:
    """The functions that are each provider's own.

    Attributes:
        refusal: ``refusal(status, reason)`` returns the answer that says no; without a reason, with the usual one.
        live: returns the part of a state that is there for a person, by name; cancelled and refunded things are not.
        unknown: answers what no route fits.
        instead_of_keys: the sentence on what helps against doing something twice, where it takes no idempotency keys.
    """

    refusal: Callable[[int, str], object]
    live: Callable[[State], Mapping[str, Any]]
    unknown: Handler
    instead_of_keys: str = ""


class ReadyService(HandledService):
    """A service as its provider runs it: routes, each with a function that answers, over one state.

    Ids are made of the state and of the number of the run, times of the clock of the process that asks. Names in the
    state that begin with ``_`` are no part of what a person sees; counters are none of what a later request can meet.

    Args:
        base_url: of the service.
        provider: the functions that are its own.
        state: what there is before the run.
        token: the only credential that is accepted; None accepts everybody.

    Attributes:
        remarks: what a user should know of what was asked.
        own_secrets: the token, by what it is.
        instead_of_keys: see `Provider`.
    """

    def __init__(self, base_url: str, provider: Provider, state: State, token: str | None = None) -> None:
        self._provider, self._token, self._run, self._now = provider, token, 0, float(MADE)
        self.remarks: list[str] = []
        self.instead_of_keys = provider.instead_of_keys
        self.own_secrets = {f"the token of {base_url}": token} if token else {}
        super().__init__(base_url, self._answered(self._tried(provider.unknown)), state={**state, _MADE: {}})

    def set_run(self, run: int) -> None:
        """Give things that are created from now on other ids and numbers, as every run of the real service does."""
        self._run = run
        self._seen = {}  # what the same state leads to depends on the run, too

    def begin_with(self, state: State) -> None:
        """Take this as the state before the run."""
        self.restore(dumped(state, f"the state of {self.base_url}"))

    def route(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        lag: int = 0,
        idempotent: bool = False,
        pages: bool = False,
    ) -> None:
        """Answer by a handler; it may raise `Refused`, before it has changed anything."""
        super().route(method, path, self._answered(handler), lag=lag, idempotent=idempotent, pages=pages)

    def own_route(self, method: str, path: str, handler: Handler) -> None:
        """Answer by a handler of the provider's own: a value that it cannot take, of a wrong type, is refused."""
        self.route(method, path, self._tried(handler))

    def remark(self, text: str) -> None:
        """Note a sentence for the statement, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    def describe(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return the live rows, by ``host/name``."""
        return by_place(self.base_url, rows_by_name(self._provider.live(read_state(state))))

    def full_state(self, state: bytes) -> Mapping[str, list[Row]]:
        """Return all rows by ``host/name``, without the counters: the ids that they made tell as much."""
        kept = {name: rows for name, rows in read_state(state).items() if name != _MADE}
        return by_place(self.base_url, {**rows_by_name(kept), **beside_of(state)})

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with an error in the provider's own way, without acting."""
        said = response_of(self._provider.refusal(status, reason), f"the refusal of {self.base_url}")
        seconds = headers.get("retry-after", "")
        if seconds and not seconds.isdigit():
            headers = {**headers, "retry-after": "2"}  # none of them sends a date there, and some SDKs read none
        return HttpResponse(said.status, {**said.headers, **headers}, said.body)

    def counted(self, state: State, what: str, start: int = 1, most: int = 1) -> int:
        """Return the next number of a kind: one more in the fault-free run, up to `most` more in any other.

        In others somebody else has used some: a number is as little to be relied on as an id.
        """
        made = state[_MADE]
        step = 1 if not self._run else 1 + _digest(self._run, what, made.get(what, 0))[0] % most
        made[what] = made[what] + step if what in made else start + step - 1
        return int(made[what])

    def time(self, state: State) -> int:
        """Return the second at which something is created, by the clock of the process that asks; it never goes back.

        Things that the test itself makes are of the hour before the run, each later than the one before.
        """
        if self._now <= MADE:
            return self.counted(state, "second", MADE, most=90)
        made = state[_MADE]
        made["second"] = max(int(self._now), made.get("second", MADE))
        return int(made["second"])

    def hexadecimal(self, state: State, what: str, length: int = 24) -> str:
        """Return the next id of a kind; its beginning makes it read as a random part wherever it stands."""
        digest = _digest(self._run, what, self.counted(state, f"{what} id"))
        return f"{'abcdef'[digest[0] % 6]}{digest[1] % 10}{digest[2:].hex()}"[:length]

    def letters(self, state: State, what: str, length: int = 10) -> str:
        """Return the next id of a kind, of capital letters and digits."""
        digest = _digest(self._run, what, self.counted(state, f"{what} id"))
        return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:length])

    def _answered(self, handler: Handler) -> Handler:
        @functools.wraps(handler)
        def answered(request: HttpRequest, state: State, **parts: str) -> object:
            self._now = request.time
            if self._token is not None and _credential(request) != self._token:
                return self._provider.refusal(401, "")
            try:
                return handler(request, state, **parts)
            except Refused as refused:
                return refused.answer

        return answered

    def _tried(self, handler: Handler) -> Handler:
        @functools.wraps(handler)
        def tried(request: HttpRequest, state: State, **parts: str) -> object:
            try:
                return handler(request, state, **parts)
            except _WRONG_VALUES:
                self.restore(self.save())  # nothing is kept of what was changed until then
                return self._provider.refusal(400, "")

        return tried


def _digest(run: int, *parts: object) -> bytes:
    return sha256("/".join(map(str, (run, *parts))).encode()).digest()


def _credential(request: HttpRequest) -> str:
    """Return the credential of a request: ``Bearer`` and ``token`` have it as it is, ``Basic`` as the user's name."""
    return token(request) or basic(request)[0]


def seeded(given: object, what: str, example: str) -> list[Row]:
    """Return the rows that a test declares as there before the run; a text stands for a row with this name.

    Raises:
        ChaosError: ``bad-seed`` where it is no list of texts and dicts; `example` shows one.
    """
    rows = [{"name": one} if isinstance(one, str) else one for one in given] if isinstance(given, (list, tuple)) else []
    if given is not None and (not isinstance(given, (list, tuple)) or not all(isinstance(row, dict) for row in rows)):
        raise ChaosError("bad-seed", f"{what}={shown(given)}", f"a list of names or of dicts: {example}")
    return json.loads(json.dumps(rows))  # type: ignore[no-any-return]
