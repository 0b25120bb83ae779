"""Hooks by which a plugin or a conftest adds to what is installed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..values.faults import Fault
    from ..values.history import Invariant


def pytest_chaos_faults() -> "Iterable[Fault]":
    """Return faults, made with ``@rollproof.fault``."""
    return ()


def pytest_chaos_invariants() -> "Iterable[Invariant]":
    """Return invariants, made with ``@rollproof.invariant``; each is checked in every exploration."""
    return ()
