"""Every threshold in real seconds: the longest waits for things that no virtual time ends.

``ROLLPROOF_PATIENCE=3`` in the environment makes all of them three times as long, in every process of a session.
"""

import os

from .errors import ChaosError, shown

_VARIABLE = "ROLLPROOF_PATIENCE"


def check_patience() -> None:
    """Raise ChaosError if ``ROLLPROOF_PATIENCE`` is no number above 0."""
    if _said() is None:
        text = f"{_VARIABLE} is no number above 0: {shown(os.environ[_VARIABLE])}"
        raise ChaosError("bad-patience", text, f"for a machine three times as slow: {_VARIABLE}=3")


def _said() -> float | None:
    try:
        number = float(os.environ.get(_VARIABLE, "1"))
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


_FACTOR = _said() or 1.0

PROCESS_S, FIRST_PROCESS_S, FIRST_RUNS = 10.0 * _FACTOR, 30.0 * _FACTOR, 50 * _FACTOR
"""How long a process of the agent may take: the first ones, and later ones at least, or so many times the first."""
DEBUGGED_S = 86_400.0 * _FACTOR
"""How long a process may take that a person debugs."""
SERVICES_S = 20.0 * _FACTOR
"""How long services and connections take to come to rest when a process has ended."""
SHRINKING_S = 30.0 * _FACTOR
"""How long a drawn set of faults is made smaller when the time for drawing is over."""
DYING_S = 1.0 * _FACTOR
"""How long the process that forks others takes to end."""

SETTLING_CPU_S = 0.25 * _FACTOR
"""How long a thread may compute, in processor time, before others go on beside it."""
SETTLING_S = 20.0 * _FACTOR
"""How long it may take, in all, until other threads have come to rest."""
COMPUTING_S = 3.0 * _FACTOR
"""How long a thread may compute while another waits for a time; then that has come."""
PROGRAM_S = 10.0 * _FACTOR
"""How long a thread waits for a time, at most, while a program of the agent's runs, which lives in real time."""
REAL_SERVER_S = 8.0 * _FACTOR
"""How long a real server that the test permits may be silent until nothing is expected of it; less than PROCESS_S."""
PROGRAM_ENDS_S = 1.0 * _FACTOR
"""In what time the end of a program reaches those who wait for it."""
BLOCKING_EFFECT_S = 1.0 * _FACTOR
"""How long an effect in another thread is waited for, which may wait for a lock that is not seen."""

SILENT_SOCKET_S = 0.4 * _FACTOR
"""How long a socket of the agent waits for a peer that will be silent."""
SILENCE_S = 1.2 * _FACTOR
"""How long a relay keeps silent towards a client that has no patience of its own."""
SERVER_S = 0.3 * _FACTOR
"""How long a server has to notice that a request was cut."""
ANSWER_S, JUST_NOW_S = 2.0 * _FACTOR, 0.05 * _FACTOR
"""How long a server works on an answer, and how long a client takes to go on, until nothing is expected of them."""
QUIET_S = 0.06 * _FACTOR
"""Whoever has said nothing for so long waits for an answer."""
CLOSING_S = 0.1 * _FACTOR
"""How long connections take to end by themselves when their process has."""
