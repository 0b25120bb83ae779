"""Gemini's checks of the contents in a request: the text of its first complaint, or "".

Sources of the wordings: responses that do not fit the calls, google-gemini/gemini-cli#5443 and #16984; no contents,
empty parts and roles, the tests of several clients. Google reads the names of its fields in both spellings.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_COUNT = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the "
    "function call turn."
)
_ORPHAN = "Please ensure that function response turn comes immediately after a function call turn."
_ROLE = "Please use a valid role: user, model."
_ROLES = ("user", "model", "function", "tool")  # the last two are older names for what brings responses
_ANY_DATA = "required oneof field 'data' must have one initialized field"


def complaint_about(document: Mapping[str, Any]) -> str:
    """Return the provider's complaint about the first error in a request; "" if there is none."""
    return next(_complaints(document), "")


def field(holder: Any, name: str) -> Any:
    """Return a field by its name in camel case, however it is written; None where there is no such one."""
    if not isinstance(holder, Mapping):
        return None
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return holder.get(name, holder.get(snake))


def parts(content: Mapping[str, Any], name: str) -> list[Any]:
    """Return the values of the parts of a content under a name: ``text``, ``functionCall``, ``functionResponse``."""
    return [value for part in content.get("parts") or [] if (value := field(part, name)) is not None]


def role(content: Mapping[str, Any]) -> str:
    """Return the role of a content; one without a role is the user's."""
    return content.get("role") or "user"


def _complaints(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield complaints; what comes after one may rely on it not being there, so take the first only."""
    contents = document.get("contents")
    if not isinstance(contents, list) or not contents:
        yield "* GenerateContentRequest.contents: contents is not specified\n"
    for n, content in enumerate(contents or []):
        yield from _about_content(content, f"GenerateContentRequest.contents[{n}]")
    yield from _about_pairs(contents or [])


def _about_content(content: Any, where: str) -> Iterator[str]:
    if not isinstance(content, dict):
        yield f"Invalid value at '{where}' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content)"
    if role(content) not in _ROLES:
        yield _ROLE
    given = content.get("parts")
    if not isinstance(given, list) or not given:
        yield f"* {where}.parts: contents.parts must not be empty.\n"
    for n, part in enumerate(given or []):
        if not isinstance(part, dict) or not any(value is not None for value in part.values()):
            yield f"* {where}.parts[{n}].data: {_ANY_DATA}\n"


def _about_pairs(contents: list[Any]) -> Iterator[str]:
    """The calls of a content are all answered in the next one, and nothing else is."""
    called = 0
    for content in [*contents, {"parts": []}]:
        responses = len(parts(content, "functionResponse"))
        if responses and not called:
            yield _ORPHAN
        if responses != called:
            yield _COUNT
        called = len(parts(content, "functionCall")) if role(content) == "model" else 0
