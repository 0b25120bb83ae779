"""The name of a finding in one line, in every view: its title, else its cause, else the promises that it breaks."""

from collections.abc import Mapping
from typing import Any

_WAYS = {
    "untrue": "said to be done, and is not",
    "by order": "no fault is needed: two orders of one run end differently",
}


def title_of(violation: Mapping[str, Any]) -> str:
    """Return the name of a violation, which is in the form of the JSON result."""
    cause = violation.get("cause")
    return violation.get("title", "").strip() or (_cause(cause) if cause else broken(violation["invariants"]))


def broken(invariants: list[str]) -> str:
    """Return a sentence that these promises are broken."""
    return f"{', '.join(invariants)} broken"


def _cause(cause: Mapping[str, Any]) -> str:
    """Return a cause in one line: ``twice: http.post:api.mail.test/mails, myagent.py:29``."""
    way, effect = cause.get("way", ""), cause.get("effect", "")
    if cause.get("exception"):
        kind, _, _ = cause["exception"].partition(" at ")
        return f"recovery{' in the same process' if cause.get('goes_on') else ''} raises {kind}"
    if not effect and way != "not ended":  # only the check of the promise knows more
        return f"{cause['promise']} does not hold"
    where = f", {cause['file']}:{cause['line']}" if cause.get("line") and effect else ""
    return ": ".join(filter(None, (_WAYS.get(way, way), effect))) + where
