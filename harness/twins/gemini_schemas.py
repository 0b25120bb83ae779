"""The form that a request wants of Gemini: of the text, and of the arguments of each function."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..values.http import Asked
from .gemini_turns import field
from .wire import Wanted, asked, tools

_GUARANTEED = ("ANY", "VALIDATED")


def wanted(document: Mapping[str, Any]) -> Wanted:
    """Return the form that a request wants: a schema of the text always holds, one of a function by its mode."""
    mode = field(field(field(document, "toolConfig"), "functionCallingConfig"), "mode")
    strict = isinstance(mode, str) and mode.upper() in _GUARANTEED
    return Wanted(_text(document), {name: asked(schema, strict=strict) for name, schema in _functions(document)})


def json_schema(schema: Any) -> Any:
    """Return a schema in the words of JSON Schema: Google's own has types in capitals, and says ``nullable``."""
    if not isinstance(schema, Mapping):
        return schema
    kept = {name: value for name, value in schema.items() if name not in ("nullable", "property_ordering")}
    if isinstance(kind := kept.get("type"), str):
        kept["type"] = [kind.lower(), "null"] if schema.get("nullable") else kind.lower()
    if schema.get("nullable") and "enum" in kept:
        kept["enum"] = [*kept["enum"], None]
    if isinstance(fields := kept.get("properties"), Mapping):
        kept["properties"] = {name: json_schema(one) for name, one in fields.items()}
    if "items" in kept:
        kept["items"] = json_schema(kept["items"])
    for name in ("anyOf", "any_of"):
        if isinstance(kept.get(name), list):
            kept["anyOf"] = [json_schema(one) for one in kept.pop(name)]
    return kept


def _text(document: Mapping[str, Any]) -> Asked | None:
    config = field(document, "generationConfig")
    schema = field(config, "responseJsonSchema") or json_schema(field(config, "responseSchema"))
    if schema:
        return asked(schema, strict=True)
    return Asked(strict=True) if field(config, "responseMimeType") == "application/json" else None


def _functions(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for tool in tools(document):
        for function in field(tool, "functionDeclarations") or []:
            schema = field(function, "parametersJsonSchema") or json_schema(function.get("parameters"))
            yield str(function.get("name", "")), schema
