"""Name the requests that created what is there twice, and the idempotency keys that they carried."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..values.history import Violation
from ..values.http import HttpRequest, HttpResponse
from ..values.media import medium_of
from ..values.points import Point
from ..values.sources import Twin
from .process_runs import ProcessRun, Sent

_HEADERS = ("Idempotency-Key", "X-Idempotency-Key", "Idempotency-Token", "X-Idempotency-Token")
_NUMBERS = {2: "two", 3: "three"}
_ORDINALS = {2: "second", 3: "third"}
_SHOWN, _START, _END = 40, 24, 15
_MOST_TOLD = 6


def sent(twin: Twin, request: HttpRequest, point: Point | None, response: HttpResponse) -> Iterator[Sent]:
    """Yield the record of a POST that a twin has handled, since it can have created something.

    A question to a model or the call of a tool creates nothing that has a key.
    """
    if (
        point is None
        or not medium_of(twin.kind).takes_keys
        or request.method.upper() != "POST"
        or response.status >= 400
    ):
        return
    header = next((name for name in _HEADERS if request.headers.get(name.lower())), "")
    yield Sent(point, header, request.headers.get(header.lower(), ""))


def told(broken: Iterable[tuple[Violation, Sequence[ProcessRun]]], hidden: Callable[[str], str]) -> list[str]:
    """Return a line for each collection of a service in which something is too much, with the requests that went there.

    `broken` has each violation with the processes that made what it shows; `hidden` takes secrets out of a text.
    """
    lines = []
    for violation, processes in broken:
        for name in dict.fromkeys(change.name for change in violation.diff if change.sign == "+"):
            requests = requests_told(processes, name, hidden)
            lines += [f"{name}: {requests}"] if requests else []
    return list(dict.fromkeys(lines))


def requests_told(process_runs: Sequence[ProcessRun], target: str, hidden: Callable[[str], str] = str) -> str:
    """Return which processes sent which keys to a collection: ``two POSTs: Idempotency-Key a by run, b by recover``.

    It is "" where fewer than two requests that can have created something went there.
    """
    runs = list(_runs(process_runs, target, hidden))
    count = sum(run.times for run in runs)
    if count < 2:
        return ""
    processes = list(dict.fromkeys(run.process for run in runs))
    posts, by = f"{_NUMBERS.get(count, count)} POSTs", ", ".join([*processes[:-2], " and ".join(processes[-2:])])
    if len({(run.header, run.key) for run in runs}) == 1:
        key = f": the same {runs[0].header} {_short(runs[0].key)}" if runs[0].key else ", no key sent"
        return f"{posts} by {by}{key}"
    words = list(_words(runs[:_MOST_TOLD]))
    more = f" and {left} more" if (left := sum(run.times for run in runs[_MOST_TOLD:])) else ""
    if len(processes) == 1:
        return f"{posts} by {by}: {', then '.join(words)}{more}"
    parts = [
        f"{', then '.join(word for _, word in group)} by {process}"
        for process, group in groupby(zip((run.process for run in runs), words, strict=False), key=lambda pair: pair[0])
    ]
    return f"{posts}: {('; ' if len(words) > len(parts) else ', ').join(parts)}{more}"


@dataclass(slots=True)
class _Run:
    """Requests in a row of one process with one key, or without any."""

    process: str
    header: str
    key: str
    times: int = 1


def _runs(processes: Sequence[ProcessRun], target: str, hidden: Callable[[str], str]) -> Iterator[_Run]:
    roles: Counter[str] = Counter()
    for process_run in processes:
        roles[process_run.role] += 1
        nth = roles[process_run.role]
        process = process_run.role if nth == 1 else f"the {_ORDINALS.get(nth, f'{nth}th')} {process_run.role}"
        requests = [each for each in process_run.sent if each.point.target == target]
        for (header, key), group in groupby(requests, key=lambda each: (each.header, each.key)):
            yield _Run(process, header, hidden(key), len(list(group)))


def _words(runs: Sequence[_Run]) -> Iterator[str]:
    """Yield each key in words; the header is named where it is not the one before."""
    header = before = ""
    for place, run in enumerate(runs):
        if not run.key:
            word = "none" if place else "no key"
        elif run.key == before and run.header == header:
            word = "the same"
        else:
            word = _short(run.key) if run.header == header else f"{run.header} {_short(run.key)}"
        header, before = run.header or header, run.key
        times = "" if run.times == 1 else " twice" if run.times == 2 else f" {run.times} times"
        yield word + times


def _short(key: str) -> str:
    """Return a key, of a long one its beginning and its end."""
    return key if len(key) <= _SHOWN else f"{key[:_START]}…{key[-_END:]}"
