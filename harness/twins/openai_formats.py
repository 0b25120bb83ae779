"""The formats of a text that a request wants of OpenAI; both of its APIs name them alike."""

from collections.abc import Mapping
from typing import Any

from ..values.http import Asked
from .wire import asked


def wanted_text(form: Mapping[str, Any]) -> Asked | None:
    """Return the form that a format wants of the text: JSON of a schema, any JSON ("json_object"), or none."""
    match form.get("type"):
        case "json_schema":
            return asked(form.get("schema"), strict=form.get("strict") is True)
        case "json_object":
            return Asked(strict=True)  # JSON is guaranteed, whatever stands in it
        case _:
            return None
