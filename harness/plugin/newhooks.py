"""Hooks by which a plugin or a conftest adds to what is installed. CONTRIBUTING.md shows one of each.

An implementation names only the arguments that it needs, as with every hook of pytest.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..values.faults import Fault
    from ..values.history import Invariant
    from ..values.media.medium import Medium
    from ..values.report import Writer
    from ..values.sources import Recognizer, ServiceMaker


def pytest_chaos_faults() -> "Iterable[Fault]":
    """Return faults, made with ``@rollproof.fault``."""
    return ()


def pytest_chaos_invariants() -> "Iterable[Invariant]":
    """Return invariants, made with ``@rollproof.invariant``; each is checked in every exploration."""
    return ()


def pytest_chaos_sources() -> "Iterable[Recognizer]":
    """Return functions that make a `WorldSource` of what a test watches: a client of a store, a connection.

    Each is asked about every object that is handed to ``chaos.watch`` or ``chaos.network`` and is neither a path nor a
    `WorldSource`; it returns None for what it does not know. The first that knows it has it.
    """
    return ()


def pytest_chaos_twins() -> "Mapping[str, ServiceMaker]":
    """Return functions that make twins, by name: ``chaos.twin("ledger", …)`` calls one, with the same arguments.

    The first line of its docstring is shown by ``--chaos-list``. A name is given once.
    """
    return {}


def pytest_chaos_writers(config: pytest.Config) -> "Iterable[Writer]":
    """Return writers: functions of one argument, a `Report`, which is version 2 of the JSON result.

    Asked once in a session that explores, in the controller of pytest-xdist alone. Each writer is called at each
    confirmed finding, after each test and at the end, always with the whole; it writes all of it anew. Where to is the
    affair of its own option, which `config` has. What it raises costs the session one line, in its own words where that
    is a `ChaosError`.
    """
    return ()


def pytest_chaos_media() -> "Iterable[Medium]":
    """Return media, made with ``rollproof.Medium``: kinds of points whose effects a plugin brings to the gate."""
    return ()
