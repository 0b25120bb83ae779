"""A schema of GraphQL with a function for each field that has one; graphql-core carries requests out."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    graphql_sync,
    is_list_type,
    validate_schema,
)
from graphql.type import get_nullable_type

from ..values.errors import ChaosError, nearest, shown
from ..values.http import HttpRequest
from .handlers import awaited, file_of, raised_at

Resolver = Callable[..., object]
"""``f(state, **arguments)`` for a field of Query or Mutation, ``f(state, parent, **arguments)`` for any other."""
_HINT = 'resolvers={"Mutation": {"createOrder": lambda state, item: …}}'


def executable(schema: object, resolvers: Mapping[str, Mapping[str, Resolver]], base_url: str) -> GraphQLSchema:
    """Return a schema that can be executed.

    A field of the query without a resolver and without arguments is what the state has under its name; any other field
    at the top without one is told by ``no-resolver`` when somebody asks for it. Below, what a resolver returned is
    looked into: a dict has its fields by their names.

    Args:
        schema: its text (SDL), or the path of a file with it.
        resolvers: by the name of the type and that of the field.
        base_url: of the service, for errors.

    Raises:
        ChaosError: ``bad-schema`` and ``bad-resolver``.
    """
    built = _built(schema)
    roots = [root for root in (built.query_type, built.mutation_type) if root is not None]
    for root in roots:
        for name, field in root.fields.items():
            field.resolve = partial(_unresolved, field, f"{root.name}.{name} of {base_url}", root is built.query_type)
    for type_name, functions in resolvers.items():
        owner = built.get_type(type_name)
        if not isinstance(owner, GraphQLObjectType):
            near = ", ".join(nearest(type_name, [name for name in built.type_map if not name.startswith("__")]))
            raise ChaosError("bad-resolver", f"the schema has no object type {shown(type_name)}", f"nearest: {near}")
        for name, function in functions.items():
            if name not in owner.fields or not callable(function):
                near = ", ".join(nearest(name, owner.fields))
                text = f"{type_name}.{name}={shown(function)}: no field, or no function"
                raise ChaosError("bad-resolver", text, f"nearest: {near}\n{_HINT}")
            owner.fields[name].resolve = partial(
                _resolved, f"{type_name}.{name} of {base_url}", function, owner in roots
            )
    return built


def answer(schema: GraphQLSchema, request: HttpRequest, state: Any) -> object:
    """Carry out a request, or each of a batch, and return the answer as it is sent.

    What is wrong with the document, and a GraphQLError of a resolver, is told in ``errors`` with the status 200.
    """
    if request.method.upper() != "POST":
        return 405, _error("GraphQL is asked by POST."), {"allow": "POST"}
    try:
        asked = request.json()
    except (ValueError, RecursionError):
        asked = None
    batch = asked if isinstance(asked, list) else [asked]
    if not batch or not all(isinstance(one, dict) and isinstance(one.get("query"), str) for one in batch):
        return 400, _error('The body is a JSON object with "query".')
    if not all(isinstance(one.get("variables"), (dict, NoneType)) for one in batch):
        return 400, _error('"variables" is a JSON object.')
    answers = [_executed(schema, one, state) for one in batch]
    return answers if isinstance(asked, list) else answers[0]


def _executed(schema: GraphQLSchema, asked: Mapping[str, Any], state: Any) -> dict[str, Any]:
    result = graphql_sync(
        schema,
        asked["query"],
        context_value=state,
        variable_values=asked.get("variables"),
        operation_name=asked.get("operationName"),
    )
    for error in result.errors or ():
        if isinstance(error.original_error, ChaosError):
            raise error.original_error
    answered: dict[str, Any] = {**result.formatted}
    if result.errors and not any(error.path for error in result.errors):
        del answered["data"]  # it was not executed at all
    return answered


def _resolved(
    name: str, function: Resolver, at_top: bool, parent: Any, info: GraphQLResolveInfo[Any], **given: Any
) -> Any:
    """Return the result of a resolver; raises ChaosError where it raises anything but a GraphQLError."""
    try:
        found = function(info.context, **given) if at_top else function(info.context, parent, **given)
        return awaited(found) if inspect.iscoroutine(found) else found
    except (GraphQLError, ChaosError):
        raise
    except Exception as problem:
        place = raised_at(problem, file_of(function))
        hint = f'at {place}; an error of the service: raise GraphQLError("…", extensions={{"code": "…"}})'
        raise ChaosError("service-failed", f"the resolver of {name} raised {problem!r}", hint) from problem


def _unresolved(
    field: GraphQLField, name: str, in_query: bool, parent: Any, info: GraphQLResolveInfo[Any], **given: Any
) -> Any:
    """Return the value in the state under the name of a field."""
    if not in_query or field.args or not isinstance(info.context, dict):
        raise ChaosError("no-resolver", f"nobody answers {name}", _HINT)
    return info.context.get(info.field_name, [] if is_list_type(get_nullable_type(field.type)) else None)


def _built(schema: object) -> GraphQLSchema:
    try:
        text = schema if isinstance(schema, str) and "{" in schema else Path(str(schema)).read_text(encoding="utf-8")
        built = build_schema(text)
        problems = validate_schema(built)
    except (OSError, GraphQLError, TypeError, ValueError) as problem:
        problems = [problem]  # type: ignore[list-item]
    if problems:
        hint = 'its text, schema="type Query { … }", or the path of a file with it'
        raise ChaosError("bad-schema", f"{shown(schema)} is no schema of GraphQL: {problems[0]}", hint)
    return built


def _error(message: str) -> dict[str, Any]:
    return {"errors": [{"message": message}]}
