"""Answers of a model whose JSON is none."""

from collections.abc import Iterator
from dataclasses import replace

from rollproof.values.actions import Action, Say
from rollproof.values.faults import fault
from rollproof.values.http import ModelAnswer
from rollproof.values.points import Effect

from .documents import documents, is_document, is_strict, structural_cuts, unguaranteed


@fault(
    "llm.malformed_json",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="the JSON of the model's answer was malformed",
)
def malformed_json(effect: Effect) -> Iterator[Action]:
    """The JSON of an answer or of a tool call has a trailing comma, or single quotes, as models write it."""
    for document in unguaranteed(effect.answer):
        text = document.text.rstrip()
        for written in (f"{text[:-1]},{text[-1]}", text.replace('"', "'")):
            if written != text:
                yield Say(document.instead(written))


@fault(
    "llm.truncated_json",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="the JSON of the model's answer was cut",
)
def truncated_json(effect: Effect) -> Iterator[Action]:
    """The JSON of an answer is cut, once within each structural part; cuts that leave valid JSON come first.

    The last cut says so ("length"), as a model at its token limit does; the others do not. Where tools are called, the
    arguments of the last call are cut. A strict answer is never cut without saying so.
    """
    for document in list(documents(effect.answer))[-1:]:
        cuts = structural_cuts(document.text)
        for cut in cuts[-1:] if document.is_strict else cuts:
            answer = document.instead(cut)
            yield Say(replace(answer, finish_reason="length") if cut == cuts[-1] else answer)


@fault(
    "llm.json_in_prose",
    at=("llm", "served"),
    when="after",
    lasting=True,
    told="the JSON of the model's answer stood in a code fence or between sentences",
)
def json_in_prose(effect: Effect) -> Iterator[Action]:
    """The JSON of an answer stands in a code fence, or between sentences, as models in a chat write it."""
    answer = effect.answer
    if isinstance(answer, ModelAnswer) and is_document(answer.text) and not is_strict(answer.asked):
        yield Say(answer.with_text(f"```json\n{answer.text}\n```"))
        yield Say(answer.with_text(f"Here is the JSON you asked for:\n\n{answer.text}\n\nLet me know what you think."))
