"""The tools of a server: what they are called with, what they do, and what they return."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..values.errors import ChaosError
from ..values.world import Row

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
_HINT = 'write {"book": book} or {"book": ({"inputSchema": …, "outputSchema": …}, book)}, with book a function'


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what a server lists of it, and what it does. `stateful` where it wants the server's state first."""

    listed: Row
    function: Callable[..., Any]
    stateful: bool


@dataclass(frozen=True, slots=True)
class Tools:
    """All tools of a server, by name."""

    by_name: Mapping[str, Tool] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def listed(self) -> list[Row]:
        """Return the tools as the server lists them."""
        return [tool.listed for tool in self.by_name.values()]

    def call(self, name: str, state: Mapping[str, list[Row]], arguments: Row) -> Row:
        """Call a tool that is there; raises what it raises, and ValueError for arguments that do not match."""
        tool = self.by_name[name]
        problem = _mismatch(arguments, tool.listed["inputSchema"])
        if problem:
            raise ValueError(f"Input validation error: {problem}")
        returned = tool.function(state, **arguments) if tool.stateful else tool.function(**arguments)
        if inspect.iscoroutine(returned):
            returned.close()
            raise ChaosError("bad-tool", f"the tool {name!r} is asynchronous", "write it as an ordinary function")
        return _result(returned)

    def spoiled(self, name: object, result: Row) -> Row:
        """Return a result that breaks the tool's output schema; without a schema, an empty one."""
        spoiled = {**result, "content": [{"type": "text", "text": "null"}]}
        if "structuredContent" in result:
            spoiled["structuredContent"] = {f"{key}_": value for key, value in result["structuredContent"].items()}
            tool = self.by_name.get(str(name))
            schema = tool.listed.get("outputSchema") if tool is not None else None
            if schema is not None and not _mismatch(spoiled["structuredContent"], schema):
                del spoiled["structuredContent"]
        return spoiled


def tools_of(tools: Mapping[str, Any]) -> Tools:
    """Return the tools that a test declares.

    A tool is a function, or a pair: what the server lists of it (``inputSchema``, ``outputSchema``, ``description``),
    or its input schema alone, and the function. Without a schema the function's parameters are one. Where the first one
    is called ``state``, it gets the server's collections there, ``state["bookings"]`` for a list of rows; what it
    changes is kept where it returns. It returns text, a dict (structured content), or nothing; what it raises is an
    error of the tool.

    Raises:
        ChaosError: ``bad-tool``, ``missing-package``.
    """
    if find_spec("jsonschema") is None:
        raise ChaosError("missing-package", "chaos.mcp needs jsonschema", "pip install 'rollproof[mcp]'")
    if not isinstance(tools, Mapping) or not tools:
        raise ChaosError("bad-tool", f"{tools!r} has no tools", _HINT)
    return Tools({name: _tool(name, given) for name, given in tools.items()})


def _tool(name: str, given: Any) -> Tool:
    schema, function = given if isinstance(given, tuple) and len(given) == 2 else ({}, given)
    if not callable(function) or not isinstance(schema, Mapping):
        raise ChaosError("bad-tool", f"the tool {name!r} has no function: {given!r:.200}", _HINT)
    parameters = list(inspect.signature(function).parameters.values())
    stateful = bool(parameters) and parameters[0].name == "state"
    described = {"inputSchema": dict(schema)} if "type" in schema else dict(schema)
    described.setdefault("inputSchema", _schema_of(parameters[stateful:]))
    doc = inspect.getdoc(function)
    if doc:
        described.setdefault("description", doc)
    for part in ("inputSchema", "outputSchema"):
        _check_schema(name, part, described.get(part, {"type": "object"}))
    return Tool({"name": name, **described}, function, stateful)


def _schema_of(parameters: list[inspect.Parameter]) -> Row:
    """Return the schema of a function's parameters: their types, and which must be given."""
    properties: Row = {}
    for parameter in parameters:
        annotation = getattr(parameter.annotation, "__name__", str(parameter.annotation))
        name = _TYPES.get(annotation.partition("[")[0])
        properties[parameter.name] = {"type": name} if name else {}
    required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    return {"type": "object", "properties": properties, "required": required}


def _check_schema(name: str, part: str, schema: Any) -> None:
    jsonschema: Any = import_module("jsonschema")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        problem = "" if schema.get("type") == "object" else 'it has not "type": "object"'
    except (jsonschema.SchemaError, AttributeError) as error:
        problem = str(error).partition("\n")[0]
    if problem:
        raise ChaosError("bad-tool", f"the {part} of the tool {name!r} is none: {problem}", _HINT)


def _mismatch(document: object, schema: Row) -> str:
    """Return the first mismatch of a document with a schema, in words; "" if it matches."""
    jsonschema: Any = import_module("jsonschema")
    errors = jsonschema.Draft202012Validator(schema).iter_errors(document)
    return next((str(error.message) for error in errors), "")


def _result(returned: Any) -> Row:
    if returned is None:
        return {"content": [], "isError": False}
    text = returned if isinstance(returned, str) else json.dumps(returned, ensure_ascii=False)
    structured = {"structuredContent": json.loads(text)} if isinstance(returned, dict) else {}
    return {"content": [{"type": "text", "text": text}], "isError": False, **structured}
