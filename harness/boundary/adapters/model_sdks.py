"""The SDKs of model providers: the HTTP library that each stands on.

Where that is not known, each process builds the schemas of its first answer by itself, which takes 60 ms.
"""

from types import ModuleType

from .part import Adapter, found

ADAPTER = Adapter("openai", "1.0", "4")
CLIENTS = ADAPTER.part(
    "",
    "openai._base_client?",
    "anthropic._base_client?",
    costs="each process builds the schemas of its first answer by itself, which takes 60 ms",
)


def http_library(sdk: str) -> ModuleType | None:
    """Return the HTTP library that an SDK uses; None if it is not known."""
    base = found(f"{sdk}._base_client")
    library: ModuleType | None = getattr(base, "httpx2", None) or getattr(base, "httpx", None)
    return library
