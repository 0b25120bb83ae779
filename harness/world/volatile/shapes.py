"""The shapes of values: times, identifiers, numbers. Only looks are judged here, never meaning."""

import re

from ...values.shapes import DAY, MONTH, TIME_PATTERN, UUID_PATTERN, ZONE

_TIME = re.compile(TIME_PATTERN)
_TOKEN = re.compile(rf"(?<!\w){TIME_PATTERN}(?!\w)|(?<!\w){UUID_PATTERN}(?!\w)|\d+\.\d+|[\w-]+|[^\w-]")
_RUN = re.compile(r"[A-Za-z0-9]{8,}")
_TURN = re.compile(r"(?<=[A-Za-z])\d|(?<=\d)[A-Za-z]")
_FRACTION = re.compile(r"(?<=\d\d:\d\d:\d\d)[.,]\d+")
_ZONE_AT_END = re.compile(rf"(?<=\d:\d\d){ZONE}$")


def tokens(line: str) -> list[str]:
    """Split into words, times and what is between them, character by character.

    A word may hold hyphens: base64 for URLs has them where it likes.
    """
    return _TOKEN.findall(line)


def time_format(text: str) -> str:
    """Return the rough format of a time written as text, without fractions and which zone; "" for no time."""
    if len(text) > 40 or not _TIME.fullmatch(text):
        return ""
    rough = _ZONE_AT_END.sub("+zone", _FRACTION.sub("", text))
    return re.sub(r"\d+", "0", re.sub(MONTH, "Jan", re.sub(DAY, "Mon", rough)))


def looks_random(text: str) -> bool:
    """Return whether there is a part in it that only a generator writes: a uuid, hex, or letters mixed with digits."""
    if len(text) < 8 or time_format(text):
        return False
    return any(len(_TURN.findall(run)) >= 2 or _is_hex(run) for run in _RUN.findall(text))


def _is_hex(run: str) -> bool:
    return all(c in "0123456789abcdef" for c in run) and not run.isdigit() and not run.isalpha()


def marker(value: object) -> str:
    """Return the marker of a masked value: its type, the format of a time; null and "nothing in it" stay."""
    if value is None or value in ("", b""):
        return repr(value)
    if isinstance(value, str):
        form = time_format(value)
        return f"<time {form}>" if form else "<text>"
    if isinstance(value, bool):
        return "<true or false>"
    if isinstance(value, int | float):
        return "<number>"
    return f"<{type(value).__name__}>"
