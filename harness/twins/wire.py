"""The functions by which one API of a model provider is answered, and helpers that all of them need."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Protocol

from ..values.http import Asked, HttpRequest, HttpResponse, ModelAnswer
from .replies import Question


@dataclass(frozen=True, slots=True)
class Wanted:
    """The form that a request wants of the text, and of the arguments of each tool, by its name."""

    text: Asked | None = None
    tools: Mapping[str, Asked] = field(default_factory=dict)

    def of(self, answer: ModelAnswer) -> ModelAnswer:
        """Return an answer with the form that was wanted of it."""
        calls = tuple(replace(call, asked=self.tools.get(call.name)) for call in answer.tool_calls)
        return replace(answer, asked=self.text, tool_calls=calls)


class Wire(Protocol):
    """One API of a provider on the wire; a module with these functions, or an object where it remembers something."""

    def complaint(self, request: HttpRequest) -> HttpResponse | None:
        """Return the provider's 400 for a request that it would not take, or None."""
        ...

    def question(self, request: HttpRequest) -> Question:
        """Return the question of a request."""
        ...

    def wanted(self, request: HttpRequest) -> Wanted:
        """Return the form that a request wants of an answer, as far as it says so."""
        ...

    def prompt(self, request: HttpRequest) -> str:
        """Return all that a model reads of a request, as JSON."""
        ...

    def say(self, request: HttpRequest, answer: ModelAnswer, salt: str, created: int) -> HttpResponse:
        """Return `answer` as the response to `request`, in the form it asks for; ids come from it and `salt`."""
        ...

    def read_answer(self, response: HttpResponse) -> ModelAnswer | None:
        """Return the answer in `response`; None if there is none, or if its stream does not come to its end."""
        ...

    def write_answer(self, response: HttpResponse, answer: ModelAnswer) -> HttpResponse:
        """Return `response` saying `answer` instead, streamed if it was; one that says nothing comes back as it is."""
        ...

    def refuse(self, request: HttpRequest, status: int, headers: Mapping[str, str], reason: str = "") -> HttpResponse:
        """Answer with the provider's error of that status."""
        ...


def digest(*parts: object) -> str:
    """Return 64 hexadecimal digits that say nothing and depend on all of `parts` alone."""
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def tokens(text: str) -> int:
    """Estimate tokens as providers' rule of thumb does: four characters each."""
    return 1 + len(text) // 4


def spoken(answer: ModelAnswer) -> str:
    """Return all that the model wrote for an answer, which is what it is paid for."""
    return answer.text + answer.refusal + "".join(call.name + call.arguments for call in answer.tool_calls)


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a response whose body is written anew."""
    return {name: value for name, value in headers.items() if name.lower() not in ("content-length", "content-type")}


def parsed(request: HttpRequest) -> dict[str, Any] | None:
    """Return the JSON object that a request sends, or None where it sends none."""
    try:
        document = request.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def model_of(request: HttpRequest, document: Mapping[str, Any]) -> str:
    """Return the model that a request asks: the one it names, or Azure's deployment in its path; "" for none."""
    _, deployed, rest = request.path.partition("/deployments/")
    return str(document.get("model") or (rest.partition("/")[0] if deployed else ""))


def tools(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yield the tools that a request offers, as far as they can be read."""
    offered = document.get("tools")
    return (tool for tool in offered if isinstance(tool, dict)) if isinstance(offered, list) else ()


def asked(schema: Any, *, strict: bool) -> Asked:
    """Return the form that a schema in a request asks for; one that says nothing of fields asks for any JSON."""
    says = isinstance(schema, dict) and not schema.keys() <= {"type", "title", "description", "$schema"}
    return Asked(schema if says else None, strict)
