"""Where pytest writes to, besides the standard streams: what a process of the agent must not reach."""

from typing import Any

import pytest


def outlets(config: pytest.Config) -> tuple[int, ...]:
    """Return the descriptors of the terminal that pytest set aside, of what it captures into, and of its log file."""
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    captures = getattr(manager, "_global_capturing", None), getattr(manager, "_capture_fixture", None)
    both = [getattr(capture, "_capture", capture) for capture in captures]
    sides = [getattr(capture, name, None) for capture in both for name in ("out", "err")]
    log_file = getattr(config.pluginmanager.get_plugin("logging-plugin"), "log_file_handler", None)
    files = [*(getattr(side, "tmpfile", None) for side in sides), getattr(log_file, "stream", None)]
    found = [*(getattr(side, "targetfd_save", None) for side in sides), *map(_descriptor, files)]
    return tuple(fd for fd in found if isinstance(fd, int))


def _descriptor(file: Any) -> int | None:
    try:
        return int(file.fileno())
    except (AttributeError, OSError, ValueError):
        return None
