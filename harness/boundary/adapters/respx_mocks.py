"""respx: the mockers under the clients' connection pools, and the routers that they ask.

None of these names is private, and none is documented. Where one is missing there is no seam: empty classes, which
nobody uses, then stand for the real ones.
"""

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from .part import Adapter, find, found

if TYPE_CHECKING:
    from respx.mocks import HTTPCoreMocker as HTTPCoreMocker
    from respx.mocks import Mocker as Mocker
    from respx.models import AllMockedAssertionError as AllMockedAssertionError
    from respx.models import PassThrough as PassThrough
    from respx.models import Route as Route
    from respx.router import Router as Router
else:

    class _Missing(Exception):
        registry: dict[str, Any] = {}  # noqa: RUF012

    Mocker = found("respx.mocks:Mocker") or _Missing
    HTTPCoreMocker = found("respx.mocks:HTTPCoreMocker") or _Missing
    Router = found("respx.router:Router") or _Missing
    AllMockedAssertionError = found("respx.models:AllMockedAssertionError") or _Missing
    PassThrough = found("respx.models:PassThrough") or _Missing
    Route = found("respx.models:Route") or _Missing

__all__ = [
    "ADAPTER",
    "ROUTING",
    "AllMockedAssertionError",
    "HTTPCoreMocker",
    "Mocker",
    "PassThrough",
    "Route",
    "Router",
]
ADAPTER = Adapter("respx", "0.22", "1")


def _asks_routers() -> bool:
    mocker, router = find("respx.mocks:HTTPCoreMocker"), find("respx.router:Router")
    known = "httpcore" in Mocker.registry and isinstance(mocker.targets, list) and isinstance(mocker.routers, list)
    return known and iscoroutinefunction(router.async_handler)


ROUTING = ADAPTER.part(
    "requests of httpx and httpx2 are not answered",
    *(f"respx.mocks:HTTPCoreMocker.{name}" for name in ("register", "unregister", "start", "stop", "routers")),
    "respx.mocks:HTTPCoreMocker.from_sync_httpx_response",
    "respx.mocks:HTTPCoreMocker.from_async_httpx_response",
    "respx.mocks:Mocker.handler(router)",
    "respx.mocks:Mocker.async_handler(router)",
    "respx.router:Router.handler(request)",
    "respx.router:Router.async_handler",
    "respx.models:AllMockedAssertionError",
    "respx.models:PassThrough",
    "respx.models:Route",
    probe=_asks_routers,
)
