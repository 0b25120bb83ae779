"""urllib3, and so requests: how a connection is made, and TLS put on it.

Before 2.0 they have other names and are not answered for.
"""

from collections.abc import Callable
from typing import Any

from .part import Adapter, find

ADAPTER = Adapter("urllib3", "2.0", "3")
_WRAP = "urllib3.connection:_ssl_wrap_socket_and_match_hostname"


def _takes_a_socket() -> bool:
    return tuple(find("urllib3.connection:_WrappedAndVerifiedSocket")._fields) == ("socket", "is_verified")


CONNECTING = ADAPTER.part(
    "requests of {library} are not answered",
    "urllib3.connection:HTTPConnection._new_conn",
    f"{_WRAP}(sock)",
    "urllib3.connection:_WrappedAndVerifiedSocket",
    probe=_takes_a_socket,
)


def connect_by(
    connect: Callable[[Any, str, Callable[[], Any]], Any], is_ours: Callable[[object], bool]
) -> Callable[[], None]:
    """Replace the function that connects by `connect`; returns a function that undoes it.

    `connect` gets the connection, its scheme, and a function that connects truly. A result for which `is_ours` is true
    gets no TLS.
    """
    if not CONNECTING.works:
        return lambda: None
    module: Any = find("urllib3.connection")
    wrap, dial = find(_WRAP), module.HTTPConnection._new_conn

    def new_conn(self: Any) -> Any:
        return connect(self, "https" if isinstance(self, module.HTTPSConnection) else "http", lambda: dial(self))

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if is_ours(kwargs.get("sock")):
            return module._WrappedAndVerifiedSocket(socket=kwargs["sock"], is_verified=True)
        return wrap(*args, **kwargs)

    def undo() -> None:
        module._ssl_wrap_socket_and_match_hostname = wrap
        module.HTTPConnection._new_conn = dial

    module.HTTPConnection._new_conn = new_conn
    module._ssl_wrap_socket_and_match_hostname = wrapped
    return undo
