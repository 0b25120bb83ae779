"""Fail fast, retry, or roll back: the kind of the error decides, and budgets bound all of it.

A `Budget` in memory is that of one process. One that is kept in a store is one for all processes of its run, and of two
that want the last attempt one gets it.

    error                                                  what to do
    it may pass: timeout, connection, 408, 425, 429, 5xx   RETRY, with a pause, a few times
    it will not pass: 400, 404, 409, 422, a bad answer     ROLL_BACK: give up this run, undo it
    nothing will work: 401, 403, a budget is spent, a loop STOP: no further call of any kind

Retry is not rollback: trying again here is only right for an act that can be repeated (by its idempotency key). What is
bounded: attempts and pauses of one call, and over all calls of a run the attempts, the time, the tokens and the money.

    from rollproof.runtime import Budget, Retry, Store

    with Store("agent.db") as store:
        budget = Budget(attempts=20, cents=500, store=store, run="run-1")      # in a step: run=run.id
        budget.notice("search", {"q": "solar"})                                # raises when it goes in circles
        found = Retry(attempts=3).call(lambda: "found", budget, "search", credential="search.example")
        budget.use(cents=2)
        again = Budget(attempts=20, cents=500, store=store, run="run-1")       # the next process goes on with it
        assert (again.used("attempts"), again.used("cents")) == (1, 2)

Full jitter is Brooker's ("Exponential Backoff And Jitter", AWS, 2015); Retry-After is obeyed where it comes.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, TypeVar

from .canonical import canonical, sha256
from .journal import Journal
from .store import Storage

T = TypeVar("T")

BOUNDED = ("attempts", "tokens", "cents")
USED = "used"
"""The event of the journal with the amounts that a kept budget has used."""

PASSING_NAMES = ("Timeout", "ConnectionError", "TransportError", "gaierror",
                 "IncompleteRead", "ChunkedEncodingError", "ClientPayloadError", "ServerDisconnected")  # fmt: skip
"""Parts of the names of error classes of HTTP, mail and model clients that say that a try may get through later."""


class Verdict(StrEnum):
    """The reactions to an error."""

    RETRY = "retry"
    ROLL_BACK = "roll_back"
    STOP = "stop"


class BudgetSpent(Exception):
    """A budget is used up; no further call is made."""


class LoopNoticed(Exception):
    """The agent makes the same call again and again, and learns nothing from it."""


class KeyRefused(Exception):
    """A key was refused earlier in this run, by another process; the call was not made."""

    def __init__(self, credential: str, status_code: int | None) -> None:
        """Keep the name of the key, and the HTTP status of its refusal."""
        super().__init__(f"the key for {credential} was refused ({status_code}) before; nothing was sent")
        self.status_code = status_code


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error carries, as HTTP clients and model SDKs do; None where it has none."""
    response = getattr(error, "response", None)
    names = ((error, "status_code"), (response, "status_code"), (error, "status"), (error, "code"))
    found = (getattr(holder, name, None) for holder, name in names)
    return next((status for status in found if isinstance(status, int) and 100 <= status < 600), None)


def is_refused_key(error: BaseException) -> bool:
    """Return whether the caller's key is to blame, and not the request: once the key works, the same call does."""
    return status_of(error) in (401, 403)


def classify(error: BaseException) -> Verdict:
    """Return the verdict on an error; one of unknown kind is rolled back, never tried again."""
    if isinstance(error, BudgetSpent | LoopNoticed) or not isinstance(error, Exception):
        return Verdict.STOP
    status = status_of(error)
    if status is not None:
        passing = status in (408, 425, 429) or status >= 500
        return Verdict.STOP if is_refused_key(error) else Verdict.RETRY if passing else Verdict.ROLL_BACK
    if 400 <= getattr(error, "smtp_code", 0) < 500:  # smtplib: "transient negative completion"
        return Verdict.RETRY
    reason = getattr(error, "reason", None)  # urllib says with its URLError what stopped it
    if isinstance(reason, Exception):
        return classify(reason)
    names = [kind.__name__ for kind in type(error).__mro__]
    passing = isinstance(error, TimeoutError | ConnectionError) or any(
        part in name for part in PASSING_NAMES for name in names
    )
    return Verdict.RETRY if passing else Verdict.ROLL_BACK


@dataclass
class Usage:
    """The used part of a budget: the sum of its events, of this process and of those before."""

    opened: float = field(default_factory=lambda: time.monotonic(), compare=False)
    began: float | None = field(default=None, compare=False)
    amounts: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter[str] = field(default_factory=Counter)
    refused: dict[str, Exception] = field(default_factory=dict)
    seq: int = field(default=0, compare=False)

    def elapsed_s(self) -> float:
        """Return the seconds since this process opened the budget, or since the first process used it."""
        elapsed = time.monotonic() - self.opened
        return elapsed if self.began is None else max(elapsed, time.time() - self.began)

    def read(self, store: Storage, run: str) -> None:
        """Count the new events of the journal; those of a transaction that was taken back are not there."""
        query = "SELECT seq, detail FROM journal WHERE run = ? AND event = ? AND seq > ? ORDER BY seq"
        for seq, detail in store.read(query, run, USED, self.seq):
            self.count(json.loads(detail))
            self.seq = seq

    def count(self, detail: Mapping[str, Any]) -> None:
        """Count one event."""
        for what, amount in detail.get("used", {}).items():
            self.amounts[what] += amount
        if "noticed" in detail:
            self.calls[detail["noticed"]] += 1
        if "refused" in detail:
            credential = detail["refused"]
            self.refused.setdefault(credential, KeyRefused(credential, detail["status"]))
        self.began = detail.get("began", self.began)


@dataclass
class Budget:
    """The bounds of all calls of one run together; None is no bound.

    In memory, keep one for a run. With `store` and `run` what was used stands in the journal, written before each call
    is made: after a crash a new one for the same run goes on where the one before stopped, and nothing is given back.
    `seconds` then count from its first use by the time of day, also while no process runs. Use it outside transactions.

    An undo needs a budget of its own: a spent one must not keep a run from being taken back.
    """

    attempts: int | None = 50
    seconds: float | None = None
    tokens: int | None = None
    cents: float | None = None
    same_calls: int = 3
    store: Storage | None = field(default=None, repr=False, compare=False)
    run: str = ""
    _used: Usage = field(default_factory=Usage, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a store without a run: the budget could not be found again."""
        if (self.store is None) != (not self.run):
            raise ValueError("a budget that is kept needs both: Budget(..., store=store, run=run.id)")

    def begin(self, call: str = "", credential: str = "") -> None:
        """Count one attempt, before it is made, if it is within the budget.

        Raises:
            BudgetSpent: The attempt is not within the budget.
            Exception: The key was refused before; see `check_key`.
        """
        with self._together():
            self.check_key(credential)
            self.check(call)
            self._keep(used={"attempts": 1})

    def refuse(self, credential: str, error: Exception) -> None:
        """Remember that a key was refused: no call that needs it is made in this run any more."""
        with self._together():
            self._keep(refused=credential, status=status_of(error))
        self._used.refused[credential] = error

    def check_key(self, credential: str) -> None:
        """Make sure that a key was not refused before.

        Raises:
            Exception: The key was refused; the error is the one that said so, or in a later process `KeyRefused`.
        """
        self._read()
        if credential in self._used.refused:
            raise self._used.refused[credential]

    def use(self, **amounts: float) -> None:
        """Count used amounts: `attempts`, `tokens`, `cents`.

        Raises:
            ValueError: Something else was used; no budget bounds it.
        """
        for what in amounts.keys() - set(BOUNDED):
            raise ValueError(f"a budget counts {', '.join(BOUNDED)}, not {what!r}")
        with self._together():
            self._keep(used=amounts)

    def used(self, what: str) -> float:
        """Return how much of something was used so far."""
        self._read()
        return self._used.amounts[what]

    def check(self, call: str = "", wait_s: float = 0.0) -> None:
        """Make sure that one more attempt is within the budget, after a pause.

        Raises:
            BudgetSpent: The attempt is not within it; says which bound is used up, and how much of it there was.
        """
        self._read()
        elapsed = wait_s + self._used.elapsed_s()
        if self.seconds is not None and elapsed > self.seconds:
            raise BudgetSpent(f"{call}: {elapsed:.0f} s of {self.seconds:.0f} s are over")
        for what in BOUNDED:
            limit = getattr(self, what)
            if limit is not None and self._used.amounts[what] >= limit:
                raise BudgetSpent(f"{call}: {self._used.amounts[what]:g} of {limit:g} {what} are used")

    def notice(self, call: str, arguments: Mapping[str, Any]) -> None:
        """Count a new call (not its retries) by name and arguments.

        Raises:
            LoopNoticed: The same one was made `same_calls` times before.
        """
        name = sha256(f"{call}({canonical(dict(arguments))})")  # a hash: arguments may hold secrets
        with self._together():
            self._keep(noticed=name)
        self._read()
        if self._used.calls[name] > self.same_calls:
            raise LoopNoticed(f"{call} was called {self.same_calls} times with the same arguments")

    def _together(self) -> AbstractContextManager[None]:
        """Look and count in one transaction, so that two processes do not both take the last attempt."""
        return nullcontext() if self.store is None else self.store.transaction()

    def _keep(self, **detail: Any) -> None:
        if self.store is None:
            self._used.count(detail)
            return
        self._read()
        if self.seconds is not None and self._used.began is None:
            detail["began"] = time.time() - (time.monotonic() - self._used.opened)
        Journal(self.store).append(self.run, USED, **detail)

    def _read(self) -> None:
        if self.store is not None:
            self._used.read(self.store, self.run)


@dataclass(frozen=True, slots=True)
class Retry:
    """The tries of one call: at most `attempts` times, with pauses of up to `first_s`, doubled, at most `most_s`."""

    attempts: int = 4
    first_s: float = 0.5
    most_s: float = 30.0

    def call(self, work: Callable[[], T], budget: Budget, name: str = "call", *, credential: str = "") -> T:
        """Do the work until it succeeds, or its error will not pass, or the attempts are over.

        `credential` tells the keys apart that the calls of a run use (a host will do): one that is refused is not sent
        again within the same budget, whatever the service would say to it next.

        Raises:
            BudgetSpent: Another attempt is not within the budget; the error before is its cause.
            Exception: What the last attempt raised.
        """
        for attempt in range(1, self.attempts + 1):
            budget.begin(name, credential)
            try:
                return work()
            except Exception as error:
                if credential and is_refused_key(error):
                    budget.refuse(credential, error)
                if classify(error) is not Verdict.RETRY or attempt == self.attempts:
                    raise
                wait_s = pause_s(error, attempt, self.first_s, self.most_s)
                if wait_s > self.most_s:
                    raise
                try:
                    budget.check(name, wait_s)
                except BudgetSpent as spent:
                    raise spent from error
                time.sleep(wait_s)
        raise AssertionError("a Retry has at least one attempt")


def pause_s(error: BaseException, attempt: int, first_s: float, most_s: float) -> float:
    """Return the pause after a failure: Retry-After, or a draw up to a limit that doubles (full jitter).

    Args:
        error: What failed.
        attempt: How many tries have failed by now, from 1.
        first_s: The limit after the first one.
        most_s: The highest limit.
    """
    asked = retry_after_s(error)
    if asked is not None:
        return asked
    return random.uniform(0.0, min(most_s, first_s * 2.0 ** min(attempt - 1, 64)))  # 2.0 ** 1024 is an error


def retry_after_s(error: BaseException) -> float | None:
    """Return the pause of a Retry-After header, a number or a date, in seconds from now; None where there is none."""
    headers = getattr(getattr(error, "response", None), "headers", None) or getattr(error, "headers", None) or {}
    text = str(headers.get("retry-after") or headers.get("Retry-After") or "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
