"""http.client: a tunnel through a proxy.

3.14: nothing changes it. 3.15: not known.
"""

from typing import Any

from .part import Adapter

ADAPTER = Adapter("Python", "3.11", "3.14")
TUNNEL = ADAPTER.part(
    "requests of http.client through a proxy are not answered",
    "http.client:HTTPConnection#_tunnel_host",
    "http.client:HTTPConnection._tunnel",
)


def through_proxy(connection: Any) -> None:
    """Ask the proxy that a connection leads to for its real host, where it is to go through one."""
    if TUNNEL.works and connection._tunnel_host:
        connection._tunnel()
