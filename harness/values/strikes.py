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

    error: BaseException


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The client sees a transport error of its own library."""

    reason: Literal["refused", "timeout", "reset"]


@dataclass(frozen=True, slots=True)
class Respond:
    """The service answers with an error of its own wording, and does nothing.

    `retry_date_s`, where it is not 0, adds a Retry-After that names the date so many seconds from then.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_date_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Say:
    """The model answers something else."""

    answer: ModelAnswer


@dataclass(frozen=True, slots=True)
class Exit:
    """A program that the agent started ends with `code`, -N for the signal N.

    Before it acted it does nothing; after it acted its own code is lost.
    """

    code: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is broken: who is at the point waits there until effects of so many others have passed."""

    others: int


Strike = Kill | Fail | Disconnect | Respond | Say | Exit | Hold
