"""The descriptors that pytest writes to besides the standard streams: a process of the agent must not reach them."""

from typing import Any

import pytest

from ..boundary.adapters import pytest_session


def outlets(config: pytest.Config) -> tuple[int, ...]:
    """Return the descriptors of the terminal that pytest set aside, of what it captures into, and of its log file."""
    sides = list(pytest_session.captures(config))
    log_file = getattr(config.pluginmanager.get_plugin("logging-plugin"), "log_file_handler", None)
    files = [*(getattr(side, "tmpfile", None) for side in sides), getattr(log_file, "stream", None)]
    found = [*(getattr(side, "targetfd_save", None) for side in sides), *map(_descriptor, files)]
    return tuple(fd for fd in found if isinstance(fd, int))


def _descriptor(file: Any) -> int | None:
    try:
        return int(file.fileno())
    except (AttributeError, OSError, ValueError):
        return None
