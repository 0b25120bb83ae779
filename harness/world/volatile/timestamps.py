"""Read points in time from numbers and texts, as epoch seconds."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

NEAR_S = 3 * 366 * 86400.0
_SCALES = (1.0, 1e3, 1e6, 1e9)


def timestamp_of_number(value: float, near: float, within_s: float) -> float | None:
    """Return epoch seconds for a number of seconds, milli-, micro- or nanoseconds close to `near`, else None."""
    for scale in _SCALES:
        if abs(value / scale - near) <= within_s:
            return value / scale
    return None


def timestamp_of_text(text: str, near: float, within_s: float) -> float | None:
    """Return epoch seconds for an ISO or e-mail date or a number as text, close to `near`, else None.

    A time without a zone is local or UTC, whichever is closer to `near`.
    """
    close = [timestamp for timestamp in _candidates(text) if abs(timestamp - near) <= within_s]
    if close:
        return min(close, key=lambda timestamp: abs(timestamp - near))
    try:
        return timestamp_of_number(float(text), near, within_s)
    except ValueError:
        return None


@lru_cache(maxsize=1 << 17)  # each row of a large table may have a time: to read one takes 20 µs
def _candidates(text: str) -> tuple[float, ...]:
    if not 10 <= len(text) <= 40:
        return ()
    try:
        return _both(datetime.fromisoformat(text.replace(" UTC", "+00:00").replace(" GMT", "+00:00")))
    except (ValueError, OverflowError):
        pass
    try:
        return _both(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return ()


def _both(timestamp: datetime) -> tuple[float, ...]:
    if timestamp.tzinfo is not None:
        return (timestamp.timestamp(),)
    return (timestamp.timestamp(), timestamp.replace(tzinfo=UTC).timestamp())
