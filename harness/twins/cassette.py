"""A cassette: what a real provider said in one run, said again ever after.

The modes are those that users of VCR.py know: what is not there is recorded once, by an ordinary run; then the file
answers; `--chaos-record` adds what is missing ("new episodes").
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..values.cleaning import Cleaner
from ..values.errors import ChaosError
from ..values.exploration import counted
from ..values.http import HttpRequest, HttpResponse
from . import cassette_file, cassette_values, events
from .cassette_differences import asks, differences, nearest
from .credentials import shown

_MOST_REMEMBERED = 500  # requests


@dataclass(frozen=True)
class Recorder:
    """Asks the real provider.

    Args:
        ask: sends a request there.
        made_up: keys that are no real ones, by the variable in which a real one would stand.
        exploring: whether the agent meets faults: an error of the provider's is none of them, and ends everything.
    """

    ask: Callable[[HttpRequest], HttpResponse]
    made_up: Mapping[str, str]
    exploring: bool


class Recorded(NamedTuple):
    """A recorded answer.

    Attributes:
        swaps: what it has to say instead of values that were others when it was recorded.
        wants_key: whether the request that was recorded showed a key.
    """

    response: HttpResponse
    swaps: Mapping[str, str] = MappingProxyType({})
    wants_key: bool = False


class Cassette:
    """Answers requests as the real provider did: equal requests get the same answer, however often they come.

    A request is the same if method, address and JSON body are. Where none is, one that differs in times, uuids and
    temporary folders alone is taken, if it is the only one. The ids of an answer are others in each run, as a
    provider's are; requests that name them are seen as if they named the recorded ones.

    Args:
        path: of the file.
        recorder: asks for what is missing; None where nothing may be recorded.
        alone: whether nobody else answers what is not there.
        environment: whose secrets are hidden.

    Attributes:
        remarks: what the statement says of it.

    Raises:
        ChaosError: ``no-cassette``, ``bad-cassette``, ``secret-in-cassette``; from `answer` also ``not-in-cassette``,
            ``no-key``, ``no-provider`` and ``provider-refuses``.
    """

    def __init__(
        self, path: Path, recorder: Recorder | None, *, alone: bool = True, environment: Mapping[str, str] | None = None
    ) -> None:
        if recorder is None and not path.exists():
            raise _missing_file(path)
        self.path, self.remarks = path, list[str]()
        self._recorder, self._alone, self._environment = recorder, alone, environment or {}
        self._kept = [_Kept(exchange) for exchange in (cassette_file.read(path) if path.exists() else [])]
        self._there = len(self._kept)
        self._uses = _Uses(set(), set(), {}, {}, {})
        self._lock = threading.Lock()
        self.remarks[:] = self._told()

    def answer(self, request: HttpRequest, run: int) -> Recorded | None:
        """Return the answer to a request in this run; None where it has none and somebody else may have."""
        with self._lock:
            asked = self._asked(request)
            found = self._found(asked)
            if found is None and self._recorder is not None:
                refused = self._record(self._recorder, request, asked)
                if refused is not None:
                    return Recorded(refused)
                found = len(self._kept) - 1, {}
            if found is None:
                if self._alone:
                    raise self._missing(asked)
                return None
            place, swaps = found
            self._uses.answered.add(place)
            if swaps:
                self._uses.alike.add(json.dumps(asked, sort_keys=True))
            self.remarks[:] = self._told()
            return Recorded(
                self._said(place, run), swaps, self._kept[place].exchange["request"].get("authenticated", True)
            )

    def missing(self, request: HttpRequest) -> ChaosError:
        """Return the error for a request that has no answer, with the recorded one that is most like it."""
        return self._missing(self._asked(request))

    def keep(self) -> None:
        """Write the cassette, if anything was recorded.

        Raises:
            ChaosError: ``provider-refuses`` where a request had no answer but an error.
        """
        if self.refused is not None:
            raise self.refused
        self.keep_what_there_is()

    def keep_what_there_is(self) -> None:
        """Write the recorded exchanges, also where others are missing."""
        if len(self._kept) > self._there:
            cassette_file.write(self.path, [kept.exchange for kept in self._kept])
            self._there = len(self._kept)
            self.remarks[:] = self._told()

    @property
    def refused(self) -> ChaosError | None:
        """Return the provider's first error on a request that got no better answer later."""
        return next(iter(self._uses.refused.values()), None)

    def _asked(self, request: HttpRequest) -> dict[str, Any]:
        known, key = self._uses.cleaned, (request.method, request.url, shown(request), request.body)
        if key not in known:
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            known[key] = cassette_file.request_of(request, Cleaner(environment=self._environment))
        asked: dict[str, Any] = cassette_values.renamed(known[key], self._uses.recorded_ids)
        return asked

    def _found(self, asked: Mapping[str, Any]) -> tuple[int, Mapping[str, str]] | None:
        today = _Kept({"request": asked})
        for place, kept in enumerate(self._kept):
            if kept.meaning == today.meaning:
                return place, {}
        # Two requests of the run that is being recorded may ask about two dates: both are asked of the provider.
        recording = self._recorder is not None and not self._recorder.exploring
        like = [
            (place, swaps)
            for place, kept in enumerate(self._kept[: self._there] if recording else self._kept)
            if kept.holes[0] == today.holes[0]
            and (swaps := cassette_values.swaps(kept.holes[1], today.holes[1])) is not None
        ]
        return like[0] if len(like) == 1 else None

    def _said(self, place: int, run: int) -> HttpResponse:
        kept = self._kept[place]
        ids = {id: cassette_values.of_run(id, run) for id in kept.ids}
        self._uses.recorded_ids.update({new: id for id, new in ids.items() if new != id})
        return cassette_file.response_from(cassette_values.renamed(kept.exchange["response"], ids))

    def _record(self, recorder: Recorder, request: HttpRequest, asked: dict[str, Any]) -> HttpResponse | None:
        """Ask the provider, and note the answer; returns an error of its own, which is not noted."""
        for variable, key in recorder.made_up.items():
            if any(key in value for value in (request.url, *request.headers.values())):
                raise _no_key(self.path, variable)
        response = recorder.ask(self._as_recorded(request))
        cleaner = Cleaner(environment=self._environment)
        cassette_file.learn(cleaner, request.headers)
        key = json.dumps(asked, sort_keys=True)
        if (error := _error_in(response)) is not None:
            told = cleaner.clean(error)
            problem = ChaosError(
                "provider-refuses",
                f"{self.path.name} was not recorded: {asked['method']} {asked['url']} was answered {told}",
                "an error of the provider's is no answer for later runs; nothing was written",
            )
            if recorder.exploring:
                raise problem
            self._uses.refused[key] = problem
            return response
        self._uses.refused.pop(key, None)
        self._kept.append(_Kept({"request": asked, "response": cassette_file.response_of(response, cleaner)}))
        return None

    def _as_recorded(self, request: HttpRequest) -> HttpRequest:
        """Return a request with the ids that the provider knows."""
        try:
            document = request.json()
        except ValueError:
            return request
        known = cassette_values.renamed(document, self._uses.recorded_ids)
        return request if known == document else replace(request, body=json.dumps(known).encode())

    def _told(self) -> list[str]:
        unused, added = len(self._kept) - len(self._uses.answered), len(self._kept) - self._there
        lines = (
            [f"{unused} of {counted(len(self._kept), 'answer')} of {self.path.name} not asked for"] if unused else []
        )
        lines += [f"{counted(added, 'answer')} recorded into {self.path.name}"] if added else []
        alike = counted(len(self._uses.alike), "request")
        why = f"{alike} answered by {self.path.name} though times, uuids or temporary folders in them are others"
        return [*lines, why] if self._uses.alike else lines

    def _missing(self, asked: Mapping[str, Any]) -> ChaosError:
        requests = [kept.exchange["request"] for kept in self._kept]
        lines = ["it has no answer at all"]
        if requests:
            number = nearest(asked, requests)
            lines = [f"nearest of {len(requests)} recorded, number {number + 1}: {asks(requests[number])!r}"]
            lines += [f"  {line}" for line in differences(requests[number], asked)]
        return ChaosError(
            "not-in-cassette",
            f"{self.path.name} has no answer to {asked['method']} {asked['url']}: {asks(asked)!r}",
            "\n".join([*lines, *_HOW_TO_ADD, f"all anew: delete {self.path} and run the test once without --chaos"]),
        )


@dataclass(frozen=True)
class _Uses:
    """Requests that a cassette has got so far, and their answers.

    Attributes:
        answered: the places of the exchanges that were.
        alike: requests that got an answer though they are not the same.
        refused: errors of the provider's, by the request.
        recorded_ids: the recorded id of each that was given out in its place.
        cleaned: requests without their secrets, which a loop of an agent's sends again and again.
    """

    answered: set[int]
    alike: set[str]
    refused: dict[str, ChaosError]
    recorded_ids: dict[str, str]
    cleaned: dict[tuple[str, str, str, bytes], dict[str, Any]]


@dataclass(frozen=True)
class _Kept:
    """An exchange, with the values that are often asked of it."""

    exchange: Mapping[str, Any]

    @cached_property
    def meaning(self) -> dict[str, Any]:
        """Return the key under which equal requests are the same."""
        return {name: value for name, value in self.exchange["request"].items() if name != "authenticated"}

    @cached_property
    def holes(self) -> tuple[str, tuple[str, ...]]:
        """Return the request as a text with holes, and the values in them."""
        return cassette_values.without_volatile(self.meaning)

    @cached_property
    def ids(self) -> list[str]:
        """Return the ids that the provider drew for the answer."""
        asked = set(cassette_values.ids_of(self.exchange["request"].get("json")))
        return [id for id in cassette_values.ids_of(self.exchange["response"]) if id not in asked]


_HOW_TO_ADD = (
    "what is missing is asked of the real provider, and added, with --chaos-record (and --chaos, for a recovery's);",
    "or chaos.llm(replies, cassette=…) says it: replies are for what the cassette has not",
)


def may_record(path: Path, record: str) -> bool:
    """Say whether the provider may be asked: in the mode "missing", and "once" where there is no file yet."""
    return record == "missing" or (record == "once" and not path.exists())


def _error_in(response: HttpResponse) -> str | None:
    """Return the error that an answer is or that its stream has; a stream without its end is one, too."""
    text = response.body.decode(errors="replace")
    if response.status >= 300:
        return f"{response.status}: {' '.join(text.split())[:500]}"
    try:
        said = [data for _, data in events.read(response)] if events.is_stream(response) else [response.json()]
    except ValueError:
        return None
    errors = [error for one in said if isinstance(one, dict) and (error := _told_error(one))]
    if errors:
        return f"with an error: {json.dumps(errors[0], ensure_ascii=False)[:500]}"
    return "with a stream that stops before its end" if events.is_stream(response) and _stops_early(said) else None


def _told_error(said: Mapping[str, Any]) -> Any:
    """Return the error in a document or an event: at its top, in its response, or the event itself."""
    inner = said.get("response")
    within = inner.get("error") if isinstance(inner, dict) else None
    return said.get("error") or within or (said if said.get("type") == "error" else None)


def _stops_early(said: Sequence[Any]) -> bool:
    """Return whether a stream is of one of the four APIs and has not the event that each ends with."""
    told = [one for one in said if isinstance(one, dict)]
    kinds = {str(one.get("type")) for one in told}
    if "message_start" in kinds:
        return "message_stop" not in kinds
    if "response.created" in kinds:
        return kinds.isdisjoint(("response.completed", "response.incomplete", "response.cancelled"))
    parts = [
        part for one in told for part in one.get("choices") or one.get("candidates") or () if isinstance(part, dict)
    ]
    ended = events.DONE[1] in said or any(part.get("finish_reason") or part.get("finishReason") for part in parts)
    return bool(parts) and not ended


def _missing_file(path: Path) -> ChaosError:
    return ChaosError(
        "no-cassette",
        f"there is no {path}",
        "one ordinary run records it: pytest without --chaos, not in CI, with a key of the provider in the environment",
    )


def _no_key(path: Path, variable: str) -> ChaosError:
    return ChaosError(
        "no-key",
        f"{path.name} is to be recorded, and {variable} is not in the environment: the real provider wants a key",
        f"{variable}=… pytest …; for a server that wants none: {variable}=none",
    )
