"""The forms of times and generated ids, as parts of regular expressions."""

_CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?"
ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))"
MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
TIME_PATTERN = (
    rf"(?:\d{{4}}-\d\d-\d\d(?:[T ]{_CLOCK}{ZONE}?)?"
    r"|\d{8}T\d{6}Z?"
    rf"|{DAY}, \d\d? {MONTH} \d{{4}} {_CLOCK}{ZONE}"
    rf"|{DAY} {MONTH} [ \d]\d {_CLOCK} \d{{4}}"
    r"|\d\d:\d\d:\d\d(?:[.,]\d+)?)"
)
UUID_PATTERN = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
