"""Streams of a model that do not come to their end.

What a client sees of it was measured with the SDKs of OpenAI and Anthropic: a cut in a chunked body raises, at
Anthropic's an exception of the HTTP client; an end of a body that the connection's end delimits raises nothing at all.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from rollproof.values.actions import Action, Say
from rollproof.values.faults import fault
from rollproof.values.http import ModelAnswer
from rollproof.values.points import Effect

from .documents import beginnings


@fault(
    "llm.closed_stream",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="the model's stream ended half-way without an error",
)
def closed_stream(effect: Effect) -> Iterator[Action]:
    """A stream ends in the middle without an error: no reason to stop is given, and what came looks like all."""
    return _begun(effect, "closed")


@fault(
    "llm.cut_stream",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="the connection was lost in the middle of the model's stream",
)
def cut_stream(effect: Effect) -> Iterator[Action]:
    """The connection is lost in the middle of a stream, after the client has read what came before."""
    return _begun(effect, "cut")


@fault("llm.stalled_stream", at="llm", when="after", lasting=True, told="the model's stream stalled half-way")
def stalled_stream(effect: Effect) -> Iterator[Action]:
    """Nothing more comes in the middle of a stream, until the client's patience ends."""
    return _begun(effect, "stalled")


def _begun(effect: Effect, ending: Literal["closed", "cut", "stalled"]) -> Iterator[Action]:
    if isinstance(effect.answer, ModelAnswer) and effect.answer.streamed:
        for begun in beginnings(effect.answer):
            yield Say(replace(begun, ending=ending))
