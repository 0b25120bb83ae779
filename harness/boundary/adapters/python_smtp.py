"""smtplib: the methods by which a client connects.

3.14: nothing changes it. 3.15: not known.
"""

import smtplib
from collections.abc import Callable
from typing import Any

from .part import Adapter

ADAPTER = Adapter("Python", "3.11", "3.14")
CONNECTING = ADAPTER.part(
    "mail of smtplib does not reach mailboxes",
    "smtplib:SMTP._get_socket(host)",
    "smtplib:SMTP._get_socket(port)",
    "smtplib:SMTP._get_socket(timeout)",
    "smtplib:SMTP_SSL._get_socket(timeout)",
)


def connecting(wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> list[tuple[Any, str, Any]]:
    """Return (class, name, function) of each method that connects a client; `wrap` makes it of the original."""
    classes: tuple[Any, ...] = (smtplib.SMTP, smtplib.SMTP_SSL) if CONNECTING.works else ()
    return [(kind, "_get_socket", wrap(kind._get_socket)) for kind in classes]
