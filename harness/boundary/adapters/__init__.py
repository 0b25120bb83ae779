"""All private names of other libraries and of Python that Rollproof uses, one module for each library.

Each says which versions were tested, probes whether the names do what is relied on, and is what everybody else uses
them through. A part that fails is not used, and the statement says what is not tried.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

from .part import Adapter, listeners

__all__ = ["every", "failures", "listeners", "probe", "session_failures"]

_OF_PYTHON = (
    "python_asyncio",
    "python_bytecode",
    "python_exit",
    "python_files",
    "python_http",
    "python_paths",
    "python_processes",
    "python_random",
    "python_smtp",
    "python_sqlite",
    "python_threads",
)
_OF_LIBRARIES = {
    "aiohttp_connections": "aiohttp",
    "aiosqlite": "aiosqlite",
    "anyio_tasks": "anyio",
    "langgraph_nodes": "langgraph",
    "mcp_sdk": "mcp",
    "model_sdks": "openai anthropic",
    "respx_mocks": "respx",
    "time_machine_clock": "time_machine",
    "urllib3_connections": "urllib3",
}
"""Modules of this package, and whose being loaded makes them matter."""
_OF_PROCESS = dict.fromkeys(_OF_PYTHON, "sys") | _OF_LIBRARIES
_OF_SESSION = {"execnet_workers": "execnet", "pytest_session": "pytest"}


def every() -> dict[str, Adapter]:
    """Return all adapters by the name of their module, those of libraries that are not installed, too."""
    return {name: _adapter(name) for name in (*_OF_PYTHON, *_OF_LIBRARIES, *_OF_SESSION)}


def failures() -> list[str]:
    """Probe the adapters of Python and of the loaded libraries; returns the statement's words on those that fail."""
    return _failures(_OF_PROCESS)


def probe() -> Callable[[], None]:
    """Probe the adapters of Python and of the loaded libraries; returns a function that forgets what was found.

    A test may have replaced a part of a library: what is true in it need not be true in the next one.
    """
    unknown = [part for adapter in _loaded(_OF_PROCESS) for part in adapter.parts if not part.is_probed]
    failures()

    def forget() -> None:
        for part in unknown:
            part.forget()

    return forget


def session_failures() -> list[str]:
    """Probe the adapters of pytest's session; returns a line for its user on each that fails."""
    return _failures(_OF_SESSION)


def _failures(names: Mapping[str, str]) -> list[str]:
    return [told for adapter in _loaded(names) for told in adapter.failures()]


def _loaded(names: Mapping[str, str]) -> list[Adapter]:
    loaded = [name for name, libraries in names.items() if any(one in sys.modules for one in libraries.split())]
    return [_adapter(name) for name in loaded]


def _adapter(name: str) -> Adapter:
    adapter: Adapter = import_module(f".{name}", __name__).ADAPTER
    return adapter
