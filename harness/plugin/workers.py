"""The workers of pytest-xdist, as far as an interrupted session has to do with them."""

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ..boundary.adapters import execnet_workers
from ..boundary.process import interrupts
from ..values.report import ReportedExploration


def interrupt(nodes: Iterable[Any]) -> None:
    """Tell workers that still run tests to end at once and to tell what they found; the controller waits for them then.

    By themselves they would take notice when their test has ended, or after five seconds. What interrupted the
    controller may have reached them too: the signal has another number, and changes nothing then.
    """
    number = signal.SIGINT if interrupts.interrupted() else signal.SIGTERM  # Ctrl-C is no business of `interrupts` here
    for node in nodes:
        pid = execnet_workers.pid(node) if execnet_workers.POPEN.works else 0
        if pid and not getattr(node, "workeroutput", None):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def left_untold(nodes: Iterable[Any]) -> list[ReportedExploration]:
    """Return the explorations of tests that were interrupted in a worker: these got no report."""
    outputs = [getattr(node, "workeroutput", None) or {} for node in nodes]
    return [result for output in outputs for result in output.get("rollproof", [])]
