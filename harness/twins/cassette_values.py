"""Values of recorded exchanges that are others in each run: a provider's ids, times, uuids, temporary folders."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..values.http import ModelAnswer
from ..values.shapes import TIME_PATTERN, UUID_PATTERN
from .wire import digest

_ID_FIELDS = frozenset({"id", "call_id", "item_id", "response_id", "responseId", "request-id", "x-request-id"})
_OF_THE_AGENT = frozenset({"input", "args", "arguments", "parameters", "tools", "metadata"})
"""Parts of an answer that say again what was asked, or are arguments: an id in there is none of the provider's."""
_ID = re.compile(r"(?P<head>[\w.-]*?)(?P<tail>[A-Za-z0-9]{6,})")
_FOLDERS = r"(?:/[^\s/\"'<>]{1,80}){0,9}"
_VOLATILE = re.compile(
    rf"(?<![\w.])(?:{TIME_PATTERN}|{UUID_PATTERN})(?!\w)"
    rf"|{_FOLDERS}/pytest-of-[^\s/\"'<>]+/pytest-\d+(?:/popen-gw\d+)?"  # below it, folders are called by tests
    rf"|{_FOLDERS}/tmp[a-z0-9_]{{8}}(?![\w])"
)


def ids_of(said: Any, name: str = "") -> Iterator[str]:
    """Yield the ids in an answer that the provider drew for it."""
    if isinstance(said, dict):
        if "model" in (said.get("object"), said.get("type")):  # its id is a name, which nobody drew
            return
        for key, value in said.items():
            if key not in _OF_THE_AGENT:
                yield from ids_of(value, key)
    elif isinstance(said, list):
        for value in said:
            yield from ids_of(value, name)
    elif name in _ID_FIELDS and isinstance(said, str) and _ID.fullmatch(said):
        yield said


def of_run(id: str, run: int) -> str:
    """Return the id that stands for a recorded one in a run: of the same form, and the recorded one in run 0."""
    found = _ID.fullmatch(id)
    if run == 0 or found is None:
        return id
    drawn = digest("cassette", run, id)
    return found["head"] + (drawn * (1 + len(found["tail"]) // len(drawn)))[: len(found["tail"])]


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return JSON with other ids: every text that is one of `names` as a whole."""
    if isinstance(value, dict):
        return {key: renamed(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [renamed(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


def without_volatile(asked: Any) -> tuple[str, tuple[str, ...]]:
    """Return a request as text with a hole for each time, uuid and temporary folder, and what stands in the holes."""
    text = json.dumps(asked, sort_keys=True, ensure_ascii=False)
    return _VOLATILE.sub("\0", text), tuple(_VOLATILE.findall(text))


def swaps(recorded: tuple[str, ...], asked: tuple[str, ...]) -> dict[str, str] | None:
    """Return the value of today for each recorded one; None where one of them would stand for two."""
    found: dict[str, str] = {}
    for old, new in zip(recorded, asked, strict=True):
        if found.setdefault(old, new) != new:
            return None
    return {old: new for old, new in found.items() if old != new}


def swapped(answer: ModelAnswer, swaps: Mapping[str, str]) -> ModelAnswer:
    """Return an answer that speaks of the values of today."""
    if not swaps:
        return answer
    pattern = re.compile("|".join(map(re.escape, sorted(swaps, key=len, reverse=True))))

    def today(text: str) -> str:
        return pattern.sub(lambda found: swaps[found[0]], text)

    calls = tuple(replace(call, arguments=today(call.arguments)) for call in answer.tool_calls)
    return replace(answer, text=today(answer.text), tool_calls=calls)
