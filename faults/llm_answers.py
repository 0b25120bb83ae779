"""Answers of a model that are not what the agent waits for, and say so, or say nothing."""

from collections.abc import Iterator
from dataclasses import replace

from rollproof.values.actions import Action, Say
from rollproof.values.faults import fault
from rollproof.values.http import ModelAnswer
from rollproof.values.points import Effect

from .documents import beginnings, is_document, is_strict

_REFUSAL = "I'm sorry, but I can't help with that."


@fault("llm.empty_answer", at=("llm", "served"), when="after", lasting=True, told="the model answered nothing")
def empty_answer(effect: Effect) -> Iterator[Action]:
    """The model says nothing, calls nothing, and calls that an answer."""
    answer = effect.answer
    if isinstance(answer, ModelAnswer) and (answer.text or answer.tool_calls) and not _is_guaranteed(answer):
        yield Say(replace(answer, text="", tool_calls=(), finish_reason="stop"))


@fault("llm.refusal", at=("llm", "served"), when="after", lasting=True, told="the model refused")
def refusal(effect: Effect) -> Iterator[Action]:
    """The model refuses: in the way its API has for that and, where JSON was to come, in plain words too."""
    answer = effect.answer
    if isinstance(answer, ModelAnswer):
        refused = replace(answer, text="", tool_calls=(), finish_reason="stop")
        yield Say(replace(refused, refusal=_REFUSAL))
        if is_document(answer.text) and not is_strict(answer.asked):
            yield Say(refused.with_text(_REFUSAL))


@fault(
    "llm.stopped_for_length",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="the model stopped half-way at its token limit",
)
def stopped_for_length(effect: Effect) -> Iterator[Action]:
    """The model stops half-way at its token limit and says so: in the text, in a tool call, or between two of them."""
    for begun in beginnings(effect.answer):
        yield Say(replace(begun, finish_reason="length"))


@fault(
    "llm.unknown_tool",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="the model called a tool that nobody offered",
)
def unknown_tool(effect: Effect) -> Iterator[Action]:
    """The model calls a tool that nobody offered, once in place of each call that is not strict."""
    answer = effect.answer
    if isinstance(answer, ModelAnswer):
        for n, call in enumerate(answer.tool_calls):
            if is_strict(call.asked):
                continue
            calls = list(answer.tool_calls)
            calls[n] = replace(call, name=f"{call.name}_now")
            yield Say(replace(answer, tool_calls=tuple(calls)))


def _is_guaranteed(answer: ModelAnswer) -> bool:
    """Return whether the provider guarantees that something comes: a text of a format, or calls that are strict."""
    return is_strict(answer.asked) or (bool(answer.tool_calls) and all(is_strict(c.asked) for c in answer.tool_calls))
