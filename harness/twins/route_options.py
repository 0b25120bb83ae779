"""The options of a route, carried out around its handler: lists that lag, pages, first answers by keys."""

import json
from collections.abc import Callable, Iterable, Set
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from ..values.errors import ChaosError, shown
from ..values.http import HttpRequest, HttpResponse
from ..values.world import Row
from .answers import response_of
from .listing import WORDS, BadQuery, paged
from .store import FirstAnswers, KeyReused


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """The options of a route, each done for its handler.

    Attributes:
        lag: how many further requests there are before the handler sees a new thing.
        idempotent: whether a POST with an ``Idempotency-Key`` that was there before gets its first answer again.
        pages: whether the list that it returns is cut as the query says, with a ``Link``; see `listing.paged`.
    """

    lag: int = 0
    idempotent: bool = False
    pages: bool = False


NO_OPTIONS = RouteOptions()


class Beside:
    """The part of a service's state that routes keep, beside that of its handlers.

    Attributes:
        ages: ``collection/key`` → how many requests came since it was made, as long as a list may lack it.
        replies: first answers by idempotency key, see `FirstAnswers`.
    """

    def __init__(self) -> None:
        self.ages: dict[str, int] = {}
        self.replies: dict[str, Any] = {}

    def dump(self) -> bytes:
        """Return it as a line of JSON; empty where it has nothing."""
        kept = {"ages": self.ages, "replies": self.replies} if self.ages or self.replies else None
        return b"" if kept is None else json.dumps(kept, separators=(",", ":"), sort_keys=True).encode()

    @classmethod
    def load(cls, text: bytes) -> "Beside":
        """Build what `dump` returned."""
        beside = cls()
        if text:
            kept = json.loads(text)
            beside.ages, beside.replies = kept["ages"], kept["replies"]
        return beside

    def rows(self) -> dict[str, list[Row]]:
        """Return it as rows by name, for what a later request can meet."""
        late = [{"what": name, "requests": age} for name, age in self.ages.items()]
        found = {"idempotency-keys": FirstAnswers(self.replies).rows(), "not-listed-yet": late}
        return {name: rows for name, rows in found.items() if rows}

    def age(self, lag: int) -> None:
        """Count a request: a thing that was made more than `lag` of them ago is in each list."""
        self.ages = {name: age + 1 for name, age in self.ages.items() if age < lag}

    def made(self, before: Set[str], after: Set[str]) -> None:
        """Note the new things of a request, and forget those that are gone."""
        kept = {name: age for name, age in self.ages.items() if name in after}
        self.ages = {**kept, **dict.fromkeys(sorted(after - before), 0)}

    def late(self, lag: int) -> frozenset[str]:
        """Return the things that a list which lags by so many requests does not have yet."""
        return frozenset(name for name, age in self.ages.items() if age <= lag) if lag else frozenset()


def things_in(data: Any) -> frozenset[str]:
    """Return ``collection/key`` of each key of a dict, and of each element of a list, at the top of a state."""
    named = data.items() if isinstance(data, dict) else ()
    return frozenset(f"{name}/{key}" for name, some in named for key, _ in _keyed(some))


def without(data: Any, late: Set[str]) -> Any:
    """Return a copy of a state without some of its things."""
    if not isinstance(data, dict):
        return deepcopy(data)
    found: dict[str, Any] = {}
    for name, some in data.items():
        rows = [(key, row) for key, row in _keyed(some) if f"{name}/{key}" not in late]
        found[name] = dict(rows) if isinstance(some, dict) else [row for _, row in rows]
        found[name] = found[name] if isinstance(some, (dict, list)) else some
    return deepcopy(found)


def _keyed(some: Any) -> list[tuple[str, Any]]:
    """Return the things of a collection by their keys: of a list, by their ids, or by their places."""
    if isinstance(some, dict):
        return list(some.items())
    rows = some if isinstance(some, list) else []
    return [(str(row["id"]) if isinstance(row, dict) and "id" in row else f"#{n}", row) for n, row in enumerate(rows)]


def not_yet(request: HttpRequest, late: Iterable[str], lag: int) -> str:
    """Return the story's sentence about a list that lacks something."""
    names = ", ".join(sorted(late))
    return f"the list of {request.method} {request.path} did not show {names} yet (lag {lag})"


def carried_out(
    options: RouteOptions,
    beside: Beside,
    request: HttpRequest,
    state: Any,
    handler: Callable[[Any], object],
    refuse: Callable[[int, str], HttpResponse],
) -> object:
    """Return a handler's answer, with the options of its route applied.

    Raises:
        ChaosError: ``bad-lag`` where a handler whose list lags changes the state; ``bad-answer`` for an answer that
            has no pages.
    """
    what = f"the handler for {request.method} {request.url}"

    def seen(late: Set[str]) -> HttpResponse:
        return response_of(paged_of(_looked(handler, without(state, late), what)), what)

    def paged_of(answer: object) -> object:
        return _page_of(answer, request, what) if options.pages else answer

    def ask() -> object:
        if not options.lag:
            return paged_of(handler(state))
        late = beside.late(options.lag)
        answer = seen(late)
        lacking = [name for name in late if seen(late - {name}) != answer]  # others are in no list that this one makes
        return replace(answer, note=not_yet(request, lacking, options.lag)) if lacking else answer

    try:
        if not options.idempotent:
            return ask()
        return _first_answer(beside.replies, request, lambda: response_of(ask(), what))
    except _SaysNo as no:
        return refuse(no.status, no.reason) if no.answer is None else no.answer


class _SaysNo(Exception):
    """A request that is not carried out: by a status and a reason, or by the handler's own `answer`."""

    def __init__(self, status: int, reason: str = "", answer: HttpResponse | None = None) -> None:
        super().__init__(status, reason)
        self.status, self.reason, self.answer = status, reason, answer


def _looked(handler: Callable[[Any], object], seen: Any, what: str) -> object:
    """Return the answer of a handler that sees a part of the state alone, and may change nothing."""
    before = _filled(deepcopy(seen))
    answer = handler(seen)
    if _filled(seen) != before:
        hint = "only a handler that reads can lag: leave out lag= for a route that changes something"
        raise ChaosError("bad-lag", f"{what}, whose lists lag, changes the state", hint)
    return answer


def _filled(state: Any) -> Any:
    """Return a state without collections that are empty: one that is made where it was missing is no change."""
    return {name: some for name, some in state.items() if some not in ([], {})} if isinstance(state, dict) else state


def _page_of(answer: object, request: HttpRequest, what: str) -> object:
    """Return the page of a handler's list that a request asks for; an answer from 400 on stays as it is.

    Raises:
        ChaosError: ``bad-answer`` for an answer that has no pages; `what` names the handler.
        _SaysNo: for a page that is none.
    """
    status = answer.status if isinstance(answer, HttpResponse) else answer[0] if isinstance(answer, tuple) else 200
    if isinstance(status, int) and status >= 400:
        return answer
    if not isinstance(answer, list) or not all(isinstance(row, dict) and "id" in row for row in answer):
        hint = 'return the whole list, [{"id": …}, …]: with pages=True it is cut as the query says'
        raise ChaosError("bad-answer", f"{what} returns {shown(answer)}, which has no pages", hint)
    if not request.query.keys() & set(WORDS[:-1]):
        return answer
    try:
        rows, link = paged(answer, request)
    except BadQuery as problem:
        raise _SaysNo(400, str(problem)) from None
    return 200, list(rows), {"link": link} if link else {}


def _first_answer(replies: dict[str, Any], request: HttpRequest, act: Callable[[], HttpResponse]) -> HttpResponse:
    """Return the first answer to a request with a key again, else that of `act`, which uses up no key from 400 on.

    Raises:
        _SaysNo: for a key that came with another request, and for an answer of `act` from 400 on.
    """

    def done() -> HttpResponse:
        answer = act()
        if answer.status >= 400:
            raise _SaysNo(answer.status, answer=answer)
        return answer

    try:
        return FirstAnswers(replies).answer(request, [request.query, request.body.decode("latin-1")], done)
    except KeyReused as problem:
        raise _SaysNo(409, str(problem)) from None
