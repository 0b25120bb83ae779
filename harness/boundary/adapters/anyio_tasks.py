"""anyio: the code in which a task waits for the other tasks of its group.

Where it is not known, such a task counts as able to go first: interleavings with it are impossible, and are counted.
"""

import functools
import sys
from types import CodeType, ModuleType

from .part import Adapter

ADAPTER = Adapter("anyio", "4.3", "5")
_MODULE = "anyio._backends._asyncio"
GROUPS = ADAPTER.part(
    "",
    f"{_MODULE}:TaskGroup.__aexit__",
    costs="tasks that wait for others count as able to go first: these orders cannot come, which is counted",
)


def waits_for_its_group(code: CodeType | None) -> bool:
    """Return whether this is the code in which a task waits for those of its group."""
    return code is not None and code is _leaving(sys.modules.get(_MODULE))


@functools.cache
def _leaving(module: ModuleType | None) -> CodeType | None:
    group = getattr(module, "TaskGroup", None)
    return getattr(getattr(group, "__aexit__", None), "__code__", None)
