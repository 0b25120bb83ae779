"""The person's side of a debugger in a process of the agent: ``--chaos-replay=TOKEN --pdb``."""

import pdb  # noqa: F401  # loaded here, so that the agent's processes, forked from this one, have it
import sys
from collections.abc import Callable
from typing import Any

import pytest


def conversation(config: pytest.Config) -> Callable[[str, bool], str]:
    """Return a function that shows a debugger's text and reads a line if one is wanted, past pytest's capture."""

    def converse(text: str, waits: bool) -> str:
        capture: Any = config.pluginmanager.getplugin("capturemanager")
        capture.suspend(in_=True)
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
            return sys.stdin.readline() if waits else ""
        finally:
            capture.resume()

    return converse
