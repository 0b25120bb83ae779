"""The replies of a model as a user writes them: checked at once, found by the question."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..values.errors import ChaosError, nearest
from ..values.http import ModelAnswer, ToolCall

Reply = str | Mapping[str, Any]
Replies = Callable[[Any], Reply | None] | Mapping[str, Reply | Sequence[Reply]]

_SHAPE = 'a reply is text, or a dict with text and/or tool_calls: {"tool_calls": [{"name": "save", "arguments": {…}}]}'


@dataclass(frozen=True, slots=True)
class Question:
    """The question of a request, independent of the provider's wire format.

    Attributes:
        document: the request's JSON.
        text: text of the last user message; empty where there is none.
        turn: how many times the model has already answered after that message, from 0.
    """

    document: Any
    text: str
    turn: int


def answerer(replies: Replies | None) -> Callable[[Question], ModelAnswer]:
    """Return the function that answers questions by `replies`.

    In a mapping the longest substring that matches wins, the first of equally long ones; ``""`` matches everything and
    so is the default. A single reply is said at every turn, a list has one for each turn.

    Raises:
        ChaosError: ``bad-replies`` here; ``reply-missing`` and ``bad-reply`` when a question is asked.
    """
    if isinstance(replies, Mapping):
        return _by_substring({_key(key): _checked(value, key) for key, value in replies.items()})
    if callable(replies):
        return _by_function(replies)
    raise ChaosError("bad-replies", f"chaos.llm takes a mapping or a function, not {replies!r}", _MAPPING)


_MAPPING = 'type chaos.llm({"Write the report": "the answer"})'


def _by_function(replies: Callable[[Any], Reply | None]) -> Callable[[Question], ModelAnswer]:
    def answer(question: Question) -> ModelAnswer:
        try:
            reply = replies(question.document)
        except Exception as problem:
            raise ChaosError("bad-reply", f"the function given to chaos.llm raised {problem!r}") from problem
        if reply is None:
            raise ChaosError(
                "reply-missing",
                f"the function given to chaos.llm has no reply to {_asked(question)}",
                "it returned None; it must return a reply to every request",
            )
        return _answer(reply, "bad-reply", f"the reply to {_asked(question)}")

    return answer


def _by_substring(known: Mapping[str, ModelAnswer | list[ModelAnswer]]) -> Callable[[Question], ModelAnswer]:
    if not known:
        raise ChaosError("bad-replies", "chaos.llm got an empty mapping: it could answer nothing", _MAPPING)

    def answer(question: Question) -> ModelAnswer:
        key = max((key for key in known if key in question.text), key=len, default=None)
        if key is None:
            raise _missing(question, known)
        said = known[key]
        if isinstance(said, ModelAnswer):
            return said
        if question.turn >= len(said):
            raise ChaosError(
                "reply-missing",
                f"chaos.llm has no reply to {_asked(question)}",
                f"the list under {key!r} has {len(said)} of them, one for each turn; this is turn {question.turn + 1}",
            )
        return said[question.turn]

    return answer


def _missing(question: Question, known: Mapping[str, object]) -> ChaosError:
    keys = ", ".join(repr(_short(key)) for key in nearest(question.text, known))
    return ChaosError(
        "reply-missing",
        f"chaos.llm has no reply to {_asked(question)}",
        f"nearest of {len(known)} known: {keys}\n"
        "a reply is found by a substring of the last user message; an agent that asks again after a bad answer\n"
        'needs one for that message too; the substring "" answers everything else',
    )


def _asked(question: Question) -> str:
    turn = f" (turn {question.turn + 1})" if question.turn else ""
    return f"the user message {_short(question.text)!r}{turn}" if question.text else f"a request without one{turn}"


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:120]} … {text[-60:]}"


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise ChaosError("bad-replies", f"chaos.llm: {key!r} is no substring of a user message", _MAPPING)
    return key


def _checked(value: Reply | Sequence[Reply], key: str) -> ModelAnswer | list[ModelAnswer]:
    where = f"the reply under {key!r}"
    if isinstance(value, str | Mapping):
        return _answer(value, "bad-replies", where)
    if not isinstance(value, Sequence) or not value:
        raise ChaosError("bad-replies", f"chaos.llm: {where} is {value!r}", _SHAPE)
    return [_answer(reply, "bad-replies", f"{where}, turn {n}") for n, reply in enumerate(value, 1)]


def _answer(reply: object, code: str, where: str) -> ModelAnswer:
    if isinstance(reply, str):
        reply = {"text": reply}
    if not isinstance(reply, Mapping) or not reply or set(reply) - {"text", "tool_calls"}:
        unknown = sorted(map(str, set(reply) - {"text", "tool_calls"})) if isinstance(reply, Mapping) else []
        what = f"has unknown keys {', '.join(unknown)}" if unknown else f"is {reply!r}"
        hint = "\nan answer in JSON is text too: json.dumps({…})" if unknown else ""
        raise ChaosError(code, f"chaos.llm: {where} {what}", _SHAPE + hint)
    text, calls = reply.get("text") or "", reply.get("tool_calls") or []
    if not isinstance(text, str) or not isinstance(calls, list | tuple) or not _can_be_sent(text):
        raise ChaosError(code, f"chaos.llm: {where} is {reply!r}", _SHAPE)
    tool_calls = tuple(_tool_call(call, code, where) for call in calls)
    return ModelAnswer(text, tool_calls, "tool_calls" if tool_calls else "stop")


def _tool_call(call: object, code: str, where: str) -> ToolCall:
    if not isinstance(call, Mapping) or not isinstance(call.get("name"), str) or set(call) - {"name", "arguments"}:
        raise ChaosError(code, f"chaos.llm: {where} has the tool call {call!r}", _SHAPE)
    arguments = call.get("arguments", {})
    if not isinstance(arguments, Mapping) or not _can_be_sent(arguments):
        raise ChaosError(
            code,
            f"chaos.llm: {where} calls {call['name']} with {arguments!r}",
            "arguments is a dict of what JSON can say: text, numbers, true, false, null, lists, dicts",
        )
    return ToolCall(call["name"], json.dumps(arguments, ensure_ascii=False))


def _can_be_sent(value: object) -> bool:
    try:
        return bool(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError):
        return False
