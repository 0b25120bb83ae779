"""pytest-timeout, where its thread would end the whole process and what was found with it."""

import threading
from importlib import import_module
from typing import Any

import pytest

from ..boundary.process import interrupts

_GRACE_S = 20.0


class Timeouts:
    """Takes the place of pytest-timeout's thread in tests that explore.

    Its other method, by signal, fails the test; that is told like any failure.
    """

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Interrupt the exploration when its time is over; the process ends as before where that does not help."""
        if settings.method != "thread" or "rollproof" not in getattr(item, "fixturenames", ()):
            return None
        over = threading.Event()

        def watch() -> None:
            if over.wait(settings.timeout):
                return
            if not interrupts.interrupt(f"Timeout (>{settings.timeout}s) from pytest-timeout") or not over.wait(
                _GRACE_S
            ):
                import_module("pytest_timeout").timeout_timer(item, settings)

        timer = threading.Thread(target=watch, name="rollproof-timeout", daemon=True)
        item.cancel_timeout = over.set  # type: ignore[attr-defined]
        timer.start()
        return True
