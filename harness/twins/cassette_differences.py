"""The differences of a request of today from the recorded ones, in words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

_SHOWN = 3
_LONGEST = 60
_COMPARED = 4000  # characters of two requests: more takes seconds
_CONVERSATIONS = ("messages", "input", "contents")


def asks(request: Mapping[str, Any]) -> str:
    """Return the text of the last message of a request, shortened."""
    document = request.get("json")
    items = _conversation(document)
    said = [item for item in items if isinstance(item, dict) and item.get("role") == "user"]
    last = (said or items)[-1] if items else document
    text = _text(last) or _json(last)
    return text if len(text) <= 2 * _LONGEST else f"{text[:_LONGEST]} … {text[-_LONGEST // 2 :]}"


def nearest(asked: Mapping[str, Any], recorded: Sequence[Mapping[str, Any]]) -> int:
    """Return the place of the recorded request that is most like another one."""
    return max(range(len(recorded)), key=lambda n: (_likeness(recorded[n], asked), -n))


def differences(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Return a line for each of the first places where a request differs from a recorded one."""
    one, other = ({key: value for key, value in each.items() if key != "authenticated"} for each in (recorded, asked))
    found = [line.removeprefix("json.") for line in _between(one, other, "")]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return [*found[:_SHOWN], *more]


def _between(recorded: Any, asked: Any, place: str) -> Iterator[str]:
    if recorded == asked:
        return
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for key in dict.fromkeys([*recorded, *asked]):
            inner = f"{place}.{key}" if place else key
            if key not in asked:
                yield f"{inner} is in the recording only: {_short(recorded[key])}"
            elif key not in recorded:
                yield f"{inner} is not in the recording: {_short(asked[key])}"
            else:
                yield from _between(recorded[key], asked[key], inner)
    elif isinstance(recorded, list) and isinstance(asked, list):
        for n, pair in enumerate(zip(recorded, asked, strict=False)):
            yield from _between(*pair, f"{place}[{n}]")
        for n, value in enumerate(recorded[len(asked) :], len(asked)):
            yield f"{place}[{n}] is in the recording only: {_short(value)}"
        for n, value in enumerate(asked[len(recorded) :], len(recorded)):
            yield f"{place}[{n}] is not in the recording: {_short(value)}"
    elif isinstance(recorded, str) and isinstance(asked, str):
        yield f"{place}: recorded {_from_there(recorded, asked)}, asked {_from_there(asked, recorded)}"
    else:
        yield f"{place}: recorded {_short(recorded)}, asked {_short(asked)}"


def _from_there(text: str, other: str) -> str:
    """Return a text from the word on in which it differs from another."""
    same = next((n for n, pair in enumerate(zip(text, other, strict=False)) if pair[0] != pair[1]), len(other))
    begin = max(text.rfind(" ", 0, same), text.rfind("\n", 0, same)) + 1
    rest = text[begin : begin + _LONGEST]
    return repr(("… " if begin else "") + rest + (" …" if len(text) > begin + _LONGEST else ""))


def _likeness(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[bool, int, float]:
    pairs = zip(_conversation(recorded.get("json")), _conversation(asked.get("json")), strict=False)
    same = 0
    for one, other in pairs:
        if one != other:
            break
        same += 1
    matcher = SequenceMatcher(None, _json(recorded)[-_COMPARED:], _json(asked)[-_COMPARED:], autojunk=False)
    return recorded["url"] == asked["url"], same, matcher.quick_ratio()


def _conversation(document: Any) -> list[Any]:
    items = [document.get(name) for name in _CONVERSATIONS] if isinstance(document, dict) else []
    found: Any = next((item for item in items if item), [])
    return found if isinstance(found, list) else [{"role": "user", "content": found}]


def _text(item: Any) -> str:
    content = item.get("content", item.get("parts")) if isinstance(item, dict) else item
    if isinstance(content, list):
        return "\n".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return content if isinstance(content, str) else ""


def _short(value: Any) -> str:
    text = _json(value)
    return text if len(text) <= 2 * _LONGEST else f"{text[: 2 * _LONGEST]} …"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
