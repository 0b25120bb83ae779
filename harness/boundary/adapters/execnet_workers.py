"""execnet: the pid of a worker of pytest-xdist.

Without it, workers notice an interruption when their test has ended.
"""

from typing import Any

from .part import Adapter

ADAPTER = Adapter("execnet", "2.0", "3")
POPEN = ADAPTER.part(
    "workers are not interrupted in the middle of a test ({library})",
    "execnet.gateway_base:BaseGateway#_io",
    "execnet.gateway_io:Popen2IOMaster#popen",
)


def pid(node: Any) -> int:
    """Return the pid of a worker on this machine; 0 for one elsewhere, and if it is not known."""
    gateway = getattr(node, "gateway", None)
    popen = getattr(getattr(gateway, "_io", None), "popen", None)
    local = getattr(getattr(gateway, "spec", None), "popen", False)
    return int(popen.pid) if popen is not None and local else 0
