"""A service that is asked by GraphQL, at one URL."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

from ...values.errors import ChaosError
from ..handled import HandledService

_REFUSALS = {
    "rate_limited": (200, "RATE_LIMITED", "You have exceeded a rate limit. Please wait before you try again."),
    "unauthorized": (401, "UNAUTHENTICATED", "Bad credentials."),
    "unavailable": (503, "SERVICE_UNAVAILABLE", "The service is temporarily unavailable."),
    "server_error": (500, "INTERNAL_SERVER_ERROR", "Something went wrong."),
}


def graphql(
    base_url: str,
    schema: object,
    *,
    resolvers: Mapping[str, Mapping[str, Callable[..., object]]] | None = None,
    state: Any = None,
    refuse: Callable[[str], object] | None = None,
) -> HandledService:
    """GraphQL at one URL: a schema (SDL), and resolvers that read and change the state.

    A resolver is ``f(state, **arguments)`` for a field of Query or Mutation, and ``f(state, parent, **arguments)`` for
    one of another type; see `rollproof.twins.graphql_execution.executable`. What is refused has an ``extensions.code``;
    a rate limit has the status 200, as at GitHub and Shopify.

    Args:
        base_url: the whole URL, e.g. ``https://api.shop.test/graphql``.
        schema: its text, or the path of a file with it.
        resolvers: ``{"Mutation": {"createOrder": f}}``.
        state: see `HandledService`.
        refuse: see `HandledService`.

    Raises:
        ChaosError: ``missing-package``, ``bad-schema``, ``bad-resolver``, and what `HandledService` raises.
    """
    if find_spec("graphql") is None:
        raise ChaosError("missing-package", "a twin of GraphQL needs graphql-core", "pip install 'rollproof[graphql]'")
    from ..graphql_execution import answer, executable

    handler = partial(answer, executable(schema, resolvers or {}, base_url))
    return HandledService(base_url, handler, state=state, refuse=refuse or _refusal)


def _refusal(kind: str) -> object:
    status, code, message = _REFUSALS[kind]
    return status, {"errors": [{"message": message, "extensions": {"code": code}}]}
