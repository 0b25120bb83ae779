"""LangGraph: the nodes that run here, those of a graph within a node's graph too.

The context variable is LangChain's and not documented. The name of a node stands in front of a ``:`` in each part of
the namespace of its checkpoints.
"""

import sys
from contextvars import ContextVar

from .part import Adapter, found

ADAPTER = Adapter("langgraph", "0.2", "2")
_CONFIG = "langchain_core.runnables.config:var_child_runnable_config"
NODES = ADAPTER.part(
    "",
    _CONFIG,
    probe=lambda: isinstance(found(_CONFIG), ContextVar),
    costs="effects do not carry the names of the graph's nodes in reports",
)


def nodes() -> tuple[str, ...]:
    """Return the names of the nodes that run here, the outermost first."""
    if "langgraph.pregel" not in sys.modules or not NODES.works:
        return ()
    metadata = ((found(_CONFIG).get() or {}).get("metadata")) or {}
    namespace = str(metadata.get("langgraph_checkpoint_ns") or metadata.get("langgraph_node") or "")
    return tuple(name for part in namespace.split("|") if (name := part.partition(":")[0]))
