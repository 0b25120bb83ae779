"""What a fault does where it strikes. The plan chose where and when; a strike has no dice of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .http import ModelAnswer


@dataclass(frozen=True, slots=True)
class Kill:
    """The process dies by SIGKILL."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The operation raises `error`; with ``when="middle"`` after the first part of a write reached the disk."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The client sees a transport error of its own library."""

    reason: Literal["refused", "timeout"]


@dataclass(frozen=True, slots=True)
class Respond:
    """The service answers with an error of its own wording, and does nothing."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Say:
    """The model answers something else."""

    answer: ModelAnswer


Strike = Kill | Fail | Disconnect | Respond | Say
