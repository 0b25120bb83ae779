"""Do once in the parent what every child would do again: late imports, and what SDKs build at their first call.

Nothing here changes what an agent sees; a child that finds it done starts 50 ms earlier.
"""

import contextlib
import functools
import importlib
import json
import os
import platform
import sys
import sysconfig
from collections.abc import Iterable
from types import ModuleType
from typing import Any

_INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 0,
    "model": "x",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def late_modules(before: frozenset[str]) -> tuple[str, ...]:
    """Return installed modules (none of the agent's own) that were imported since `before` was taken."""
    new = [name for name in sys.modules if name not in before]
    return tuple(name for name in new if _is_installed(sys.modules[name]))


def import_modules(names: Iterable[str]) -> None:
    """Import modules that a child imported late; one that cannot be imported here stays late."""
    for name in names:
        if name not in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def warm_caches() -> None:
    """Ask once what takes a subprocess or a schema to answer, where the library that asks is loaded."""
    platform.uname().processor  # noqa: B018
    if "openai" in sys.modules:
        with contextlib.suppress(Exception):
            _ask_openai()


def _ask_openai() -> None:
    openai: Any = sys.modules["openai"]
    base: Any = importlib.import_module("openai._base_client")
    client_module: Any = getattr(base, "httpx2", None) or base.httpx
    answer = json.dumps(_ANSWER).encode()
    headers = {"content-type": "application/json"}
    response = functools.partial(client_module.Response, 200, headers=headers, content=answer)
    with client_module.Client(transport=client_module.MockTransport(lambda request: response())) as http_client:
        client = openai.OpenAI(api_key="x", base_url="http://localhost", http_client=http_client)
        client.chat.completions.create(model="x", messages=[{"role": "user", "content": "x"}])


def _is_installed(module: ModuleType | None) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.startswith(_INSTALLED) and "rollproof" not in file
