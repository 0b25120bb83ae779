"""A call that is treated as if it had a stable idempotency key: sent again, it is the same call."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import takewhile

from ...twins.addresses import place_of
from ...values import kinds
from ...values.http import HttpRequest
from ...values.media import medium_of
from ...values.points import Effect, Point, canonical
from ...values.sources import Keyless, Service
from ..process_runs import ProcessRun
from .remedy import Case, Handled, Plain, Remedy

_HEADER = "idempotency-key"


class Keyed(Plain):
    """Change: each POST to a collection has a key, made of its body and of how often a fault-free run sends that.

    A service refuses another body under a key that it knows, so the first body goes with each key: who stores a key
    stores what was sent with it, too.
    """

    def __init__(self, target: str, run: ProcessRun, other: ProcessRun) -> None:
        self._target = target
        # what differs between two fault-free runs is of the moment, and in no stable key
        self._masks = not {request.body for _, request in self._posts(other)}.issuperset(
            request.body for _, request in self._posts(run)
        )
        self._usual = Counter(self._asked(request) for _, request in self._posts(run))
        self._bodies: dict[str, bytes] = {}

    def request(self, process: ProcessRun, point: Point, request: HttpRequest) -> HttpRequest:
        """Return the request with the key; one of another kind as it is."""
        if not self._is_meant(point, request):
            return request
        key = self._key(process, point, request)
        body = self._bodies.setdefault(key, request.body)
        return replace(request, headers={**request.headers, _HEADER: key}, body=body)

    def spares(self, handled: Sequence[Handled]) -> bool:
        """Return whether no key comes twice, neither its own nor one of the agent's: then each call is made once."""
        meant = [(process, sent) for process, sent in handled if canonical(sent.point.target) == self._target]
        theirs = [sent.key for _, sent in meant if sent.key]
        requests = [process.effects.get(sent.point, Effect(sent.point)).request for process, sent in meant]
        own = {
            self._key(process, sent.point, request)
            for (process, sent), request in zip(meant, requests, strict=True)
            if request is not None
        }
        # A record in short has no requests: two of these may have had one key.
        return len(meant) <= 1 or (len(own) == len(meant) and len(set(theirs)) == len(theirs))

    def _key(self, process: ProcessRun, point: Point, request: HttpRequest) -> str:
        asked = self._asked(request)
        earlier = takewhile(lambda post: post[0] != point, self._posts(process))
        number = 1 + sum(self._asked(other) == asked for _, other in earlier)
        return sha256(f"{asked} {min(number, max(1, self._usual[asked]))}".encode()).hexdigest()

    def _is_meant(self, point: Point, request: HttpRequest) -> bool:
        return request.method.upper() == "POST" and canonical(point.target) == self._target

    def _posts(self, process: ProcessRun) -> Iterator[tuple[Point, HttpRequest]]:
        for point, effect in process.effects.items():
            if effect.request is not None and self._is_meant(point, effect.request):
                yield point, effect.request

    def _asked(self, request: HttpRequest) -> str:
        body = request.body.decode(errors="replace")
        return f"{request.path} {canonical(body) if self._masks else body}"


def remedies(case: Case) -> Iterator[Remedy]:
    """Yield the call with a key, where it is one that creates something, and came twice or had a key already."""
    kind, target = called(case.cause.effect)
    sent = [sent for process in (*case.judgement.executions, case.run) for sent in process.sent]
    had_key = any(one.key for one in sent if canonical(one.point.target) == target)
    points = posts(case, target)
    if points and takes_keys(case, kind, target) and (had_key or case.group.key[0] == "twice"):
        name = kinds.KEY_CHANGES if had_key else kinds.REPEATED
        change = Keyed(target, case.run, case.baseline.others[0])
        yield Remedy(name, "with a stable Idempotency-Key on this call", change, points, sends=True)


def takes_keys(case: Case, kind: str, target: str) -> bool:
    """Return whether a POST can have an idempotency key, as far as the service does not say that it knows none."""
    return medium_of(kind).takes_keys and not instead_of_keys(case, target)


def instead_of_keys(case: Case, target: str) -> str:
    """Return what helps where a service knows no idempotency keys, as a sentence; "" for one that may know them."""
    keyless = [one for one in case.services if isinstance(one, Keyless) and isinstance(one, Service)]
    said = (one.instead_of_keys for one in keyless if f"{target}/".startswith(f"{place_of(one.base_url)}/"))
    return next(said, "")


def called(effect: str) -> tuple[str, str]:
    """Return the kind of a cause's effect, and what it is about."""
    verb, _, target = effect.partition(":")
    return verb.partition(".")[0], target


def posts(case: Case, target: str) -> frozenset[Point]:
    """Return the points of the fault-free run that create something in a collection."""
    return frozenset(
        point
        for point in case.run.points
        if point.verb == "post" and medium_of(point.kind).takes_keys and canonical(point.target) == target
    )
