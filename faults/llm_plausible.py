"""A hallucination that fits the schema: the answer is well formed, and names another thing, or an older value."""

import json
from collections.abc import Iterator

from rollproof.values.actions import Action, Say
from rollproof.values.faults import fault
from rollproof.values.points import Effect

from .documents import documents, is_json
from .known_values import Known, Scalar, known_values, shape
from .llm_fields import Path, copied, fields
from .schemas import conforms


@fault(
    "llm.plausible_value",
    at=("llm.chat", "served.chat"),
    when="after",
    lasting=True,
    by_default=False,
    told="the model named another thing that it knew, or an older value, in an answer of the right form",
)
def plausible_value(effect: Effect) -> Iterator[Action]:
    """An id in the JSON of an answer or a call becomes another known one of its kind, any other value an older one.

    Each field in turn. Another id is the last one in the request that has the name of the field or the form of the id;
    an older value is one that the request has under the name of the field. The schema holds, so nothing but the task
    says that it is wrong. Nothing strikes where the request knows no other value.
    """
    known = known_values(effect.request) if effect.request is not None else []
    for document in documents(effect.answer) if known else ():
        if not is_json(document.text):
            continue
        parsed = json.loads(document.text)
        schema = document.asked.schema if document.asked is not None else None
        for path in fields(parsed):
            changed, holder = copied(parsed, path)
            for value in _others(holder[path[-1]], _name(path), known):
                holder[path[-1]] = value
                if schema is None or conforms(changed, schema):
                    yield Say(document.instead(json.dumps(changed, ensure_ascii=False)))
                    break


def _name(path: Path) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "")


def _others(value: object, name: str, known: list[Known]) -> Iterator[Scalar]:
    """Yield other known values that can stand there, the one that was told last first."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return
    names, form = {name}, shape(value)
    if _is_of_ids(name):  # what is ``order_id`` here was ``id`` in the order
        names |= {one.name for one in known if one.value == value and _is_of_ids(one.name)}
    for one in reversed(known):
        alike = one.name in names or (bool(form) and shape(one.value) == form)
        if alike and type(one.value) is type(value) and one.value != value:
            yield one.value


def _is_of_ids(name: str) -> bool:
    return name.lower().endswith("id")
