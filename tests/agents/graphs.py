"""The LangGraph graphs, as `explored` takes an agent."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def graph(run: Callable[..., Any], send: Callable[..., Any]) -> Any:
    """Return a graph that `run` starts, or goes on with, with one way to send."""

    def explore(chaos: Any, folder: Path) -> None:
        own = folder / "agent"
        own.mkdir()
        chaos.private(own)
        chaos.api("https://api.mail.test")
        chaos.explore(run=lambda: run(own / "checkpoints.db", send))

    return SimpleNamespace(explore=explore)
