"""A model's answer, taken as a whole or discarded whole: nothing of it can be used before all of it is checked.

Several processes share nothing here: each answer has a buffer of its own, in memory, that one thread fills; a process
that dies takes it along.

    from rollproof.runtime import AnswerRejected, Buffer, read_answer

    wanted = {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}
    buffer = Buffer(wanted)
    for piece in ('{"cen', 'ts": 5}'):                  # of a stream: chunk.choices[0].delta.content or ""
        buffer.add(piece)
    assert buffer.take("stop") == {"cents": 5}          # with chunk.choices[0].finish_reason
    try:
        read_answer('{"cents": "5"}', "stop", wanted)   # one that comes whole
    except AnswerRejected as rejected:
        assert rejected.reasons == ("$.cents is a string, not integer",)

An answer is discarded, with every reason, if it is cut off, refused or filtered, too long, no JSON (the strict one: no
name twice, no NaN, nothing that cannot be written again) or not as the schema says. The reasons quote the schema, never
the answer: they can be logged.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .canonical import canonical
from .schema import Schema

TEXT_ENDS = ("stop", "completed", "end_turn", "stop_sequence")
"""Reasons to finish of a complete text: OpenAI's chat and responses, Anthropic's end and its stop sequence."""
TOOL_ENDS = (*TEXT_ENDS, "tool_calls", "function_call", "tool_use")
"""Reasons to finish of a tool's arguments; `stop` if the model had to call it. A text that ends so is no answer yet."""


class AnswerRejected(Exception):
    """The answer is discarded whole; `reasons` has every reason."""

    def __init__(self, reasons: Sequence[str]) -> None:
        """Keep the reasons, of which there is at least one."""
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


class Buffer:
    """One answer of a model, until it is complete."""

    def __init__(
        self, schema: Mapping[str, Any], *, max_characters: int = 100_000, ends: Collection[str] = TEXT_ENDS
    ) -> None:
        """Begin an answer that must fit the schema; `ends` are the reasons to finish of a complete one.

        Raises:
            ValueError: The schema is not one that `Schema` can check.
        """
        self._schema = Schema(schema)
        self._max_characters = max_characters
        self._ends = ends
        self._pieces: list[str] | None = []
        self._characters = 0

    def add(self, piece: str) -> None:
        """Keep the next piece.

        Raises:
            AnswerRejected: The answer is too long, and discarded; the stream can be closed.
            RuntimeError: This buffer's answer was taken or discarded.
        """
        pieces = self._open()
        self._characters += len(piece)
        if self._characters > self._max_characters:
            self._pieces = None
            raise AnswerRejected([f"more than the {self._max_characters} characters that are allowed"])
        pieces.append(piece)

    def take(self, finish_reason: str | None) -> Any:
        """Return the value of the whole answer; either way the buffer is done with.

        Args:
            finish_reason: Why the model stopped, in its provider's words; None if the stream broke off.

        Raises:
            AnswerRejected: It is discarded.
            RuntimeError: This buffer's answer was taken or discarded.
        """
        text, self._pieces = "".join(self._open()), None
        reasons = [] if finish_reason in self._ends else [f"the answer is not complete: {finish_reason}"]
        try:
            value = _strict(text)
            reasons += self._schema.problems(value)
        except (ValueError, RecursionError) as error:
            reasons.append(f"not JSON: {_without_content(error)}")
        if reasons:
            raise AnswerRejected(reasons)
        return value

    def _open(self) -> list[str]:
        if self._pieces is None:
            raise RuntimeError("a buffer is for one answer, and this one's was taken or discarded; make another")
        return self._pieces


def read_answer(
    text: str | None, finish_reason: str | None, schema: Mapping[str, Any], *, max_characters: int = 100_000
) -> Any:
    """Return the value of an answer that came in one piece; no text (a refusal has none) is as an empty one.

    Raises:
        AnswerRejected: It is discarded.
    """
    buffer = Buffer(schema, max_characters=max_characters)
    buffer.add(text or "")
    return buffer.take(finish_reason)


def _strict(text: str) -> Any:
    value = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_number)
    canonical(value).encode()  # refuses what JSON's grammar lets pass: 1e999, half of a surrogate pair
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no JSON number")


def _without_content(error: Exception) -> str:
    """Return the text of an error without the answer, which an encoding error would quote."""
    return "half of a surrogate pair" if isinstance(error, UnicodeEncodeError) else str(error)
